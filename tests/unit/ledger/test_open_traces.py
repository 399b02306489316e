"""What holds a trace open, and what is said of it meanwhile."""

from __future__ import annotations

import pytest

from costspan.ledger.alarms import Limits
from costspan.ledger.checkpoint_state import Packing, Snapshot, unpack
from costspan.ledger.ledger import Closing, LedgerSettings, TraceLedger
from costspan.ledger.published import Published
from costspan.model import TraceTotals
from costspan.telemetry import Telemetry
from ledger_samples import START, Span, frame, heads, record, span

SECOND = 1_000_000_000
LOCAL, REMOTE = 0x100, 0x300  # Span.flags: the parent is in the same process, in another one


class Bench:
    """A ledger, a clock in seconds and what came out."""

    def __init__(
        self, settings: LedgerSettings | None = None, *, rows: bool = True, most_calls: int = 0
    ) -> None:
        self.telemetry = Telemetry()
        self._settings = settings or LedgerSettings()
        self._rows, self._limits = rows, Limits(calls=most_calls, repeats=0, growth_calls=0)
        self.ledger = self._made()
        self.seq = 0

    def _made(self) -> TraceLedger:
        return TraceLedger(
            self._settings, "w", self.telemetry, rows=self._rows, limits=self._limits
        )

    def add(self, now: float, *spans: Span) -> None:
        self.seq += 1
        received = START + self.seq
        self.ledger.add(frame(self.seq, spans, received), heads(spans), round(now * SECOND))

    def expire(self, now: float) -> list[TraceTotals]:
        return [closing.totals for closing in self.closings(now)]

    def closings(self, now: float) -> list[Closing]:
        return self.ledger.expire(round(now * SECOND))

    def goes_out_at(self, now: float) -> TraceTotals:
        """The one row that goes out at `now` and not a nanosecond earlier."""
        assert self.expire(now - 1e-9) == []
        (totals,) = self.expire(now)
        return totals

    def restart(self, now: float, then: float) -> None:
        """Killed right after a checkpoint; the clock of the next process starts anew."""
        taken = Snapshot(self.ledger.state(), [], [])
        data = b"".join(Packing(taken, round(now * SECOND), at_once=100))
        self.ledger = self._made()
        found = unpack(memoryview(data), round(then * SECOND))
        self.ledger.resume(found.ledger, Published())


def flagged(one: Span, flags: int, kind: int = 1) -> Span:
    return one._replace(head=one.head._replace(flags=flags, kind=kind))


# --- parents that are missing --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "closed"), [(LOCAL, 30), (REMOTE, 6), (0, 6)], ids=["local", "remote", "unknown"]
)
def test_a_parent_that_must_come_from_the_same_process_is_waited_for(
    flags: int, closed: float
) -> None:
    bench = Bench()
    bench.add(0, flagged(span(1), LOCAL), flagged(span(3, 2, call=record()), flags))
    totals = bench.goes_out_at(closed)
    assert (totals.reason, totals.grade) == ("root_quiet", "quiet")


def test_the_trace_is_closed_as_ever_once_the_parent_is_there() -> None:
    bench = Bench()
    bench.add(0, flagged(span(1), LOCAL), flagged(span(3, 2, call=record()), LOCAL))
    assert bench.expire(10) == []
    bench.add(11, flagged(span(2, 1), LOCAL))
    totals = bench.goes_out_at(16)
    assert (totals.reason, totals.grade) == ("root_quiet", "verified")


def test_nobody_waits_for_a_parent_beyond_the_limit_of_the_root() -> None:
    bench = Bench()
    bench.add(0, flagged(span(1), LOCAL))
    bench.add(50, flagged(span(3, 2, call=record()), LOCAL))
    assert bench.goes_out_at(60).reason == "root_quiesce_max"


def test_a_parent_is_waited_for_no_shorter_than_any_other_span() -> None:
    bench = Bench(LedgerSettings(orphan_wait=1.0))
    bench.add(0, flagged(span(1), LOCAL), flagged(span(3, 2, call=record()), LOCAL))
    assert bench.goes_out_at(6).reason == "root_quiet"


# --- entry spans ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "kind"), [(REMOTE, 1), (0, 2), (0, 5)])
def test_under_the_local_policy_an_entry_span_ends_a_trace(flags: int, kind: int) -> None:
    """Its root is in another process, and never comes."""
    bench = Bench(LedgerSettings(local_roots=True))
    bench.add(0, span(2, 1, call=record()), flagged(span(1, 99), flags, kind))
    totals = bench.goes_out_at(6)
    assert (totals.reason, totals.grade) == ("local_root_quiet", "quiet")


