"""What a restarted ledger makes of the frames that an earlier process had read: the same rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from costspan.ledger.checkpoint import Checkpoints
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.reader import READER, LedgerReader
from costspan.model import (
    AGGREGATE,
    CALL_ROWS,
    TRACE_TOTALS,
    TRACES,
    LlmCall,
    ReaderSpec,
    TraceTotals,
    decode_calls,
    decode_totals,
)
from costspan.telemetry import Telemetry
from costspan.testing import START, ManualClock
from durable_journal import DurableJournal
from ledger_samples import Span, body_of, frame, ident, record, span

LEDGER = ReaderSpec(READER, frozenset({TRACES}), "drop_oldest", counted=False, releases=True)
QUICK = LedgerSettings(root_grace=1.0, quiet=1.0, idle=2.0, late_window=2.0, amend_debounce=0.5)


class Line:
    """A journal on some disk, and one process after another in front of it."""

    def __init__(self, directory: Path, settings: LedgerSettings = QUICK) -> None:
        self.directory, self.settings = directory, settings
        self.clock = ManualClock(START)
        self.journal = DurableJournal([LEDGER])
        self.start()

    def start(self) -> None:
        self.telemetry = Telemetry()
        ledger = TraceLedger(self.settings, "w", self.telemetry)
        checkpoints = Checkpoints(self.directory, self.journal.identity, self.telemetry)
        self.reader = LedgerReader(self.journal, ledger, self.clock, self.telemetry, checkpoints)

    def kill(self) -> None:
        self.journal.restart()
        self.clock.advance(86400)
        self.start()

    def stop(self) -> None:
        self.reader.stop(self.clock.monotonic() + 10**9)
        self.kill()

    def send(self, *spans: Span) -> None:
        self.journal.append([frame(0, spans)._replace(body=body_of(spans))])

    def wait(self, *seconds: float) -> None:
        for pause in seconds:
            self.clock.advance(pause)
            self.reader.step()

    def rows(self) -> list[TraceTotals]:
        """In the order in which they were written."""
        frames = [one for one in self.journal.frames if one.signal == TRACE_TOTALS]
        return [row for one in frames for row in decode_totals(one.body)]

    def newest(self) -> dict[int, TraceTotals]:
        """Of each generation the row that stands."""
        return {row.generation: row for row in sorted(self.rows(), key=lambda row: row.version)}

    def corrections(self) -> list[LlmCall]:
        frames = [one for one in self.journal.frames if one.signal == CALL_ROWS]
        return [call for one in frames for call in decode_calls(one.body)]

    def cost(self) -> int:
        return sum(int(row.cost) for row in self.newest().values())


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path / "ledger")


def test_a_generation_that_has_a_row_begins_where_it_began(line: Line) -> None:
    """Closed, forgotten, begun anew, killed: the replay finds the trace open, and ends it there."""
    line.send(span(2, 99, call=record()))
    line.wait(0, 2, 2)
    line.send(span(3, 99, call=record()))
    line.wait(0, 2)
    first, second = line.rows()
    assert first.generation != second.generation
    line.kill()
    line.wait(0, 2, 2)
    assert line.cost() == 400
    assert sorted(line.newest()) == [first.generation, second.generation]


def test_spans_that_a_row_holds_go_into_no_other_though_a_limit_split_the_trace(
    tmp_path: Path,
) -> None:
    """Timers stand still in a replay, so the limit is reached sooner; what comes then is new."""
    line = Line(tmp_path, replace(QUICK, max_traces=2))
    trace = b"t" * 16
    line.send(*[span(n, 99, trace=b"v" * 16, call=record()) for n in range(1, 21)])
    line.wait(0, 2, 2)  # forgotten; in the replay it is still there
    line.send(*[span(n, 99, trace=trace, call=record()) for n in range(10, 40)])
    line.send(span(1, 99, trace=b"u" * 16, call=record()))
    line.send(span(9, 99, trace=trace, call=record()))
    line.wait(0, 2)
    assert line.cost() == 52 * 200
    line.kill()
    line.wait(0)
    assert line.telemetry.evicted_traces.exact("evict_count") == 2
    line.send(span(40, 99, trace=trace, call=record()), span(9, 99, trace=trace, call=record()))
    line.wait(0, 2, 2)
    assert line.cost() == 53 * 200


def test_a_correction_that_the_replay_would_not_make_is_taken_back(line: Line) -> None:
    """Alone, an agent's span bills; with its call it does not, which is what its row said first."""
    line.send(span(1, call=record(50, 5, role=AGGREGATE)))
    line.wait(0, 2)
    assert [call.billed for call in line.corrections()] == [True]
    line.send(span(2, 1, call=record(50, 5)))
    line.kill()
    line.wait(0, 2)
    told = [call for call in line.corrections() if call.span_id == ident(1)]
    assert [call.billed for call in told] == [True, False]
    assert told[1].version > told[0].version
    assert line.cost() == 100


