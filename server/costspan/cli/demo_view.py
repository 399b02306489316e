"""How the demo looks: tables, trees and sentences made of answers. No SQL, no processes.

Only the sixteen colours that a terminal's theme defines, and no yellow or blue: those can't be
read on a light or on a dark ground.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from costspan.demo.answers import Answers, Share, TraceRow
from costspan.demo.tree import Branch, Row, rows
from costspan.demo.verdict import Difference

_BAR = 12
_EXPENSIVE = 5
_MONEY = len("$0.0000000")
_SIDE_BY_SIDE = 108  # columns from which on two tables fit beside each other
_WIDE = 100  # columns from which on a tree has room for bars


def usd(amount: Decimal) -> str:
    """Dollars for reading, with four decimals; what is smaller keeps two digits."""
    if amount and abs(amount) < Decimal("0.0001"):
        return f"{'-' if amount < 0 else ''}${abs(amount):.2g}"
    return f"{'-' if amount < 0 else ''}${abs(amount):,.4f}"


class View:
    """Prints the parts of the demo, top to bottom."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._wide = console.width >= _WIDE
        ascii_only = console.options.ascii_only
        self._guides = (
            ("|   ", "    ", "|-- ", "`-- ") if ascii_only else ("│   ", "    ", "├── ", "└── ")
        )
        self._block = "#" if ascii_only else "█"
        self._yes, self._no, self._dots = ("OK", "!!", "...") if ascii_only else ("✓", "✗", "⋯")

    def heading(self, text: str, remark: str = "") -> None:
        """A section begins."""
        line = Text(f"\n{text}", style="bold")
        if remark:
            line.append(f"  {remark}", style="dim not bold")
        self._console.print(line)

    def tree(self, root: Branch) -> None:
        """A trace as it ran, with the inclusive cost of every span."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, overflow="ellipsis")
        table.add_column(justify="right", no_wrap=True, min_width=_MONEY)
        if self._wide:
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for row in rows(root):
            bar = [self._bar(row.cost, root.cost)] if self._wide else []
            table.add_row(self._name(row), _cost(row), *bar, _remark(row))
        self._console.print(Padding(table, (0, 0, 0, 2)))

    def shares(self, answers: Answers) -> None:
        """Cost by agent, by model and by team, side by side if there is room."""
        tables = [
            self._shares("By agent", answers.by_agent),
            self._shares("By model", answers.by_model),
            self._shares("By team", answers.by_team),
        ]
        for table in tables if self._console.width < _SIDE_BY_SIDE else [Columns(tables)]:
            self._console.print()
            self._console.print(table)

    def expensive(self, traces: Sequence[TraceRow]) -> None:
        """The traces at the top of the bill."""
        table = _table("Most expensive traces", "service", "calls", "spans", "seconds", "cost")
        for trace in traces[:_EXPENSIVE]:
            table.add_row(
                trace.name,
                trace.service,
                str(trace.calls),
                str(trace.spans),
                f"{trace.seconds:.1f}",
                usd(trace.cost),
            )
        self._console.print()
        self._console.print(table)

    def findings(self, answers: Answers) -> None:
        """What stands out, one sentence each."""
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", style="bold", no_wrap=True)
        table.add_column()
        for figure, sentence in _findings(answers):
            table.add_row(figure, sentence)
        self._console.print(Padding(table, (1, 0, 0, 2)))

    def verdict(self, answers: Answers, calls: int, found: Sequence[Difference]) -> None:
        """The check line, or every difference."""
        if not found:
            line = Text(f"\n{self._yes} ", style="bold green")
            total = f"${answers.total.normalize():f}"
            line.append(
                f"{calls} calls in {len(answers.traces)} traces cost {total}. Every span, trace,"
                " agent, model and team in the store equals the generator's own books, to the last"
                " digit.",
                style="not bold",
            )
            self._console.print(line)
            return
        self._console.print(
            Text(
                f"\n{self._no} {len(found)} numbers differ from the generator's books:", "bold red"
            )
        )
        table = Table("number", "expected", "in the store", box=box.SIMPLE_HEAD)
        for difference in found[:20]:
            table.add_row(*difference)
        self._console.print(table)

    def steps(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        """What to do next: a command and what it is good for."""
        self.heading(title)
        for purpose, command in lines:
            self._console.print(Text(f"  {purpose}", style="dim"))
            self._console.print(Text(f"    {command}"), soft_wrap=True)

    def _name(self, row: Row) -> Text:
        if row.branch is None:
            return Text(f"{self._lead(row)}{self._dots} {row.folded} more", style="dim")
        span = row.branch.span
        text = Text(self._lead(row), style="dim")
        return text.append(span.name, style="red not dim" if span.failed else "not dim")

    def _lead(self, row: Row) -> str:
        if not row.ancestors and row.branch is not None and not row.branch.span.parent_id:
            return ""
        pipe, gap, tee, elbow = self._guides
        above = "".join(pipe if more else gap for more in row.ancestors)
        return above + (elbow if row.last else tee)

    def _bar(self, part: Decimal, whole: Decimal) -> Text:
        filled = round(_BAR * part / whole) if whole else 0
        return Text(self._block * filled, style="magenta")

    def _shares(self, title: str, shares: Sequence[Share]) -> RenderableType:
        table = _table(title, "calls", "cost", "")
        most = max((share.cost for share in shares), default=Decimal(0))
        for share in shares:
            table.add_row(
                share.name, str(share.calls), usd(share.cost), self._bar(share.cost, most)
            )
        return Group(table)


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(Text(title, style="bold not dim"), no_wrap=True)
    for column in columns:
        table.add_column(
            column, justify="left" if column in {"service", ""} else "right", no_wrap=True
        )
    return table


def _cost(row: Row) -> Text:
    branch = row.branch
    if branch and branch.span.status and branch.span.cost is None:
        return Text("unknown", style="red")
    return Text(usd(row.cost) if row.cost else "", style="bold" if row.folded else "")


def _remark(row: Row) -> Text:
    if row.branch is None:
        return Text()
    span = row.branch.span
    parts = [f"cache {span.cache}"] if span.cache in {"hit", "write"} else []
    parts += ["failed"] if span.failed else []
    parts += [f"{_count(span.prompt)} in, {_count(span.output)} out"] if span.status else []
    return Text(", ".join(parts), style="dim")


def _count(tokens: int) -> str:
    return f"{tokens / 1000:.1f}k" if tokens >= 1000 else str(tokens)  # noqa: PLR2004 (kilo)


def _findings(answers: Answers) -> Iterator[tuple[str, str]]:
    top = answers.traces[0] if answers.traces else None
    if top and answers.total:
        share = 100 * top.cost / answers.total
        yield f"{share:.0f} %", f"of the bill is one trace: {top.name}."
    yield usd(answers.savings), "saved by prompt caches, what writing them cost taken off."
    yield usd(answers.wasted), "spent on calls that failed and were tried again."
    for row in answers.unpriced:
        yield (
            f"{row.calls} calls",
            f"of {row.model} have no price ({row.reason}): unknown, which is not zero.",
        )
