"""How a report of the doctor looks on a terminal. No judgement: order and words are the report's.

Only the sixteen colours that a terminal's theme defines, and no yellow or blue: those can't be
read on a light or on a dark ground.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from costspan.doctor.finding import Severity
from costspan.doctor.report import Diagnosis, Emitter, Report, Service, Span

_STYLE = {Severity.ACCURACY: "red", Severity.POSSIBLE: "magenta", Severity.DETAIL: "dim"}
_MARK = {Severity.ACCURACY: "✗", Severity.POSSIBLE: "?", Severity.DETAIL: "·"}
_PLAIN_MARK = {Severity.ACCURACY: "x", Severity.POSSIBLE: "?", Severity.DETAIL: "-"}
_NO_SERVICE = "(no service.name)"


def show(report: Report, console: Console | None = None) -> None:
    """Print it."""
    console = console or Console()
    marks = _PLAIN_MARK if console.options.ascii_only else _MARK
    for service in report.services:
        console.print(_service(service, marks))
    console.print(_verdict(report))


def _service(service: Service, marks: Mapping[Severity, str]) -> RenderableType:
    """A table of who sent what, what matters in paragraphs, details in a list."""
    traces = _counted(service.traces, "trace") if service.traces else ""
    head = Text.assemble((service.service or _NO_SERVICE, "bold"), "  ", (traces, "dim"))
    parts: list[RenderableType] = [head]
    if service.emitters:
        parts.append(_inset(_emitters(service.emitters)))
    above = 1
    for each in service.findings:
        detail = each.severity is Severity.DETAIL
        parts.append(_inset(_detail(each, marks) if detail else _finding(each, marks), above))
        above = 0 if detail else 1
    return Group(*parts, Text())


def _inset(shown: RenderableType, above: int = 0) -> Padding:
    return Padding(shown, (above, 0, 0, 2), expand=False)


def _emitters(emitters: Sequence[Emitter]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("library and scope", "read as"):
        table.add_column(name, overflow="fold")
    for name in ("spans", "with usage", "billed", "unpriced"):
        table.add_column(name, justify="right")
    table.add_column("input is", overflow="fold")
    for each in emitters:
        table.add_row(
            Text.assemble(
                each.library or "unknown library",
                (f"\n{each.scope or '(no scope)'} {each.scope_version}".rstrip(), "dim"),
            ),
            each.dialect,
            *(str(n) for n in (each.spans, each.with_usage, each.billed)),
            str(sum(each.unpriced.values())),
            ", ".join(f"{c.convention} ({c.decided_by})" for c in each.conventions) or "-",
        )
    return table


def _detail(found: Diagnosis, marks: Mapping[Severity, str]) -> RenderableType:
    """One paragraph: the id, whose it is, the sentence, what helps."""
    grid = Table.grid(padding=(0, 1))
    text = Text.assemble((found.id.value, "bold"), (f"  {_whose(found)}  ", "dim"), found.sentence)
    if found.fix:
        text.append("\nfix ", style="dim").append(found.fix, style="green")
    grid.add_row(Text(marks[found.severity], style=_STYLE[found.severity]), text)
    return grid


def _finding(found: Diagnosis, marks: Mapping[Severity, str]) -> RenderableType:
    """The id and whose it is; the sentence; what helps; the newest example."""
    style = _STYLE[found.severity]
    lines = Table.grid(padding=(0, 2))
    if found.fix:
        lines.add_row(Text("fix", style="dim"), Text(found.fix, style="green"))
    for label, text in (("see", found.link), ("e.g.", _example(found.examples))):
        if text:
            lines.add_row(Text(label, style="dim"), Text(text, style="dim"))
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Text(marks[found.severity], style=style),
        Text.assemble((found.id.value, f"bold {style}"), (f"  {_whose(found)}", "dim")),
    )
    grid.add_row("", Text(found.sentence))
    if lines.row_count:
        grid.add_row("", lines)
    return grid


def _whose(found: Diagnosis) -> str:
    return found.library or ", ".join(found.scopes)


def _example(spans: Sequence[Span]) -> str:
    """The newest."""
    if not spans:
        return ""
    name, trace_id, span_id = spans[0].name, spans[0].trace_id, spans[0].span_id
    return "  ".join(filter(None, (name, f"trace {trace_id}", span_id and f"span {span_id}")))


def _verdict(report: Report) -> Text:
    found = [each for service in report.services for each in service.findings]
    counts = {each: sum(f.severity is each for f in found) for each in Severity}
    if not report.services:
        return Text(
            f"No span in {report.source} tells of a model call. Which libraries' spans do:"
            " docs/reference/libraries.md."
        )
    line = "Findings: " + ", ".join(f"{counts[each]} {each.value}" for each in Severity) + "."
    style = _STYLE[Severity.ACCURACY] if counts[Severity.ACCURACY] else "green"
    part = ""
    if report.looked_at < report.traces:
        part = f" It looked at {report.looked_at} of {_counted(report.traces, 'trace')}."
    return Text.assemble((line, style), part)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
