"""What a trace waited for: its critical path, and the way down on which most was spent. Pure.

It looks at every span, so no row holds it: who looks at one trace asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from costspan.ledger.forest import ROOT, Forest
from costspan.ledger.rollup import Rollup
from costspan.ledger.tree import Tree

_CONSUMER = 5  # Span.kind: it need not run while the span that sent its message does


class Section(NamedTuple):
    """A time in which the trace waited for one span itself, not for any below it. ns."""

    span_id: bytes  # ROOT: for none that is here
    start: int
    end: int


class Path(NamedTuple):
    """The critical path of a trace."""

    sections: list[Section]  # in order of time; they tile the root, without one the whole trace
    cost: int  # attos, of the billed calls that have a section

    @property
    def spent(self) -> dict[bytes, int]:
        """By span, in the order of their first sections. ns."""
        spent: dict[bytes, int] = {}
        for span_id, start, end in self.sections:
            spent[span_id] = spent.get(span_id, 0) + end - start
        return spent


class _Place(NamedTuple):
    """Where a span is on the clock of the one above it, cut to its time."""

    start: int
    end: int
    span_id: bytes
    shift: int  # ns between that clock and its own


class _Frame(NamedTuple):
    """A span whose time up to `until` is still to be told, from its end to its beginning."""

    place: _Place
    until: int
    children: list[_Place]  # what ends last comes last


def critical_path(rolled: Rollup) -> Path:
    """Go back from the end: of what is below a span, what ended last before, was waited for.

    What ends later than that runs beside it, and is skipped with all that is below it. A span whose
    parent is missing is taken to be below the root; a second root is not.
    """
    sections = list(_backwards(rolled.forest))
    sections.reverse()
    told = {section.span_id for section in sections}
    cost = sum(
        held.call.charge.attos or 0
        for span_id, held in rolled.decisions.items()
        if held.billed and span_id in told
    )
    return Path(sections, cost)


def heaviest_chain(rolled: Rollup, tree: Tree) -> list[bytes]:
    """From the root down, always the span that cost most with all below it, while it cost anything.

    Of two that cost the same the smaller id.
    """
    spent = {span_id: branch.cost for span_id, branch in tree.branches.items()}
    for span_id, held in rolled.decisions.items():
        if held.billed and span_id not in spent:
            spent[span_id] = held.call.charge.attos or 0
    top, chain = _top(rolled.forest), list[bytes]()
    dearest: dict[bytes, tuple[int, bytes]] = {}
    for span_id, cost in spent.items():
        above = _above(span_id, rolled.forest, top)
        if cost > 0 and above is not None:
            dearest[above] = min(dearest.get(above, (0, b"")), (-cost, span_id))
    if top != ROOT and (top in dearest or spent.get(top)):
        chain.append(top)
    while top in dearest:
        top = dearest[top][1]
        chain.append(top)
    return chain


def _backwards(forest: Forest) -> Iterator[Section]:
    """The sections, the last first. Every span is looked at once; deep chains do not recurse."""
    top = _top(forest)
    start, end = forest.nodes[top][2:4] if top != ROOT else (forest.start_ns, forest.end_ns)
    below: dict[bytes, list[bytes]] = {}
    for span_id in forest.links:
        above = _above(span_id, forest, top)
        if above is not None:
            below.setdefault(above, []).append(span_id)
    start = start or forest.start_ns  # a time of 0 is no time
    stack = [_enter(_Place(start, max(start, end), top, 0), below, forest)]
    while stack:
        here, until, children = stack.pop()
        while children and children[-1].end > until:
            children.pop()
        if not children:
            if here.start < until:
                yield Section(here.span_id, here.start, until)
            continue
        child = children.pop()
        if child.end < until:
            yield Section(here.span_id, child.end, until)
        stack.append(_Frame(here, child.start, children))
        stack.append(_enter(child, below, forest))


def _top(forest: Forest) -> bytes:
    return forest.root.span_id if forest.root else ROOT


def _above(span_id: bytes, forest: Forest, top: bytes) -> bytes | None:
    """The span above, `top` where it is missing; None of a root."""
    above = forest.links[span_id]
    if above in forest.links:
        return above
    return None if above == ROOT != top else top


def _enter(place: _Place, below: Mapping[bytes, list[bytes]], forest: Forest) -> _Frame:
    placed = [_placed(span_id, place, forest) for span_id in below.get(place.span_id, ())]
    children = [child for child in placed if child.start < child.end]
    # of those that end together the one that began first goes first, then the smaller id
    children.sort(key=lambda child: (-child.end, child.start, child.span_id), reverse=True)
    return _Frame(place, place.end, children)


def _placed(span_id: bytes, above: _Place, forest: Forest) -> _Place:
    """On the clock of the span above. One of another host that does not fit in goes to its middle.

    As Jaeger's adjuster for clock skew does. What waits in a queue is no such span.
    """
    node = forest.nodes[span_id]
    start, end, shift = node[2] + above.shift, node[3] + above.shift, above.shift
    room = above.end - above.start - (end - start)
    fits = above.start <= start and end <= above.end
    if span_id in forest.entries and node[5] != _CONSUMER and room >= 0 and not fits:
        shift += above.start + room // 2 - start
        start, end = node[2] + shift, node[3] + shift
    return _Place(max(start, above.start), min(end, above.end), span_id, shift)
