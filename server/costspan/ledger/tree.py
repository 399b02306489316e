"""The roll-up of a trace along its tree: branches, agents, waste. Pure, and only for rows.

Apart from `rollup`, which every trace goes through: without a store nobody asks for this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from costspan.ledger.agents import by_agent, coordinators
from costspan.ledger.billing import NO_USAGE
from costspan.ledger.branches import Branch, branches, spent_below
from costspan.ledger.busy import Busy, busy
from costspan.ledger.forest import Forest
from costspan.ledger.loops import repeats
from costspan.ledger.rollup import Rollup
from costspan.ledger.sums import AGENT, Placed, by_facet
from costspan.ledger.waste import Attempt, Waste, waste
from costspan.model import LlmCall, Tally

_ERROR = 2  # Status.code of opentelemetry-proto


class Tree(NamedTuple):
    """What spans cost with all that is below them. Costs in attos."""

    branches: dict[bytes, Branch]  # spans with billed calls below them, in preorder
    agents: dict[str, Branch]  # what each agent set off; these overlap
    waste: Waste
    facets: dict[str, dict[str, Tally]]  # workflow, tool, service, dimension.<name>
    failed_cost: int  # at or below spans that ended in an error
    repeated_tools: int  # tool calls that repeat an earlier one of a loop
    repeated_tool_cost: int  # at or below those
    coordination_cost: int  # own cost of agents that have other agents below them
    busy: Busy  # the billed calls


def grow(rolled: Rollup) -> Tree:
    """The tree of a roll-up."""
    forest = rolled.forest
    held = {span_id: held for span_id, held in rolled.decisions.items() if held.billed}
    billed = {span_id: one.call for span_id, one in held.items()}
    found = branches(forest, billed)
    agents = by_agent(forest, billed, rolled.identities, found)
    again = repeats(forest, rolled.identities)
    return Tree(
        found,
        agents,
        waste(list(_attempts(rolled)), found),
        by_facet([Placed(one.call, one.identity, one.transaction) for one in held.values()]),
        _failed_cost(forest, billed, found),
        len(again),
        spent_below(again, forest, billed, found) if again else 0,
        _coordination_cost(rolled) if agents else 0,
        busy(billed.values()),
    )


def _attempts(rolled: Rollup) -> Iterator[Attempt]:
    links = rolled.forest.links
    for span_id, held in rolled.decisions.items():
        if held.billed or held.reason == NO_USAGE:
            yield Attempt(held.call, span_id, links[span_id], held.identity, held.billed)


def _failed_cost(
    forest: Forest, billed: Mapping[bytes, LlmCall], found: Mapping[bytes, Branch]
) -> int:
    if not forest.errors:
        return 0
    failed = {span_id for span_id, node in forest.nodes.items() if node[-1] == _ERROR}
    return spent_below(failed, forest, billed, found)


def _coordination_cost(rolled: Rollup) -> int:
    spent = rolled.by[AGENT]
    found = coordinators(rolled.forest, rolled.identities)
    return sum(spent[agent].cost for agent in found if agent in spent)
