"""The cost that the emitter itself reports. Only dollars; theirs is evidence, ours is the price."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.dialect import table
from costspan.dialect.values import attos, text
from costspan.model import Value

# Our own names, when another wrote them: the same facts as in the conventions, other senders.
PRICE_REF = "window.financial.price_ref"
_TOTAL_EXACT = "window.financial.total_cost_exact"
_TOTAL = "window.financial.total_cost"
_DE_FACTO = "gen_ai.usage.cost"


def reported(said: Mapping[str, str], own: Mapping[str, Value]) -> str:
    """The reported cost as the decimal text of its 10^-18 USD, "" if none is stated.

    `own` are attributes with names that we write: without a price_ref they are somebody else's.
    """
    stated = attos(said.get(table.COST, ""))
    if not stated and said.get(table.COST_CURRENCY, "").upper() == "USD":
        stated = attos(said.get(table.COST_AMOUNT, ""))
    if stated or not own or PRICE_REF in own:
        return stated
    theirs = (attos(text(own.get(key))) for key in (_TOTAL_EXACT, _TOTAL, _DE_FACTO))
    return next((cost for cost in theirs if cost), "")
