"""The ledger before the real disk journal: what is read again, and what may be let go."""

from __future__ import annotations

from pathlib import Path

from costspan.journal.disk import DiskJournal, DiskSettings
from costspan.ledger.checkpoint import Checkpoints
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.reader import READER, LedgerReader
from costspan.model import TRACE_TOTALS, TRACES, ReaderSpec, decode_totals
from costspan.telemetry import Telemetry
from costspan.testing import START, ManualClock
from ledger_samples import Span, body_of, frame, record, span

LEDGER = ReaderSpec(READER, frozenset({TRACES}), "drop_oldest", counted=False, releases=True)
BALLAST = b"\x7a\xa0\x8d\x06" + bytes(100_000)  # a field that nobody knows
ROWS = ReaderSpec("store", frozenset({TRACE_TOTALS}), "drop_oldest")


class Life:
    """One process on a directory."""

    def __init__(self, directory: Path, clock: ManualClock, max_size: int = 1 << 26) -> None:
        self.telemetry, self.clock = Telemetry(), clock
        settings = DiskSettings(directory, max_size=max_size, fsync="off")
        self.journal = DiskJournal([LEDGER, ROWS], settings, self.telemetry, clock)
        ledger = TraceLedger(LedgerSettings(), "w", self.telemetry)
        checkpoints = Checkpoints(directory / "ledger", self.journal.identity, self.telemetry)
        self.reader = LedgerReader(self.journal, ledger, clock, self.telemetry, checkpoints)

    def send(self, *spans: Span, ballast: bytes = b"") -> None:
        body = body_of(spans) + ballast
        self.journal.append([frame(0, spans)._replace(body=body)])

    def wait(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.reader.step()

    def kill(self) -> None:
        """It writes nothing any more; the kernel unlocks the directory."""
        self.journal.end()

    def rows(self) -> list[tuple[int, str, int]]:
        """(generation, cost, version) of what the store has not been given yet, in order."""
        rows = []
        while frames := self.journal.read(ROWS.name, 1 << 20, 0):
            rows += [row for one in frames for row in decode_totals(one.body)]
            self.journal.commit(ROWS.name, frames[-1].seq)
        return [(row.generation, row.cost, row.version) for row in rows]


def test_open_traces_come_from_the_checkpoint_and_the_frames_behind_it(tmp_path: Path) -> None:
    clock = ManualClock(START)
    first = Life(tmp_path, clock)
    first.send(span(2, 1, call=record()))
    first.wait(10)  # a checkpoint
    first.send(span(3, 1, call=record()))
    first.wait()
    first.kill()
    second = Life(tmp_path, clock)
    second.send(span(1))
    second.wait()
    second.wait(6)
    assert second.telemetry.replayed_spans.exact() == 2  # nothing was released yet
    assert second.rows() == [(1, "400", 3 * 8 + 2)]
    second.kill()


def test_what_the_older_checkpoint_holds_is_not_read_again(tmp_path: Path) -> None:
    clock = ManualClock(START)
    first = Life(tmp_path, clock)
    for number in range(2, 5):
        first.send(span(number, 1, call=record()))
        first.wait(10)
    first.kill()
    second = Life(tmp_path, clock)
    assert (second.journal.backlog(READER).cursor, second.journal.backlog(READER).frames) == (2, 1)
    second.send(span(1))
    second.wait()
    second.wait(6)
    assert second.rows() == [(1, "600", 4 * 8 + 2)]
    second.kill()


def test_a_full_journal_lets_go_of_what_the_ledger_has_read_and_its_rows_stay_right(
    tmp_path: Path,
) -> None:
    """Without a crash nothing is lost by it; after one, what was known is written as it was."""
    clock = ManualClock(START)
    first = Life(tmp_path, clock, max_size=1 << 20)
    first.send(span(2, 1, call=record()))
    first.wait(10)
    first.send(span(3, 1, call=record()))
    for _ in range(30):
        first.send(span(1, 9, trace=b"x" * 16), ballast=BALLAST)
        first.wait()
    assert first.telemetry.dropped.exact(READER) == 0
    first.kill()
    second = Life(tmp_path, clock, max_size=1 << 20)
    assert second.journal.backlog(READER).cursor > 2
    second.wait()
    second.wait(1)
    assert second.rows() == [(1, "200", 1 * 8 + 2)]
    second.kill()