def test_under_the_other_policy_the_root_is_waited_for() -> None:
    bench = Bench()
    bench.add(0, span(2, 1, call=record()), flagged(span(1, 99), REMOTE))
    bench.expire(60)
    assert bench.goes_out_at(300).reason == "idle_no_root"


def test_the_last_entry_span_counts_and_a_root_goes_before_it() -> None:
    bench = Bench(LedgerSettings(local_roots=True))
    bench.add(0, span(2, 1, call=record()), flagged(span(1, 99), REMOTE))
    bench.add(5, flagged(span(3, 99), REMOTE))
    assert bench.expire(10.9) == []
    bench.add(10.9, span(99))
    totals = bench.goes_out_at(16.9)
    assert (totals.reason, totals.grade) == ("root_quiet", "verified")


def test_what_comes_after_a_forgotten_entry_span_is_closed_soon() -> None:
    bench = Bench(LedgerSettings(local_roots=True))
    bench.add(0, span(2, 1, call=record()), flagged(span(1, 99), REMOTE))
    bench.expire(6)
    bench.expire(30)
    bench.add(40, span(4, 1, call=record()))
    assert bench.goes_out_at(46).reason == "late_fragment"


def test_an_entry_span_survives_a_restart() -> None:
    bench = Bench(LedgerSettings(local_roots=True))
    bench.add(0, span(2, 1, call=record()), flagged(span(1, 99), REMOTE))
    bench.restart(2, then=100)
    assert bench.goes_out_at(104).reason == "local_root_quiet"


# --- rows of open traces -------------------------------------------------------------------------


def test_an_open_trace_is_written_once_a_minute_while_calls_come() -> None:
    bench = Bench()
    bench.add(0, span(2, 1, call=record()))
    bench.add(30, span(3, 1, call=record()))
    first = bench.goes_out_at(60)
    assert (first.reason, first.grade, first.llm_calls) == ("checkpoint", "open", 2)
    assert bench.expire(150) == []  # nothing has changed
    bench.add(150, span(4, 1, call=record()))
    second = bench.goes_out_at(210)
    assert (second.reason, second.llm_calls) == ("checkpoint", 3)
    assert first.version < second.version


def test_the_close_says_what_it_says_without_a_row_before_it() -> None:
    """Row, corrections and counters: a row of the open trace has changed nothing else."""
    said = []
    for interval in (0.0, 60.0):
        bench = Bench(LedgerSettings(checkpoint=interval))
        bench.add(0, span(2, 1, call=record(50, 5)), span(3, 2, call=record(50, 5)))
        rows = bench.closings(100)
        assert [row.corrections for row in rows] == [[]] * bool(interval)
        bench.add(100, span(1))
        (closing,) = bench.closings(106)
        counted = [bench.telemetry.cost.exact(), bench.telemetry.cost_retracted.exact()]
        said.append((closing, counted, bench.telemetry.traces.exact()))
    assert said[0] == said[1]


def test_a_trace_that_ends_within_the_minute_has_one_row() -> None:
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record()))
    assert [row.reason for row in bench.expire(6) + bench.expire(70)] == ["root_quiet"]


def test_a_trace_that_ends_as_it_was_written_is_written_as_ended() -> None:
    bench = Bench()
    bench.add(0, span(2, 1, call=record()))
    assert bench.goes_out_at(60).reason == "checkpoint"
    assert bench.goes_out_at(300).reason == "idle_no_root"


def test_a_large_trace_is_written_less_often() -> None:
    """A roll-up of a thousand spans for every minute that passes between two."""
    bench = Bench()
    bench.add(0, *[span(number, 1, call=None) for number in range(10, 2010)])
    bench.add(0, span(2, 1, call=record()))
    assert bench.goes_out_at(180).reason == "checkpoint"


def test_without_usage_or_without_rows_an_open_trace_is_not_written() -> None:
    silent, unread = Bench(), Bench(rows=False)
    silent.add(0, span(2, 1))
    unread.add(0, span(2, 1, call=record()))
    assert silent.expire(200) == unread.expire(200) == []


def test_a_signal_brings_a_row_at_once() -> None:
    bench = Bench(most_calls=1)
    bench.add(0, span(2, 1, call=record()))
    bench.add(1, span(3, 1, call=record()))
    (row,) = bench.expire(1)
    assert (row.reason, row.llm_calls) == ("checkpoint", 2)


def test_after_a_restart_an_open_trace_is_written_when_it_would_have_been() -> None:
    bench = Bench()
    bench.add(0, span(2, 1, call=record()))
    bench.restart(20, then=1000)
    assert bench.goes_out_at(1040).reason == "checkpoint"
