"""What a restarted ledger makes of the frames that an earlier process had read: the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from costspan.ledger.checkpoint import Checkpoints
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.reader import READER, LedgerReader
from costspan.model import (
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
from ledger_samples import Span, body_of, frame, record, span

LEDGER = ReaderSpec(READER, frozenset({TRACES}), "drop_oldest", counted=False, releases=True)
QUICK = LedgerSettings(root_grace=1.0, quiet=1.0, idle=2.0, late_window=1.0, amend_debounce=0.5)


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
        self.clock.advance(-86400)
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
