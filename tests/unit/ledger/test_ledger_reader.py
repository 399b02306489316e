"""The ledger's thread between the journal's two ends, driven by hand and by itself."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from costspan.clock import Clock
from costspan.errors import Full
from costspan.journal.memory import DROP_OLDEST, MemoryJournal
from costspan.ledger.ledger import Closing, LedgerSettings, TraceLedger
from costspan.ledger.outbox import Outbox
from costspan.ledger.reader import READER, LedgerReader
from costspan.ledger.rollup import rollup
from costspan.ledger.snapshot import Stamp
from costspan.ledger.snapshot import totals as row_of
from costspan.model import (
    CALL_ROWS,
    OWN,
    SOLO,
    TRACE_TOTALS,
    TRACES,
    Frame,
    ReaderSpec,
    TraceTotals,
    decode_calls,
    decode_totals,
    encode_calls,
)
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock, request, span
from ledger_samples import START, body_of, record
from ledger_samples import frame as ledger_frame
from ledger_samples import span as sample

ROWS = ReaderSpec("store", frozenset({CALL_ROWS, TRACE_TOTALS}), DROP_OLDEST)
CHILD, PARENT = b"\x00" * 7 + b"\x02", b"\x00" * 7 + b"\x01"


class WatchedJournal(MemoryJournal):
    """Says when the ledger has committed a frame."""

    def __init__(self, readers: Sequence[ReaderSpec], telemetry: Telemetry, clock: Clock) -> None:
        super().__init__(readers, 1 << 20, telemetry, clock)
        self.read_to_the_end = threading.Event()

    def commit(self, reader: str, seq: int) -> None:
        super().commit(reader, seq)
        self.read_to_the_end.set()


class Line:
    """A journal, the ledger behind it, and a reader of what the ledger writes."""

    def __init__(self, *, rows: bool = True) -> None:
        self.telemetry, self.clock = Telemetry(), ManualClock(START)
        readers = [ReaderSpec(READER, frozenset({TRACES}), DROP_OLDEST, counted=False), ROWS]
        self.journal = WatchedJournal(readers, self.telemetry, self.clock)
        ledger = TraceLedger(LedgerSettings(), "w", self.telemetry, rows=rows)
        self.reader = LedgerReader(self.journal, ledger, self.clock, self.telemetry)

    def call(self, *, flags: int = 0, body: bytes | None = None, agent: str = "") -> None:
        """Append a trace of a root and one call."""
        spans = [span(span_id=PARENT), span(span_id=CHILD, parent_span_id=PARENT)]
        record_ = sample(2, 1, call=record(agent=agent)).call
        calls = encode_calls([record_]) if record_ else b""
        frame = Frame(0, self.clock.now(), TRACES, flags, (), body or request(*spans), calls, 2)
        self.journal.append([frame])

    def rows(self) -> list[Frame]:
        return self.journal.read(ROWS.name, 1 << 20, 0)


def totals(frames: Sequence[Frame]) -> list[TraceTotals]:
    return [row for one in frames if one.signal == TRACE_TOTALS for row in decode_totals(one.body)]


def test_a_closed_trace_comes_back_as_a_frame_of_our_own() -> None:
    line = Line()
    line.call()
    assert line.reader.step()
    assert line.rows() == []
    line.clock.advance(6)
    line.reader.step()
    (frame,) = line.rows()
    assert (frame.flags, frame.items, frame.received_ns) == (OWN, 1, START + 6_000_000_000)
    (row,) = totals([frame])
    assert (row.cost, row.reason, row.spans, row.arrived_ns) == ("200", "root_quiet", 2, START)


def test_timers_are_looked_at_ten_times_a_second() -> None:
    """What falls due in between waits for the next look, so that it leaves together."""
    line = Line()
    line.call()
    line.reader.step()
    line.clock.advance(5.95)
    line.reader.step()  # a look: nothing is due
    line.clock.advance(0.05)
    line.reader.step()
    assert line.rows() == []
    line.clock.advance(0.05)
    line.reader.step()
    (row,) = totals(line.rows())
    assert row.reason == "root_quiet"


def test_the_cursor_moves_though_the_trace_is_open() -> None:
    line = Line()
    line.call()
    line.reader.step()
    assert line.journal.backlog(READER).frames == 0


def test_corrections_come_before_the_totals_that_rest_on_them() -> None:
    line = Line()
    witness = record(None, role="witness", agent="planner")
    calls = [one.call for one in (sample(1, call=witness), sample(2, 1, call=record()))]
    body = request(span(span_id=PARENT), span(span_id=CHILD, parent_span_id=PARENT))
    encoded = encode_calls([call for call in calls if call])
    line.journal.append([Frame(0, START, TRACES, 0, (), body, encoded, 2)])
    line.reader.step()
    line.clock.advance(6)
    line.reader.step()
    rows = line.rows()
    assert [frame.signal for frame in rows] == [CALL_ROWS, TRACE_TOTALS]
    (fixed,) = decode_calls(rows[0].body)
    assert (fixed.identity.agent, fixed.version > 1) == ("planner", True)


@pytest.mark.parametrize("flags", [OWN, SOLO])
def test_frames_that_nobody_may_open_are_skipped(flags: int) -> None:
    line = Line()
    line.call(flags=flags, body=b"\xff")
    line.reader.step()
    assert line.telemetry.intake_errors.exact() == 0
    assert line.telemetry.calls.exact() == 0


def test_a_frame_that_cannot_be_read_is_counted_and_the_next_is_read() -> None:
    line = Line()
    line.call(body=b"\xff\xff")
    line.call()
    line.reader.step()
    assert line.telemetry.intake_errors.exact("ledger") == 1
    assert line.telemetry.calls.exact() == 1


def test_without_rows_the_metrics_are_kept_and_no_row_is_written() -> None:
    line = Line(rows=False)
    line.call()
    line.reader.step()
    line.reader.stop(line.clock.monotonic() + 1)
    assert line.rows() == []
    assert line.telemetry.traces.exact("app", "shutdown", "forced") == 1


def test_a_stop_reads_what_is_left_and_closes_every_trace() -> None:
    line = Line()
    line.reader.start()
    line.call()
    line.reader.stop(line.clock.monotonic() + 10**10)
    (row,) = totals(line.rows())
    assert (row.reason, row.llm_calls) == ("shutdown", 1)


def test_the_thread_reads_by_itself() -> None:
    line = Line()
    line.reader.start()
    line.call()
    assert line.journal.read_to_the_end.wait(5)
    line.reader.stop(line.clock.monotonic() + 10**10)
    assert len(totals(line.rows())) == 1


class Closed:
    """A journal without room until it is opened."""

    def __init__(self) -> None:
        self.room = False
        self.frames: list[Frame] = []

    def append(self, frames: Sequence[Frame]) -> int:
        if not self.room:
            raise Full("no room")
        self.frames += frames
        return len(self.frames)


def closing(trace_id: bytes, version: int) -> Closing:
    """A row of a trace without corrections."""
    stamp = Stamp(trace_id, "w", 1, version, "root_quiet", "quiet", START)
    return Closing(row_of(rollup([], []), stamp), [])


def test_rows_wait_for_room_and_only_the_newest_version_goes() -> None:
    telemetry, journal = Telemetry(), Closed()
    outbox = Outbox(journal, telemetry)
    outbox.put([closing(b"a" * 16, 1), closing(b"a" * 16, 2), closing(b"b" * 16, 1)])
    assert not outbox.send(START)
    assert len(outbox) == 2
    journal.room = True
    assert outbox.send(START)
    assert [(row.trace_id[:1], row.version) for row in totals(journal.frames)] == [
        (b"a", 2),
        (b"b", 1),
    ]


def test_rows_that_find_no_room_are_bounded_and_counted() -> None:
    telemetry = Telemetry()
    outbox = Outbox(Closed(), telemetry, max_rows=2)
    outbox.put([closing(bytes([number]) * 16, 1) for number in range(5)])
    assert len(outbox) == 2
    assert telemetry.dropped.exact("ledger", TRACE_TOTALS, "journal_full") == 3
    assert outbox.give_up() == 2
    assert telemetry.dropped.exact("ledger", TRACE_TOTALS, "shutdown") == 2


def test_timers_that_go_off_together_leave_turns_for_what_arrives() -> None:
    """A roll-up each: a turn that took them all would keep signals waiting."""
    line = Line()
    for number in range(1, 201):
        trace = number.to_bytes(16)
        made = [sample(1, trace=trace), sample(2, 1, trace=trace, call=record())]
        line.journal.append([ledger_frame(0, made)._replace(body=body_of(made))])
        line.reader.step()
    line.clock.advance(6)
    written = []
    for _ in range(5):
        line.reader.step()
        written.append(len(totals(line.rows())))
    assert 0 < written[0] < 100
    assert written[-1] == 200
