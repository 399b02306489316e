"""What every span of a trace costs with all that is below it. Pure; iterative, for deep chains.

Only spans with a billed call at or below them are branches; the others cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from costspan.ledger.forest import Forest
from costspan.ledger.likeness import tokens
from costspan.model import Identity, LlmCall


class Branch:
    """A span, and what is billed at or below it. Money in attos."""

    __slots__ = (
        "calls",  # billed ones
        "children",  # branches directly below
        "cost",  # own_cost and that of everything below
        "depth",  # 0 = nothing is above it
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
        self.children = self.depth = self.preorder = 0

    def bill(self, call: LlmCall) -> None:
        """It is this call. A cost that is not known adds nothing."""
        self.own_cost = self.cost = call.charge.attos or 0
        self.input_tokens, self.output_tokens = tokens(call)
        self.calls = 1

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
    for call_id, call in billed.items():
        span_id = call_id
        while span_id in links and span_id not in found:
            parent = links[span_id]
            branch = found[span_id] = Branch(span_id, parent)
            if parent in below:
                below[parent].append(branch)
            else:
                below[parent] = [branch]
            span_id = parent
        found[call_id].bill(call)
    ordered = _in_preorder(found, below, forest.starts)
    for branch in reversed(ordered):  # every one comes after all that is below it
        above = found.get(branch.parent)
        if above is not None:
            above.add(branch)
    return {branch.span_id: branch for branch in ordered}


def by_agent(
    forest: Forest, identities: Mapping[bytes, Identity], found: Mapping[bytes, Branch]
) -> dict[str, Branch]:
    """What each agent set off: the branches of its outermost spans, added up.

    So A that calls B that calls A counts once for A. What B spent is in A's sum and in its own:
    these overlap, and do not add up to the trace.
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
        if agent and not on_path[agent] and span_id in found:
            spent.setdefault(agent, Branch(b"", b"")).add(found[span_id])
        if span_id in below:
            on_path[agent] += 1
            stack.append((span_id, False))
            stack += [(child, True) for child in below[span_id]]
    return spent


def _in_preorder(
    found: Mapping[bytes, Branch],
    below: Mapping[bytes, list[Branch]],
    starts: Mapping[bytes, int],
) -> list[Branch]:
    def last_first(group: Iterable[Branch]) -> list[Branch]:
        return sorted(group, key=lambda one: (starts[one.span_id], one.span_id), reverse=True)

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
            branch.children = len(children)
            for child in children:
                child.depth = branch.depth + 1
            stack += children
    return ordered
