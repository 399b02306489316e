"""How a trace looks on a terminal: guides, names, costs, and long runs folded. No SQL, no sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from costspan.cli.trace_document import Traced
from costspan.finish.outline import Step
from costspan.ledger.likeness import tokens
from costspan.ledger.rollup import Decision
from costspan.ledger.tree import Tree
from costspan_pricing import format_usd

_ERROR = 2
_HEAD, _TAIL = 4, 2  # of siblings, or of a way down, that stay visible before and after a fold
_DEEPEST = 60  # levels for which guides are drawn
_UNBILLED = {
    "not_inference": "repeats what is below",
    "covered": "told below or beside",
    "duplicate": "told twice",
    "no_usage": "no usage",
}


class Line(NamedTuple):
    """A span, or `folded` spans with what they cost together (attos)."""

    guides: str
    step: Step | None
    cost: int
    folded: int = 0


def show(traced: Traced, *, every: bool) -> None:
    """Print the tree, then what it comes to."""
    steps, waited = traced.steps, traced.path.spent
    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(Text(f"trace {traced.trace_id.hex()}", style="bold not dim"), overflow="fold")
    for column in ("US dollars", "ms", "on path"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for line in lines(steps, every=every, ascii_only=console.options.ascii_only):
        table.add_row(
            *(_name(line), _cost(line), _duration(line.step), _waited(line.step, waited)),
            _remark(line.step),
        )
    console.print(table)
    console.print()
    for sentence in _sentences(traced):
        console.print(Text(sentence))


def lines(steps: Sequence[Step], *, every: bool, ascii_only: bool = False) -> Iterator[Line]:
    """One line a span. Unless `every`, the middle of a long row of siblings is one line."""
    more, gap, tee, elbow, dots = (
        ("|  ", "   ", "|- ", "`- ", "...") if ascii_only else ("│  ", "   ", "├─ ", "└─ ", "⋯")
    )
    hidden = {} if every else _hidden(steps)
    open_levels: list[bool] = []  # of the spans above: are there more siblings below?
    skip_below = -1
    for at, step in enumerate(steps):
        if 0 <= skip_below < step.depth:
            continue
        skip_below = -1
        del open_levels[step.depth :]
        above = "".join(more if open_ else gap for open_ in open_levels[1:][-_DEEPEST:])
        lead = above + (elbow if step.last else tee) if step.depth else ""
        open_levels.append(not step.last)
        if at not in hidden:
            yield Line(lead, step, step.cost)
            continue
        skip_below = step.depth
        if hidden[at]:
            cost = sum(steps[one].cost for one in hidden[at])
            yield Line(above + tee + dots, None, cost, len(hidden[at]))


def _hidden(steps: Sequence[Step]) -> dict[int, list[int]]:
    """Places of the siblings that are folded; the first of each fold names all of them."""
    rows: list[list[int]] = []
    open_rows: list[list[int]] = []  # of the level itself and of those above
    for at, step in enumerate(steps):
        del open_rows[step.depth + 1 :]
        if len(open_rows) == step.depth:
            open_rows.append([])
            rows.append(open_rows[-1])
        open_rows[step.depth].append(at)
    hidden: dict[int, list[int]] = {}
    for row in rows:
        if len(row) > _HEAD + _TAIL + 1:
            fold = row[_HEAD:-_TAIL]
            hidden |= {at: [] for at in fold}
            hidden[fold[0]] = fold
    return hidden


def _name(line: Line) -> Text:
    text = Text(line.guides, style="dim")
    if line.step is None:
        return text.append(f" {line.folded} more")
    failed = line.step.span.node[6] == _ERROR
    return text.append(line.step.span.name, style="red not dim" if failed else "not dim")


def _cost(line: Line) -> Text:
    decision = line.step.decision if line.step else None
    if decision and decision.billed and decision.call.charge.attos is None and not line.cost:
        return Text("unknown", style="red")
    return Text(format_usd(line.cost) if line.cost else "")


def _duration(step: Step | None) -> str:
    if step is None:
        return ""
    return _milliseconds(max(0, step.span.node[3] - step.span.node[2]))


def _milliseconds(duration: int) -> str:
    return f"{duration / 1e6:,.0f}"


def _waited(step: Step | None, waited: Mapping[bytes, int]) -> str:
    """How long the trace waited for the span itself."""
    duration = waited.get(step.span.node[0]) if step else None
    return "" if duration is None else _milliseconds(duration)


def _remark(step: Step | None) -> Text:
    if step is None:
        return Text()
    parts = [step.span.service] if not step.depth and step.span.service else []
    parts += _told(step.decision) if step.decision else []
    return Text(", ".join(parts), style="dim")


def _told(decision: Decision) -> Iterator[str]:
    call = decision.call
    if call.response_model or call.request_model:
        yield call.response_model or call.request_model
    if call.usage is not None:
        yield "{:,} in, {:,} out".format(*tokens(call))
    if call.cache_status:
        yield f"cache {call.cache_status}"
    if not decision.billed:
        yield f"{_UNBILLED.get(decision.reason, decision.reason)}, not billed"
    elif call.charge.reason:
        yield f"{call.charge.status}: {call.charge.reason}"


def _sentences(traced: Traced) -> Iterator[str]:
    rolled, total = traced.rolled, traced.rolled.total
    unpriced = f", {total.unpriced} of them without a known price" if total.unpriced else ""
    yield (
        f"{_counted(total.calls, 'model call')} in {_counted(rolled.spans, 'span')} cost"
        f" ${format_usd(total.cost)}{unpriced}."
    )
    if total.savings:
        yield f"Prompt caches saved ${format_usd(total.savings)}."
    yield from _wasted(traced.tree)
    yield from _waits(traced)
    if rolled.flags:
        yield f"Flags: {', '.join(rolled.flags)}."


def _wasted(tree: Tree) -> Iterator[str]:
    waste = tree.waste
    if waste.retries:
        cost = format_usd(waste.retry_cost)
        yield f"Failed and made again: {_counted(waste.retries, 'call')}, for ${cost}."
    if tree.failed_cost:
        yield f"At or below spans that failed: ${format_usd(tree.failed_cost)}."
    if tree.repeated_tools:
        repeats = _counted(tree.repeated_tools, "tool call")
        cost = format_usd(tree.repeated_tool_cost)
        yield f"In loops, with the arguments of an earlier one: {repeats}, for ${cost}."
    if waste.growing:
        yield "The prompts of an agent grew call by call."
    if tree.coordination_cost:
        cost = format_usd(tree.coordination_cost)
        yield f"Agents that have other agents below them spent ${cost} themselves."


def _waits(traced: Traced) -> Iterator[str]:
    """Time, and the way down on which most was spent."""
    waited, busy = traced.path.spent, traced.tree.busy
    if waited:
        spans, duration = _counted(len(waited), "span"), _milliseconds(sum(waited.values()))
        cost = format_usd(traced.path.cost)
        yield f"The critical path leads through {spans} in {duration} ms; calls on it cost ${cost}."
    if busy.apart < busy.together:
        yield (
            f"Model calls took {_milliseconds(busy.together)} ms altogether, within"
            f" {_milliseconds(busy.apart)} ms."
        )
    if len(traced.chain) > 1:
        names = {step.span.node[0]: step.span.name for step in traced.steps}
        way = [names[span_id] for span_id in traced.chain]
        if len(way) > _HEAD + _TAIL + 1:
            way[_HEAD:-_TAIL] = [f"{len(way) - _HEAD - _TAIL} more"]
        yield f"Most was spent along {' > '.join(way)}."


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
