"""A trace as a tree of costs, for reading: inclusive sums, and long runs folded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

_HEAD, _TAIL = 4, 2  # children that stay visible before and after a fold


class StoredSpan(NamedTuple):
    """One span as the store holds it; costs in US dollars, None = not a priced call."""

    span_id: str
    parent_id: str
    name: str
    start_ns: int
    duration_ns: int
    failed: bool
    cost: Decimal | None
    status: str  # window.financial.status, "" if it is no call
    cache: str  # finops.cache.status
    prompt: int
    output: int


@dataclass
class Branch:
    """A span with what lies below it. `cost` is inclusive."""

    span: StoredSpan
    cost: Decimal = Decimal(0)
    children: list[Branch] = field(default_factory=list)


class Row(NamedTuple):
    """One line of the picture: a span, or `folded` siblings under the same parent."""

    ancestors: tuple[bool, ...]  # for each level above: are there more siblings below?
    last: bool
    branch: Branch | None
    cost: Decimal
    folded: int = 0


def grow(spans: Iterable[StoredSpan]) -> Branch | None:
    """The tree under the earliest root; None if there is no span without a parent."""
    branches = {span.span_id: Branch(span) for span in spans}
    roots: list[Branch] = []
    for branch in sorted(branches.values(), key=lambda each: each.span.start_ns):
        parent = branches.get(branch.span.parent_id)
        (parent.children if parent else roots).append(branch)
    if not roots:
        return None
    _add_up(roots[0])
    return roots[0]


def rows(root: Branch) -> Iterator[Row]:
    """The picture from top to bottom."""
    yield Row((), last=True, branch=root, cost=root.cost)
    yield from _below(root, ())


def _add_up(branch: Branch) -> Decimal:
    own = branch.span.cost or Decimal(0)
    branch.cost = own + sum((_add_up(child) for child in branch.children), Decimal(0))
    return branch.cost


def _below(parent: Branch, ancestors: tuple[bool, ...]) -> Iterator[Row]:
    shown, hidden, tail = _folding(parent.children)
    final = parent.children[-1] if parent.children else None
    for child in (*shown, None, *tail):
        if child is not None:
            last = child is final
            yield Row(ancestors, last=last, branch=child, cost=child.cost)
            yield from _below(child, (*ancestors, not last))
        elif hidden:
            cost = sum((each.cost for each in hidden), Decimal(0))
            yield Row(ancestors, last=False, branch=None, cost=cost, folded=len(hidden))


def _folding(children: list[Branch]) -> tuple[list[Branch], list[Branch], list[Branch]]:
    """What is shown, what is hidden (two lines or more, else nothing), and what ends it."""
    if len(children) <= _HEAD + _TAIL + 1:
        return children, [], []
    return children[:_HEAD], children[_HEAD:-_TAIL], children[-_TAIL:]
