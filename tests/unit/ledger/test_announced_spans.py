"""What is sent when a span begins: no span and no call, but the trace is not finished before it."""

from __future__ import annotations

import pytest

from costspan.ledger.checkpoint_state import Packing, Snapshot, unpack
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.published import Published
from costspan.model import PENDING, TraceTotals
from costspan.telemetry import Telemetry
from ledger_samples import SECOND, Span, frame, heads, record, span

ROOT, CALL, LATE = 1, 2, 3


def announcing(number: int, *, end: float = 0.0) -> Span:
    """What is sent when the span of this number begins."""
    made = record(role=PENDING)
    made.billed = False
    return span(100 + number, number, end=end, call=made)


class Bench:
    """A ledger and its rows; times in seconds."""

    def __init__(self) -> None:
        self.telemetry = Telemetry()
        self.ledger = TraceLedger(LedgerSettings(checkpoint=0), "w", self.telemetry)
        self.seq = 0

    def add(self, now: float, *spans: Span) -> None:
        self.seq += 1
        self.ledger.add(frame(self.seq, spans), heads(spans), round(now * SECOND))

    def expire(self, now: float) -> list[TraceTotals]:
        return [closing.totals for closing in self.ledger.expire(round(now * SECOND))]


@pytest.mark.parametrize(
    "arrivals",
    [
        [(announcing(CALL), span(CALL, ROOT, call=record()), span(ROOT))],
        [(announcing(ROOT), announcing(CALL)), (span(CALL, ROOT, call=record()), span(ROOT))],
        [(span(CALL, ROOT, call=record()), span(ROOT)), (announcing(CALL), announcing(ROOT))],
    ],
    ids=["together", "before", "after"],
)
def test_an_announcement_is_neither_a_span_nor_an_orphan_nor_a_call(
    arrivals: list[tuple[Span, ...]],
) -> None:
    bench = Bench()
    for spans in arrivals:
        bench.add(0, *spans)
    (row,) = bench.expire(6)
    assert (row.spans, row.llm_calls, row.cost, row.flags) == (2, 1, "200", ())
    assert row.grade == "verified"
    assert bench.telemetry.announced_spans.exact() == sum(
        one.call is not None and one.call.role == PENDING for spans in arrivals for one in spans
    )


def test_a_span_that_has_begun_is_waited_for_longer_while_there_is_no_root() -> None:
    """900 seconds after the last span in place of 300."""
    bench = Bench()
    bench.add(0, announcing(ROOT), announcing(CALL))
    bench.add(10, span(CALL, ROOT, call=record()))
    assert bench.expire(10 + 900 - 1e-9) == []
    (row,) = bench.expire(10 + 900)
    assert (row.reason, row.spans, row.flags) == ("idle_no_root", 1, ("orphans",))


def test_a_span_that_has_come_is_not_waited_for() -> None:
    bench = Bench()
    bench.add(0, announcing(CALL))
    bench.add(10, span(CALL, 99, call=record()))
    bench.add(20, announcing(CALL))  # sent again
    assert bench.expire(20 + 300 - 1e-9) == []
    assert [row.reason for row in bench.expire(20 + 300)] == ["idle_no_root"]


def test_a_trace_that_has_only_begun_is_remembered_until_its_first_call() -> None:
    """A call that takes longer than a trace without a root may be silent."""
    bench = Bench()
    bench.add(0, announcing(ROOT), announcing(CALL), span(LATE, CALL))
    assert bench.expire(600) == []
    bench.add(600, span(CALL, ROOT, call=record()), span(ROOT))
    (row,) = bench.expire(606)
    assert (row.spans, row.flags, row.grade) == (3, (), "verified")


def test_a_trace_is_not_verified_before_every_span_that_has_begun_has_come() -> None:
    """It was closed by its root; what outlives the root amends it."""
    bench = Bench()
    bench.add(0, announcing(LATE), span(CALL, ROOT, call=record()), span(ROOT))
    assert [row.grade for row in bench.expire(6)] == ["quiet"]
    bench.add(7, span(LATE, ROOT))
    assert [row.grade for row in bench.expire(12)] == ["verified"]


def test_it_is_known_after_a_restart_what_has_begun() -> None:
    bench = Bench()
    bench.add(0, announcing(ROOT))
    bench.add(10, span(CALL, ROOT, call=record()))
    packed = b"".join(Packing(Snapshot(bench.ledger.state(), [], []), 10 * SECOND, at_once=9))
    bench.ledger = TraceLedger(LedgerSettings(checkpoint=0), "w", Telemetry())
    bench.ledger.resume(unpack(memoryview(packed), 10 * SECOND).ledger, Published())
    assert bench.expire(10 + 900 - 1e-9) == []
    assert len(bench.expire(10 + 900)) == 1
