"""Calls that do not say which model they asked, below a span that says it and adds them up.

Codex's answers have counts and no model; the turn around them has the model, and the sum of them.
The ledger never prices again, so the turn bills for its calls: their tokens at the right price,
counted as one call.
"""

from __future__ import annotations

from collections.abc import Iterable

from costspan.ledger.forest import Forest
from costspan.ledger.likeness import tokens
from costspan.model import AGGREGATE, LlmCall

_REACH = 64  # records between a call and the span that adds it up


def added_up(billed: Iterable[bytes], forest: Forest) -> dict[bytes, list[bytes]]:
    """Span with a price -> the calls without a model that it is the exact sum of.

    Only where nothing else below it is billed.
    """
    billed = list(billed)
    if all(name(forest.calls[one]) for one in billed):
        return {}
    groups: dict[bytes, list[bytes]] = {}
    for one in billed:
        above = _priced_above(one, forest)
        if above is not None:
            groups.setdefault(above, []).append(one)
    return {above: group for above, group in groups.items() if _is_sum(above, group, forest)}


def name(call: LlmCall) -> str:
    """The model that a record names, "" if none."""
    return call.response_model or call.request_model


def _priced_above(span_id: bytes, forest: Forest) -> bytes | None:
    """The nearest aggregate above that has a price."""
    above = forest.above[span_id]
    for _ in range(_REACH):
        if above not in forest.calls:
            return None
        call = forest.calls[above]
        if call.role == AGGREGATE and call.charge.attos is not None:
            return above
        above = forest.above[above]
    return None


def _is_sum(above: bytes, group: list[bytes], forest: Forest) -> bool:
    calls = [forest.calls[one] for one in group]
    if any(name(call) or call.charge.attos is not None for call in calls):
        return False
    spent = map(sum, zip(*map(tokens, calls), strict=True))
    return tokens(forest.calls[above]) == tuple(spent)
