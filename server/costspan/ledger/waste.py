"""What a trace need not have spent: calls that were tried again, prompts that grow. Pure.

These say what happened, and correct nothing: a failed attempt that was billed stays in every total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from costspan.ledger.branches import Branch
from costspan.ledger.likeness import tokens
from costspan.ledger.sums import model_of
from costspan.model import LEAF, Identity, LlmCall

_ERROR = 2  # Status.code of opentelemetry-proto
# A conversation grows with every turn; eight steps to four times its size is a loop that feeds
# itself, or a tool whose answers are kept whole.
_GROWING_CALLS, _GROWING_FACTOR = 8, 4


class Attempt(NamedTuple):
    """One model call of a trace, told of once: not a double, and no wrapper."""

    call: LlmCall
    span_id: bytes
    parent: bytes
    identity: Identity
    billed: bool


class Waste(NamedTuple):
    """Costs in attos."""

    retries: int  # attempts that failed and were made again
    retry_cost: int  # what those cost, with all that was billed below them
    growing: bool  # an agent's prompts grew strictly, call by call, beyond the limits


def waste(attempts: Sequence[Attempt], branches: Mapping[bytes, Branch]) -> Waste:
    """Look at the calls of one trace, in any order. `branches`: as in `branches.py`."""
    if len(attempts) < _GROWING_CALLS and all(one.call.status != _ERROR for one in attempts):
        return Waste(0, 0, growing=False)  # nearly always
    by_place: dict[tuple[bytes, str, str], list[Attempt]] = {}
    by_agent: dict[str, list[Attempt]] = {}
    for one in attempts:
        key = (one.parent, one.call.operation, model_of(one.call))
        by_place.setdefault(key, []).append(one)
        if one.call.role == LEAF:
            by_agent.setdefault(one.identity.agent, []).append(one)
    again = [one for group in by_place.values() for one in _tried_again(group)]
    return Waste(
        len(again),
        sum(_cost(one, branches) for one in again),
        any(_grows(group) for group in by_agent.values()),
    )


def _cost(one: Attempt, branches: Mapping[bytes, Branch]) -> int:
    if one.span_id in branches:
        return branches[one.span_id].cost
    return (one.call.charge.attos or 0) if one.billed else 0


def _tried_again(group: Sequence[Attempt]) -> list[Attempt]:
    """Those that failed before the same was begun again at the same place."""
    latest = max(one.call.start_ns for one in group)
    return [
        one
        for one in group
        if one.call.status == _ERROR and one.call.start_ns < latest and one.call.end_ns <= latest
    ]


def _grows(group: Sequence[Attempt]) -> bool:
    """Whether a run of calls, one after the other, has ever larger prompts."""
    if len(group) < _GROWING_CALLS:
        return False
    in_time = sorted(group, key=lambda one: (one.call.start_ns, one.span_id))
    first = last = length = 0
    for prompt, _ in (tokens(one.call) for one in in_time):
        if length and prompt > last:
            length += 1
        else:
            first, length = prompt, 1
        last = prompt
        if length >= _GROWING_CALLS and last >= _GROWING_FACTOR * max(first, 1):
            return True
    return False