def test_a_trace_that_is_open_goes_on_where_it_was_and_closes_soon(line: Line) -> None:
    """The time without a process does not pass; what was held back meanwhile still joins."""
    line.send(span(1), span(2, 1, call=record()))
    line.wait(0, 0.6)
    line.stop()
    assert [row.reason for row in line.rows()] == ["shutdown"]
    line.wait(0, 0.3)
    line.send(span(3, 1, call=record()))
    line.wait(0, 0.3, 1)
    assert [(row.reason, row.cost) for row in line.rows()] == [
        ("shutdown", "200"),
        ("root_quiet", "400"),
    ]
    assert len(line.newest()) == 1


def test_a_closed_trace_is_amended_after_a_restart_and_a_forgotten_one_is_remembered(
    line: Line,
) -> None:
    line.send(span(1), span(2, 1, call=record()))
    line.wait(0, 1)
    line.stop()
    line.send(span(3, 1, call=record()), span(2, 1, call=record()))
    line.wait(0, 0.5)
    assert [(row.reason, row.cost) for row in line.rows()][-1] == ("amend", "400")
    line.wait(5, 0)
    line.stop()
    line.send(span(2, 1, call=record()), span(3, 1, call=record()))
    line.wait(0, 5, 5)
    assert line.cost() == 400
    assert line.telemetry.duplicate_spans.exact() == 2


def test_what_a_restart_takes_back_was_counted_before_it(line: Line) -> None:
    """Counters begin at zero: increases add up over both lives."""
    line.send(span(1), span(2, 1, call=record(50, 5)))
    line.wait(0)
    assert line.telemetry.cost.exact() == 100
    line.reader.stop(line.clock.monotonic() + 1)
    before = line.telemetry
    line.kill()
    line.send(span(3, 2, call=record(50, 5)))  # the call itself: 2 was a framework around it
    line.wait(0, 2)
    after = line.telemetry
    assert after.cost_retracted.exact() == 100
    net = [each.cost.exact() - each.cost_retracted.exact() for each in (before, after)]
    assert sum(net) == line.cost() == 100


def test_replayed_spans_are_counted_as_such(line: Line) -> None:
    line.send(span(1), span(2, 1, call=record()))
    line.wait(0)
    line.kill()
    line.wait(0)
    line.send(span(3, 1))
    line.wait(0)
    assert line.telemetry.replayed_spans.exact() == 2


def test_rows_that_found_no_room_come_after_the_restart(line: Line) -> None:
    line.journal.full = True
    line.send(span(1), span(2, 1, call=record()))
    line.wait(0, 2)
    line.stop()
    assert line.rows() == []
    assert line.telemetry.dropped.exact() == 0
    line.journal.full = False
    line.wait(0)
    assert [row.cost for row in line.rows()] == ["200"]


def test_if_frames_are_lost_what_is_known_is_written_and_nothing_is_counted_twice(
    line: Line,
) -> None:
    """One trace had a row with what was lost, the other goes on; what else is older is forced."""
    written, open_ = b"a" * 16, b"b" * 16
    line.send(span(1, trace=written), span(2, 1, trace=written, call=record()))
    line.send(span(1, trace=open_), span(2, 1, trace=open_, call=record()))
    line.wait(0)
    line.stop()
    line.send(span(3, 1, trace=written, call=record()))
    line.wait(0, 2)
    assert line.cost() == 600
    line.journal.lose(READER, len(line.journal.frames))
    line.kill()
    line.send(span(3, 1, trace=open_, call=record()))
    line.send(span(1, trace=b"c" * 16), span(2, 1, trace=b"c" * 16, call=record()))
    later = [span(1, trace=b"d" * 16, start=1e6, end=2e6)]
    later.append(span(2, 1, trace=b"d" * 16, start=1e6, end=2e6, call=record()))
    line.send(*later)
    line.wait(0, 5, 5)
    assert line.cost() == 600 + 3 * 200
    grades = {row.trace_id[:1]: row.grade for row in line.rows()}
    assert grades == {b"a": "verified", b"b": "forced", b"c": "forced", b"d": "verified"}


@pytest.mark.parametrize("damaged", [1, 2])
def test_damaged_checkpoints_are_answered_by_the_journal(line: Line, damaged: int) -> None:
    """By the older one and the frames since; without either by the frames since the older one."""
    trace = [span(1, end=30)]
    for number in range(2, 7):
        trace.append(span(number, 1, end=20, call=record()))
        line.send(*trace)
        line.wait(0, 11)
    files = sorted(line.directory.glob("checkpoint-*"))
    assert len(files) == 2
    for each in files[-damaged:]:
        each.write_bytes(each.read_bytes()[:-1])
    before = line.cost()
    line.kill()
    line.wait(0, 5, 5)
    assert line.cost() == before == 5 * 200
    assert line.telemetry.checkpoints.exact("damaged") == damaged
