"""What agents set off: their outermost spans, each with all that is below it. Pure.

Of the spans of one agent the outermost counts, so A that calls B that calls A counts once for A.
What B spent is in A's sum and in its own: these overlap, and do not add up to the trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping

from costspan.ledger.branches import Branch, branches
from costspan.ledger.forest import Forest
from costspan.ledger.rollup import Rollup
from costspan.model import AgentTotals, Identity, LlmCall

_INVOKE_AGENT = "invoke_agent"


def is_agents(call: LlmCall) -> bool:
    """Whether the span is a run of an agent, and says of which."""
    return call.operation == _INVOKE_AGENT and bool(call.identity.agent)


def by_agent(
    forest: Forest,
    billed: Mapping[bytes, LlmCall],
    identities: Mapping[bytes, Identity],
    found: Mapping[bytes, Branch],
) -> dict[str, Branch]:
    """What each agent set off, whatever kind its outermost spans are of.

    `identities`: of every record, its gaps filled; `found`: the branches of the trace.
    """
    if not any(who.agent for who in identities.values()):
        return {}
    spent: dict[str, Branch] = {}
    for span_id, agent, around in _downwards(forest, identities, forest.calls):
        if agent and around[agent] == span_id:
            _add(spent.setdefault(agent, Branch(b"", b"")), span_id, billed, found)
    return {agent: sum_ for agent, sum_ in spent.items() if sum_.calls}


def agent_spans(rolled: Rollup, grade: str) -> dict[bytes, AgentTotals]:
    """What each outermost span of an agent came to, by its id; of those with a call below.

    Other spans that name the agent (a request, a call) hide none: they are no run of it.
    Calls that are an agent's own are in `own_cost` of one span at most.
    """
    runs = {span_id for span_id, call in rolled.forest.calls.items() if is_agents(call)}
    if not runs:
        return {}
    billed = {span_id: held.call for span_id, held in rolled.decisions.items() if held.billed}
    found = branches(rolled.forest, billed)
    spent: dict[bytes, Branch] = {}
    own: Counter[bytes] = Counter()
    for span_id, agent, around in _downwards(rolled.forest, rolled.identities, runs):
        if around.get(agent) == span_id:
            _add(spent.setdefault(span_id, Branch(span_id, b"")), span_id, billed, found)
        if span_id in billed and agent in around:
            own[around[agent]] += billed[span_id].charge.attos or 0
    return {
        span_id: AgentTotals(
            rolled.identities[span_id].agent,
            *(sum_.cost, own[span_id], sum_.calls, sum_.unpriced),
            *(sum_.input_tokens, sum_.output_tokens, grade),
        )
        for span_id, sum_ in spent.items()
        if sum_.calls
    }


def _add(
    sum_: Branch, span_id: bytes, billed: Mapping[bytes, LlmCall], found: Mapping[bytes, Branch]
) -> None:
    """The span, and everything below it."""
    if span_id in found:
        sum_.add(found[span_id])
    elif span_id in billed:
        sum_.bill(billed[span_id])


def _downwards(
    forest: Forest, identities: Mapping[bytes, Identity], counted: Container[bytes]
) -> Iterator[tuple[bytes, str, Mapping[str, bytes]]]:
    """Every record after those above it: its id, its agent, and who is around it.

    That is by agent the outermost of the spans in `counted` at or above it. It is good until the
    next one is asked for. Iterative, for deep chains.
    """
    below: dict[bytes, list[bytes]] = {}
    for span_id in reversed(forest.order):
        below.setdefault(forest.above[span_id], []).append(span_id)
    around: dict[str, bytes] = {}
    stack = [(span_id, True) for span_id, up in forest.above.items() if up not in forest.calls]
    while stack:
        span_id, enters = stack.pop()
        agent = identities[span_id].agent
        if not enters:
            del around[agent]
            continue
        if agent and span_id in counted and agent not in around:
            around[agent] = span_id
            stack.append((span_id, False))
        yield span_id, agent, around
        stack += [(child, True) for child in below.get(span_id, ())]


def coordinators(forest: Forest, identities: Mapping[bytes, Identity]) -> frozenset[str]:
    """The agents that have other agents below them. `identities`: as for `by_agent`."""
    found = set()
    for span_id, above in forest.above.items():
        if above in identities:
            agent = identities[above].agent
            if agent and agent != identities[span_id].agent:
                found.add(agent)
    return frozenset(found)
