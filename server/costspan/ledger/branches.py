"""What a span of a trace costs with all that is below it. Pure; iterative, for deep chains.

A branch is a span with billed calls below it. A call with none is a leaf: it costs what it costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from costspan.ledger.forest import Forest, Node
from costspan.ledger.likeness import tokens
from costspan.model import Identity, LlmCall


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
    )

    def __init__(self, span_id: bytes, parent: bytes) -> None:
        self.span_id, self.parent = span_id, parent
        self.own_cost = self.cost = self.calls = self.input_tokens = self.output_tokens = 0
        self.depth = self.preorder = 0

    def bill(self, call: LlmCall) -> None:
        """Add a call. A cost that is not known adds nothing."""
        spent = tokens(call)
        self.cost += call.charge.attos or 0
        self.input_tokens += spent[0]
        self.output_tokens += spent[1]
        self.calls += 1

    def add(self, other: Branch) -> None:
        self.cost += other.cost
        self.calls += other.calls
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


def by_agent(
    forest: Forest,
    billed: Mapping[bytes, LlmCall],
    identities: Mapping[bytes, Identity],
    found: Mapping[bytes, Branch],
) -> dict[str, Branch]:
    """What each agent set off: its outermost spans, with all that is below them, added up.

    So A that calls B that calls A counts once for A. What B spent is in A's sum and in its own:
    these overlap, and do not add up to the trace. `identities`: of every record, its gaps filled.
    """
    if not any(who.agent for who in identities.values()):
        return {}
    below: dict[bytes, list[bytes]] = {}
    for span_id in reversed(forest.order):
        below.setdefault(forest.above[span_id], []).append(span_id)
    spent: dict[str, Branch] = {}
    on_path: Counter[str] = Counter()
    stack = [(span_id, True) for span_id, up in forest.above.items() if up not in forest.calls]
    while stack:
        span_id, enters = stack.pop()
        agent = identities[span_id].agent
        if not enters:
            on_path[agent] -= 1
            continue
        if agent and not on_path[agent]:
            sum_ = spent.setdefault(agent, Branch(b"", b""))
            if span_id in found:
                sum_.add(found[span_id])
            elif span_id in billed:
                sum_.bill(billed[span_id])
        if span_id in below:
            on_path[agent] += 1
            stack.append((span_id, False))
            stack += [(child, True) for child in below[span_id]]
    return {agent: sum_ for agent, sum_ in spent.items() if sum_.calls}


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
