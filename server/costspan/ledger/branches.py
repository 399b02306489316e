"""What a span of a trace costs with all that is below it. Pure; iterative, for deep chains.

A branch is a span with billed calls below it. A call with none is a leaf: it costs what it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from costspan.ledger.forest import Forest, Node
from costspan.ledger.likeness import tokens
from costspan.model import LlmCall


class Branch:
    """A span, and what is billed at or below it. Money in attos."""

    __slots__ = (
        "calls",  # billed ones
        "cost",  # own_cost and that of everything below
        "depth",  # branches above it
        "input_tokens",
        "output_tokens",
        "own_cost",
        "parent",  # ROOT, or the id of a span that is missing: then nothing is above it
        "preorder",  # from 1: parents first, siblings by start, then by id
        "span_id",
        "unpriced",  # of the calls: their cost is not known
    )

    def __init__(self, span_id: bytes, parent: bytes) -> None:
        self.span_id, self.parent = span_id, parent
        self.own_cost = self.cost = self.calls = self.input_tokens = self.output_tokens = 0
        self.depth = self.preorder = self.unpriced = 0

    def bill(self, call: LlmCall) -> None:
        """Add a call. A cost that is not known adds nothing."""
        spent, cost = tokens(call), call.charge.attos
        self.cost += cost or 0
        self.unpriced += cost is None
        self.input_tokens += spent[0]
        self.output_tokens += spent[1]
        self.calls += 1

    def add(self, other: Branch) -> None:
        self.cost += other.cost
        self.calls += other.calls
        self.unpriced += other.unpriced
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens


def branches(forest: Forest, billed: Mapping[bytes, LlmCall]) -> dict[bytes, Branch]:
    """Every branch by span id, in preorder. `billed`: the billed calls by span id."""
    found: dict[bytes, Branch] = {}
    below: dict[bytes, list[Branch]] = {}
    links = forest.links
    for call_id in billed:
        span_id = links[call_id]
        while span_id in links and span_id not in found:
            parent = links[span_id]
            branch = found[span_id] = Branch(span_id, parent)
            if parent in below:
                below[parent].append(branch)
            else:
                below[parent] = [branch]
            span_id = parent
    for call_id, call in billed.items():
        if call_id in found:
            found[call_id].own_cost = call.charge.attos or 0
        place = call_id if call_id in found else links[call_id]
        if place in found:  # else nothing is above it
            found[place].bill(call)
    ordered = _in_preorder(found, below, forest.nodes)
    for branch in reversed(ordered):  # every one comes after all that is below it
        above = found.get(branch.parent)
        if above is not None:
            above.add(branch)
    return {branch.span_id: branch for branch in ordered}


def spent_below(
    marked: AbstractSet[bytes],
    forest: Forest,
    billed: Mapping[bytes, LlmCall],
    found: Mapping[bytes, Branch],
) -> int:
    """Attos of the calls at or below any of these spans, each call once. `found`: all branches."""
    inside: set[bytes] = set()
    for span_id, branch in found.items():  # parents come first
        if span_id in marked or branch.parent in inside:
            inside.add(span_id)
    return sum(
        call.charge.attos or 0
        for span_id, call in billed.items()
        if span_id in inside or span_id in marked or forest.links[span_id] in inside
    )


def _in_preorder(
    found: Mapping[bytes, Branch], below: Mapping[bytes, list[Branch]], nodes: Mapping[bytes, Node]
) -> list[Branch]:
    def last_first(group: Iterable[Branch]) -> list[Branch]:
        return sorted(group, key=lambda one: (nodes[one.span_id][2], one.span_id), reverse=True)

    stack: list[Branch] = []
    for parent, group in below.items():
        if parent not in found:
            stack += group
    stack = last_first(stack)
    ordered: list[Branch] = []
    while stack:
        branch = stack.pop()
        ordered.append(branch)
        branch.preorder = len(ordered)
        if branch.span_id in below:
            children = last_first(below[branch.span_id])
            for child in children:
                child.depth = branch.depth + 1
            stack += children
    return ordered
