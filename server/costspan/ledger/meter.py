"""The money metrics: counted once per span on arrival, corrected by the roll-up. No state of spans.

Prometheus counters cannot fall, so what the roll-up takes back is counted in a counter of its own;
the difference is the sum of the trace totals, to the atto. Tokens, calls and durations have no such
twin: they say what arrived, and a covered or doubled call stays in them.
"""

from __future__ import annotations

from typing import NamedTuple

from costspan.ledger.billing import NO_USAGE
from costspan.ledger.sums import model_of
from costspan.model import ALREADY_METERED, LEAF, Charge, LlmCall
from costspan.telemetry import Counter, Labels, Telemetry

_ERROR = 2
_ESTIMATED, _PROVIDER_REPORTED = "estimated", "provider_reported"
_AGREEMENT = 100  # two costs agree if they differ by no more than this part of the reported one
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


class _Account:
    """What one (service, provider, model) adds up to between two flushes."""

    __slots__ = (
        "costs",
        "counted",
        "outcomes",
        "retracted",
        "saved",
        "seconds",
        "surcharged",
        "usage",
    )

    def __init__(self) -> None:
        self.counted: dict[str, int] = {}  # attos by token type
        self.retracted: dict[str, int] = {}
        self.saved = self.surcharged = 0
        self.usage: dict[str, int] = {}
        self.outcomes: dict[tuple[str, str], int] = {}  # (operation, ok or error) -> calls
        self.seconds: dict[str, list[float]] = {}  # by operation
        self.costs: list[int] = []

    def move(self, token_type: str, attos: int) -> None:
        """A counter cannot fall: what is negative goes to the other one."""
        sums = self.counted if attos > 0 else self.retracted
        if attos:
            sums[token_type] = sums.get(token_type, 0) + abs(attos)

    def publish(self, table: Telemetry, who: Labels) -> None:
        for token_type, attos in self.counted.items():
            table.cost.add(attos, *who, token_type)
        for token_type, attos in self.retracted.items():
            table.cost_retracted.add(attos, *who, token_type)
        if self.saved:
            table.cache_savings.add(self.saved, *who)
        if self.surcharged:
            table.cache_surcharge.add(self.surcharged, *who)
        for unit, quantity in self.usage.items():
            if unit == "reasoning":
                table.reasoning_tokens.add(quantity, *who)
            else:
                table.tokens.add(quantity, *who, unit)
        for outcome, calls in self.outcomes.items():
            table.calls.add(calls, *who, *outcome)
        service, _, model = who
        for operation, seconds in self.seconds.items():
            table.call_duration.observe_all(seconds, service, operation)
        if self.costs:
            table.call_cost.observe_all(self.costs, service, model)


class Meter:
    """Adds up in plain dicts; `flush` hands over, one addition per series and frame."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._accounts: dict[Labels, _Account] = {}
        self._sums: dict[Counter, dict[Labels, int]] = {}  # of everything that is rarer

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
        for key in call.unknown:
            self._add(table.unknown_gen_ai_keys, 1, key)
        if counts_on_arrival(call):
            self._bill(call)
        elif call.role == LEAF and call.billed_reason == NO_USAGE:
            self._call(
                call, self._account(call)
            )  # a failed one, mostly: it cost nothing that anybody knows

    def _bill(self, call: LlmCall) -> None:
        """A call that counts: its money, its usage, its duration."""
        account = self._account(call)
        self._call(call, account)
        _money(call, 1, account)
        if call.reported_cost or call.charge.status == _ESTIMATED:
            self._doubt(call)
        usage = account.usage
        for unit, quantity in (call.usage or {}).items():
            usage[unit] = usage.get(unit, 0) + quantity

    def _doubt(self, call: LlmCall) -> None:
        """What somebody else says that it cost, and what is no price of this model."""
        charge, table, who = call.charge, self._telemetry, _who(call)
        cost = charge.attos
        if cost is None:
            return
        if charge.status == _ESTIMATED:
            self._add(table.estimated_cost, cost, *who)
        if call.reported_cost and charge.status != _PROVIDER_REPORTED:
            theirs = int(call.reported_cost)
            difference = cost - theirs
            agrees = abs(difference) * _AGREEMENT <= theirs
            self._add(table.reported_calls, 1, *who, "agrees" if agrees else "differs")
            if difference:
                direction = "over" if difference > 0 else "under"
                self._add(table.reported_difference, abs(difference), *who, direction)

    def _call(self, call: LlmCall, account: _Account) -> None:
        failed = call.status == _ERROR
        outcome = (call.operation, "error" if failed else "ok")
        account.outcomes[outcome] = account.outcomes.get(outcome, 0) + 1
        seconds = max(0, call.end_ns - call.start_ns) / 1e9
        account.seconds.setdefault(call.operation, []).append(seconds)
        cost = call.charge.attos
        if cost is not None:
            account.costs.append(cost)
        elif call.billed or not failed:
            reason = call.charge.reason
            self._add(self._telemetry.unpriced_spans, 1, call.provider, model_of(call), reason)

    def change(self, call: LlmCall, *, billed: bool, again: bool) -> None:
        """The roll-up found otherwise. `again`: its usage was counted before, money alone moves."""
        if billed and not again:
            self._bill(call)
        else:
            _money(call, 1 if billed else -1, self._account(call))

    def replace(self, old: LlmCall, new: LlmCall) -> None:
        """A better copy of a span that was counted came: its money takes the other's place."""
        if _money_of(old) != _money_of(new):
            _money(old, -1, self._account(old))
            _money(new, 1, self._account(new))

    def duplicate(self) -> None:
        self._add(self._telemetry.duplicate_spans, 1)

    def announced(self, spans: int) -> None:
        """What was sent when spans began: it is in no sum."""
        self._add(self._telemetry.announced_spans, spans)

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
        accounts, self._accounts = self._accounts, {}
        for who, account in accounts.items():
            account.publish(self._telemetry, who)
        sums, self._sums = self._sums, {}
        for counter, series in sums.items():
            for labels, amount in series.items():
                counter.add(amount, *labels)

    def _account(self, call: LlmCall) -> _Account:
        who = _who(call)
        account = self._accounts.get(who)
        if account is None:
            account = self._accounts[who] = _Account()
        return account

    def _add(self, counter: Counter, amount: int, *labels: str) -> None:
        series = self._sums.setdefault(counter, {})
        series[labels] = series.get(labels, 0) + amount


def _money(call: LlmCall, sign: int, account: _Account) -> None:
    charge = call.charge
    if not charge.total:
        return
    rest = int(charge.total)
    for line in charge.lines:
        attos = int(line.usd)
        rest -= attos
        account.move(line.unit, sign * attos)
    if rest:
        account.move(_OTHER if charge.lines else _REPORTED, sign * rest)
    saved = sign * int(charge.savings or 0)
    if saved > 0:
        account.saved += saved
    else:
        account.surcharged -= saved


def _money_of(call: LlmCall) -> tuple[str, str, str, Charge]:
    return (*_who(call), call.charge)


def _who(call: LlmCall) -> tuple[str, str, str]:
    return call.service, call.provider, model_of(call)
