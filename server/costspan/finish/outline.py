"""A trace from top to bottom: every span once, in the order in which people read a tree. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from costspan.finish.reading import StoredSpan, StoredTrace
from costspan.ledger.rollup import Decision, Rollup
from costspan.ledger.tree import Tree


class Step(NamedTuple):
    """One span, with what it costs. Money in attos."""

    span: StoredSpan
    decision: Decision | None  # of a call
    depth: int
    last: bool  # of its siblings
    cost: int  # with everything below
    own_cost: int
    calls: int  # billed, at it or below


def outline(trace: StoredTrace, rolled: Rollup, tree: Tree) -> Iterator[Step]:
    """Parents first, siblings by start. A span whose parent is missing stands at the top.

    A call whose span is not stored (the two have lifetimes of their own) is told by its record.
    """
    below = _children(rolled)
    tops = [span for parent, group in below.items() if parent not in rolled.forest.links
            for span in group]  # fmt: skip
    stack = [(span_id, 0, at == 0) for at, span_id in enumerate(_last_first(tops, rolled))]
    while stack:
        span_id, depth, last = stack.pop()
        decision = rolled.decisions.get(span_id)
        span = trace.spans.get(span_id) or _told(rolled, span_id)
        yield Step(span, decision, depth, last, *_spent(span_id, decision, tree))
        children = _last_first(below.get(span_id, ()), rolled)
        stack += [(child, depth + 1, at == 0) for at, child in enumerate(children)]


def _children(rolled: Rollup) -> dict[bytes, list[bytes]]:
    below: dict[bytes, list[bytes]] = {}
    for span_id, parent in rolled.forest.links.items():
        below.setdefault(parent, []).append(span_id)
    return below


def _last_first(span_ids: Iterable[bytes], rolled: Rollup) -> list[bytes]:
    nodes = rolled.forest.nodes
    return sorted(span_ids, key=lambda span_id: (nodes[span_id][2], span_id), reverse=True)


def _told(rolled: Rollup, span_id: bytes) -> StoredSpan:
    call = rolled.forest.calls[span_id]
    return StoredSpan(rolled.forest.nodes[span_id], call.name, call.service)


def _spent(span_id: bytes, decision: Decision | None, tree: Tree) -> tuple[int, int, int]:
    """(cost with everything below, own cost, calls)."""
    branch = tree.branches.get(span_id)
    if branch is not None:
        return branch.cost, branch.own_cost, branch.calls
    if decision is None or not decision.billed:
        return 0, 0, 0
    own = decision.call.charge.attos or 0
    return own, own, 1
