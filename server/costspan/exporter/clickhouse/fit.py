"""Records whose values no column holds are brought into range, each with a reason to count. Pure.

One absurd record must not fail the block that it is in. What is out of range is said and not bent:
an amount becomes unknown, a clock stands at the end of the calendar, a count at its limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from costspan.model import Charge, Line, LlmCall, Tally, TraceTotals
from costspan.wire.block import LAST_INSTANT
from costspan.wire.native import MAX_DECIMAL

MAX_COUNT = 2**64 - 1
_DIGITS = 38  # of Decimal(38, 18)

AMOUNT = "amount_out_of_range"
COUNT = "count_out_of_range"
FAR_CLOCK = "clock_beyond_2100"
REVERSED = "end_before_start"


def fit_calls(calls: Sequence[LlmCall]) -> tuple[list[LlmCall], Counter[str]]:
    """The calls as rows can show them, and how many were changed for each reason."""
    reasons: Counter[str] = Counter()
    fitted = []
    for call in calls:
        found = [] if _sound(call) else list(_faults_of_call(call))
        reasons.update(found)
        fitted.append(_fit_call(call, found) if found else call)
    return fitted, reasons


def _sound(call: LlmCall) -> bool:
    """Whether nothing of it can be out of range: nearly always so, and asked of every call."""
    charge = call.charge
    for line in charge.lines:
        if len(line.usd) > _DIGITS or len(line.usd_per_unit) > _DIGITS:
            return False
        if not 0 <= line.quantity <= MAX_COUNT:
            return False
    for number in (call.usage or {}).values():
        if not 0 <= number <= MAX_COUNT:
            return False
    amounts = (
        *(charge.total, charge.list_total, charge.savings),
        *(charge.effective_total, charge.showback_total, call.reported_cost),
    )
    return call.start_ns <= call.end_ns <= LAST_INSTANT and max(map(len, amounts)) <= _DIGITS


def _faults_of_call(call: LlmCall) -> Iterator[str]:
    if call.end_ns < call.start_ns:
        yield REVERSED
    if call.start_ns > LAST_INSTANT or call.end_ns > LAST_INSTANT:
        yield FAR_CLOCK
    charge = call.charge
    if _absurd(_amounts(charge)) or _absurd((call.reported_cost,)):
        yield AMOUNT
    usage = call.usage or {}
    if not _countable(usage.values()) or not _countable(line.quantity for line in charge.lines):
        yield COUNT


def _fit_call(call: LlmCall, reasons: Iterable[str]) -> LlmCall:
    """The end stays before the start, as it was told; the row's duration is 0 then."""
    if FAR_CLOCK in reasons:
        start, end = min(call.start_ns, LAST_INSTANT), min(call.end_ns, LAST_INSTANT)
        call = msgspec.structs.replace(call, start_ns=start, end_ns=end)
    if COUNT in reasons:
        usage = None if call.usage is None else _counts(call.usage)
        lines = [msgspec.structs.replace(x, quantity=_count(x.quantity)) for x in call.charge.lines]
        charge = msgspec.structs.replace(call.charge, lines=tuple(lines))
        call = msgspec.structs.replace(call, usage=usage, charge=charge)
    if AMOUNT in reasons:
        call = _without_amounts(call)
    return call


def _without_amounts(call: LlmCall) -> LlmCall:
    """An amount of 39 digits is no price: it is unknown, and the row says why."""
    changes: dict[str, object] = {"invalid": call.invalid or "an amount of more than 38 digits"}
    if _absurd((call.reported_cost,)):
        changes["reported_cost"] = ""
    if _absurd(_amounts(call.charge)):
        charge = call.charge
        changes["charge"] = Charge(
            status="invalid_usage",
            price_ref=charge.price_ref,
            priced_model=charge.priced_model,
            modifiers=charge.modifiers,
            assumed=charge.assumed,
        )
    return msgspec.structs.replace(call, **changes)


def _amounts(charge: Charge) -> Iterator[str]:
    yield charge.total
    yield charge.list_total
    yield charge.savings
    yield charge.effective_total
    yield charge.showback_total
    for line in charge.lines:
        yield from _line_amounts(line)


def _line_amounts(line: Line) -> tuple[str, str]:
    return line.usd_per_unit, line.usd


# --- totals --------------------------------------------------------------------------------------

_TOTAL_AMOUNTS = ("cost", "list_cost", "cache_savings", "error_cost", "effective_cost")


def fit_totals(totals: Sequence[TraceTotals]) -> tuple[list[TraceTotals], Counter[str]]:
    """The same for the totals of traces, whose sums can't be unknown: they stand at their limit."""
    reasons: Counter[str] = Counter()
    fitted = []
    for total in totals:
        found = list(_faults_of_total(total))
        reasons.update(found)
        fitted.append(_fit_total(total, found) if found else total)
    return fitted, reasons


def _faults_of_total(total: TraceTotals) -> Iterator[str]:
    if max(total.start_ns, total.end_ns, total.arrived_ns) > LAST_INSTANT:
        yield FAR_CLOCK
    tallies = [*total.by_model.values(), *total.by_agent.values()]
    own = [getattr(total, name) for name in _TOTAL_AMOUNTS]
    own += [one.cache_savings for one in total.transactions]  # of both signs: no part of a sum
    if _absurd(own) or _absurd(tally.cost for tally in tallies):
        yield AMOUNT
    usages = (total.usage, *(tally.usage for tally in tallies))
    if not all(_countable(usage.values()) for usage in usages):
        yield COUNT


def _fit_total(total: TraceTotals, reasons: Sequence[str]) -> TraceTotals:
    amounts = {name: _at_limit(getattr(total, name)) for name in _TOTAL_AMOUNTS}
    times = {
        name: min(getattr(total, name), LAST_INSTANT)
        for name in ("start_ns", "end_ns", "arrived_ns")
    }
    return msgspec.structs.replace(
        total,
        **amounts,
        **times,
        usage=_counts(total.usage),
        by_model={key: _fit_tally(tally) for key, tally in total.by_model.items()},
        by_agent={key: _fit_tally(tally) for key, tally in total.by_agent.items()},
        flags=(*total.flags, *reasons),
        # parts of sums that are at their limit would not add up to them
        by={},
        agents={},
        transactions=(),
        branches=(),
        retry_cost=_at_limit(total.retry_cost),
    )


def _fit_tally(tally: Tally) -> Tally:
    return Tally(_at_limit(tally.cost), _count(tally.calls), _counts(tally.usage))


# --- values --------------------------------------------------------------------------------------


def _absurd(amounts: Iterable[str]) -> bool:
    """Whether one has more digits than the column. Amounts are integers without leading zeros."""
    return any(len(text) > _DIGITS and len(text.lstrip("-")) > _DIGITS for text in amounts)


def _at_limit(amount: str) -> str:
    return str(max(-MAX_DECIMAL, min(int(amount), MAX_DECIMAL))) if amount else ""


def _countable(numbers: Iterable[int]) -> bool:
    return all(0 <= number <= MAX_COUNT for number in numbers)


def _count(number: int) -> int:
    return min(max(number, 0), MAX_COUNT)


def _counts(usage: Mapping[str, int]) -> dict[str, int]:
    return {bucket: _count(number) for bucket, number in usage.items()}
