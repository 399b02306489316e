"""The money metrics: counted once per span on arrival, corrected by the roll-up. No state of spans.

Prometheus counters cannot fall, so what the roll-up takes back is counted in a counter of its own;
the difference is the sum of the trace totals, to the atto. Tokens, calls and durations have no such
twin: they say what arrived, and a covered or doubled call stays in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from costspan.ledger.billing import NO_USAGE
from costspan.ledger.rollup import model_of
from costspan.model import ALREADY_METERED, LEAF, Charge, LlmCall
from costspan.telemetry import Counter, Labels, Telemetry

_ERROR = 2
_REPORTED, _OTHER = "reported", "other"  # token types of money that no line explains


def counts_on_arrival(call: LlmCall) -> bool:
    """True if the record is taken for billed before the rest of its trace is known."""
    return call.billed and call.role == LEAF


class Outcome(NamedTuple):
    """What the histograms say of a trace."""

    service: str
    cost: int  # attos
    calls: int
    seconds: float


class Meter:
    """Adds up in plain dicts; `flush` hands over, one addition per series and frame."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._sums: dict[Counter, dict[Labels, int]] = {}

    def arrive(self, call: LlmCall) -> None:
        """A usage-bearing span that was not seen before."""
        table = self._telemetry
        if call.role == ALREADY_METERED:
            self._add(table.already_metered_spans, 1, call.service)
        if call.invalid:
            self._add(table.invalid_usage_spans, 1, call.service, call.dialect)
        if call.role == LEAF:
            for attribute in call.missing:
                self._add(table.missing_attributes, 1, call.service, attribute)
        if counts_on_arrival(call):
            self._bill(call)
        elif call.role == LEAF and call.billed_reason == NO_USAGE:
            self._call(call)  # a failed one, mostly: it cost nothing that anybody knows

    def _bill(self, call: LlmCall) -> None:
        """A call that counts: its money, its usage, its duration."""
        self._call(call)
        self._money(call, 1)
        table = self._telemetry
        who = _who(call)
        for unit, quantity in (call.usage or {}).items():
            if unit == "reasoning":
                self._add(table.reasoning_tokens, quantity, *who)
            else:
                self._add(table.tokens, quantity, *who, unit)

    def _call(self, call: LlmCall) -> None:
        table = self._telemetry
        service, provider, model = _who(call)
        failed = call.status == _ERROR
        outcome = "error" if failed else "ok"
        self._add(table.calls, 1, service, provider, model, call.operation, outcome)
        seconds = max(0, call.end_ns - call.start_ns) / 1e9
        table.call_duration.observe(seconds, service, call.operation)
        cost = call.charge.attos
        if cost is not None:
            table.call_cost.observe(cost, service, model)
        elif call.billed or not failed:
            self._add(table.unpriced_spans, 1, provider, model, call.charge.reason)

    def change(self, call: LlmCall, *, billed: bool, again: bool) -> None:
        """The roll-up found otherwise. `again`: its usage was counted before, money alone moves."""
        if billed and not again:
            self._bill(call)
        else:
            self._money(call, 1 if billed else -1)

    def replace(self, old: LlmCall, new: LlmCall) -> None:
        """A better copy of a span that was counted came: its money takes the other's place."""
        if _money_of(old) != _money_of(new):
            self._money(old, -1)
            self._money(new, 1)

    def duplicate(self) -> None:
        self._add(self._telemetry.duplicate_spans, 1)

    def late(self, spans: int, kind: str) -> None:
        """Spans of a trace that was closed: `warm` amends it, `cold` starts a new generation."""
        self._add(self._telemetry.late_spans, spans, kind)

    def close(self, service: str, reason: str, grade: str) -> None:
        self._add(self._telemetry.traces, 1, service, reason, grade)

    def evict(self, reason: str) -> None:
        self._add(self._telemetry.evicted_traces, 1, reason)

    def settle(self, outcome: Outcome) -> None:
        """The last word on a trace: histograms cannot be taken back."""
        table = self._telemetry
        table.trace_cost.observe(outcome.cost, outcome.service)
        table.trace_calls.observe(outcome.calls, outcome.service)
        table.trace_duration.observe(outcome.seconds, outcome.service)

    def flush(self) -> None:
        """Publish what was added since the last flush."""
        sums, self._sums = self._sums, {}
        for counter, series in sums.items():
            for labels, amount in series.items():
                counter.add(amount, *labels)

    def _money(self, call: LlmCall, sign: int) -> None:
        table = self._telemetry
        who = _who(call)
        for token_type, attos in _parts(call):
            self._move(table.cost, table.cost_retracted, sign * attos, (*who, token_type))
        savings = int(call.charge.savings or 0)
        self._move(table.cache_savings, table.cache_surcharge, sign * savings, who)

    def _move(self, up: Counter, down: Counter, amount: int, labels: Labels) -> None:
        if amount:
            self._add(up if amount > 0 else down, abs(amount), *labels)

    def _add(self, counter: Counter, amount: int, *labels: str) -> None:
        series = self._sums.setdefault(counter, {})
        series[labels] = series.get(labels, 0) + amount


def _parts(call: LlmCall) -> Iterator[tuple[str, int]]:
    """The charge by unit; they add up to its total. Nothing if the total is unknown."""
    total = call.charge.attos
    if total is None:
        return
    for line in call.charge.lines:
        attos = int(line.usd)
        total -= attos
        yield line.unit, attos
    if total:
        yield (_REPORTED if not call.charge.lines else _OTHER), total


def _money_of(call: LlmCall) -> tuple[str, str, str, Charge]:
    return (*_who(call), call.charge)


def _who(call: LlmCall) -> tuple[str, str, str]:
    return call.service, call.provider, model_of(call)
