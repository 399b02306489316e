"""The cost that the emitter itself reports. Only dollars; theirs is evidence, ours is the price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costspan.dialect import table
from costspan.dialect.values import attos, is_zero, text
from costspan.model import Value

# Our own names, when another wrote them: the same facts as in the conventions, other senders.
PRICE_REF = "window.financial.price_ref"
_DOLLARS = "USD"


class _Source(NamedTuple):
    """Where a cost may stand, and where its unit does. Silence about the unit means `silent`."""

    amount: str
    currency: str
    silent: str


# The draft of the conventions (semantic-conventions-genai PR 443), which needs its currency.
_DRAFT = _Source("gen_ai.usage.cost.amount", "gen_ai.usage.cost.currency", silent="")
_SOURCES = (
    _DRAFT,
    _Source("window.financial.total_cost_exact", "window.financial.currency", silent=_DOLLARS),
    _Source("window.financial.total_cost", "window.financial.currency", silent=_DOLLARS),
    _Source("gen_ai.usage.cost", "gen_ai.usage.cost.currency", silent=_DOLLARS),
)

# Nobody can nest attributes under a name that holds a value, so these take the place of one that
# we write; a scan hands them over with our own.
NAMESPACE = frozenset({_DRAFT.amount, _DRAFT.currency, "gen_ai.usage.cost.source"})


def reported(said: Mapping[str, str], own: Mapping[str, Value]) -> str:
    """The reported cost as the decimal text of its 10^-18 USD, "" if none is stated.

    `own` are attributes with names that we write: without a price_ref they are somebody else's.
    """
    stated = attos(said.get(table.COST, ""))
    if stated or not own:
        return stated
    return next(filter(None, (attos(amount) for amount in _dollars(own))), "")


def reports_zero(said: Mapping[str, str], own: Mapping[str, Value]) -> bool:
    """Whether the emitter says that the call cost nothing, and says nothing else."""
    stated = [said[table.COST]] if table.COST in said else []
    stated += filter(None, _dollars(own))
    return bool(stated) and all(map(is_zero, stated))


def _dollars(own: Mapping[str, Value]) -> list[str]:
    """The amounts among our own names whose unit is the dollar, "" for one that is not there."""
    sources = (_DRAFT,) if PRICE_REF in own else _SOURCES
    return [
        text(own.get(source.amount))
        for source in sources
        if (text(own.get(source.currency)) or source.silent).upper() == _DOLLARS
    ]
