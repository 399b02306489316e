"""Timers that count no more are thrown away, and what they named with them."""

from __future__ import annotations

import gc

from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.timers import Calendar
from costspan.ledger.trace import Trace
from costspan.telemetry import Telemetry
from ledger_samples import frame, heads, span

SECOND = 10**9


def trace(number: int) -> Trace:
    return Trace(number.to_bytes(16), 1, 0, 0, None)


def test_timers_that_count_stay_when_the_others_are_thrown_away() -> None:
    calendar = Calendar()
    gone = trace(9)
    for _ in range(3000):
        calendar.arm(gone, 5)
        calendar.disarm(gone)
    left = [trace(number) for number in range(2)]
    for each, at in zip(left, (9, 7), strict=True):
        calendar.arm(each, at)
    calendar.arm(left[0], 6)
    for _ in range(3000):
        calendar.arm(gone, 4)
        calendar.disarm(gone)
    assert [calendar.pop(9), calendar.pop(9), calendar.pop(9)] == [left[0], left[1], None]


def test_a_trace_that_was_evicted_is_not_held_until_its_timer_would_go_off() -> None:
    """Idle for 300 s, without a root: a thousand a second would be 300 000 of them."""
    ledger = TraceLedger(LedgerSettings(max_traces=10), "w", Telemetry())
    for number in range(1, 5000):
        one = [span(2, 1, trace=number.to_bytes(16))]
        ledger.add(frame(number, one), heads(one), number)
    held = sum(isinstance(each, Trace) for each in gc.get_objects())
    assert held < 2000
