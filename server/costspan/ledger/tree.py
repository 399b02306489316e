"""The roll-up of a trace along its tree: branches, agents, waste. Pure, and only for rows.

Apart from `rollup`, which every trace goes through: without a store nobody asks for this.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from costspan.ledger.agents import by_agent
from costspan.ledger.billing import NO_USAGE
from costspan.ledger.branches import Branch, branches
from costspan.ledger.rollup import Rollup
from costspan.ledger.sums import Placed, by_facet
from costspan.ledger.waste import Attempt, Waste, waste
from costspan.model import Tally


class Tree(NamedTuple):
    """What spans cost with all that is below them."""

    branches: dict[bytes, Branch]  # spans with billed calls below them, in preorder
    agents: dict[str, Branch]  # what each agent set off; these overlap
    waste: Waste
    facets: dict[str, dict[str, Tally]]  # workflow, tool, service, dimension.<name>


def grow(rolled: Rollup) -> Tree:
    """The tree of a roll-up."""
    held = {span_id: held for span_id, held in rolled.decisions.items() if held.billed}
    billed = {span_id: one.call for span_id, one in held.items()}
    found = branches(rolled.forest, billed)
    return Tree(
        found,
        by_agent(rolled.forest, billed, rolled.identities, found),
        waste(list(_attempts(rolled)), found),
        by_facet([Placed(one.call, one.identity, one.transaction) for one in held.values()]),
    )


def _attempts(rolled: Rollup) -> Iterator[Attempt]:
    links = rolled.forest.links
    for span_id, held in rolled.decisions.items():
        if held.billed or held.reason == NO_USAGE:
            yield Attempt(held.call, span_id, links[span_id], held.identity, held.billed)
