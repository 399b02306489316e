"""Who loses what when room is short, and which files stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from costspan.errors import Full
from costspan.journal.disk import DiskJournal, DiskSettings
from costspan.journal.reader import Held, Position, Reader
from costspan.model import CALL_ROWS, HELD, LOGS, OWN, RELEASED, TRACES, ReaderSpec
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock, frame

KIB = 1 << 10
LIMIT = 16 * KIB  # so segments of 2 KiB: one frame of the size below fills one
BODY = b"x" * 2 * KIB
ROUND = 1 << 30
OTLP = ReaderSpec("otlp", frozenset({TRACES}), "backpressure")
STORE = ReaderSpec("clickhouse", frozenset({TRACES}), "drop_oldest")
LOGGER = ReaderSpec("otlp/logs", frozenset({LOGS}), "drop_oldest")
LEDGER = ReaderSpec("ledger", frozenset({TRACES}), "drop_oldest", counted=False, releases=True)


class Room:
    """A directory of 16 KiB, in which journals follow each other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.telemetry = Telemetry()
        self.journal: DiskJournal | None = None

    def start(self, *readers: ReaderSpec) -> DiskJournal:
        self.stop()
        self.telemetry = Telemetry()
        limits = DiskSettings(self.directory, max_size=LIMIT, fsync="off")
        self.journal = DiskJournal(readers, limits, self.telemetry, ManualClock())
        return self.journal

    def stop(self) -> None:
        if self.journal is not None:
            self.journal.end()

    def on_disk(self) -> int:
        return sum(path.stat().st_size for path in self.directory.glob("*.segment"))

    def segments(self) -> int:
        return len(list(self.directory.glob("*.segment")))

    def dropped(self, reader: str) -> int:
        return self.telemetry.dropped.exact(reader)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path / "journal")
    yield room
    room.stop()


def test_a_file_goes_when_the_last_reader_has_passed_it(room: Room) -> None:
    journal = room.start(OTLP, STORE)
    seqs = [journal.append([frame(BODY)]) for _ in range(4)]

    journal.commit("otlp", seqs[2])
    assert room.segments() == 4
    journal.commit("clickhouse", seqs[1])
    assert room.segments() == 2


def test_what_a_reader_did_not_release_stays_for_a_restart(room: Room) -> None:
    journal = room.start(LEDGER)
    seqs = [journal.append([frame(BODY)]) for _ in range(4)]
    journal.commit("ledger", seqs[3])
    assert room.segments() == 4

    journal.release("ledger", seqs[1])
    assert room.segments() == 2
    assert len(room.start(LEDGER).read("ledger", ROUND, 0)) == 2


def test_rows_after_what_was_released_are_there_at_the_start(room: Room) -> None:
    """The reader does not take them, and yet asks what of them an earlier process had written."""
    journal = room.start(LEDGER, OTLP)
    seq = journal.append([frame(BODY)])
    journal.append([frame(b"rows", signal=CALL_ROWS)._replace(flags=OWN)])
    journal.commit("ledger", seq)
    journal.release("ledger", seq)
    journal.commit("otlp", seq)

    journal = room.start(LEDGER, OTLP)

    assert [f.body for f in journal.recovered(CALL_ROWS)] == [b"rows"]


def test_what_only_a_restart_would_read_goes_first_and_is_no_loss(room: Room) -> None:
    journal = room.start(LEDGER, STORE)
    for _ in range(20):
        seq = journal.append([frame(BODY)])
        journal.commit("ledger", seq)
        journal.commit("clickhouse", seq)

    assert room.on_disk() <= LIMIT
    assert room.dropped("ledger") == room.dropped("clickhouse") == 0
    assert room.start(LEDGER, STORE).backlog("ledger").cursor > 0


def test_what_it_does_not_take_fills_no_disk_on_behalf_of_one_that_releases(room: Room) -> None:
    journal = room.start(LEDGER, LOGGER)
    journal.commit("ledger", journal.append([frame(BODY)]))
    for _ in range(20):
        journal.commit("otlp/logs", journal.append([frame(BODY, signal=LOGS)]))

    assert room.on_disk() <= LIMIT


def test_a_dead_reader_without_back_pressure_never_stops_the_others(room: Room) -> None:
    journal = room.start(OTLP, STORE)
    for _ in range(100):
        journal.admit(TRACES, len(BODY))
        journal.commit("otlp", journal.append([frame(BODY)]))

    assert room.on_disk() <= LIMIT
    assert room.dropped("clickhouse") + journal.backlog("clickhouse").items == 100


def test_the_limit_of_one_with_back_pressure_is_that_of_the_directory(room: Room) -> None:
    journal = room.start(OTLP, STORE)
    for _ in range(6):
        journal.commit("clickhouse", journal.append([frame(BODY)]))

    with pytest.raises(Full, match="the journal holds 16384"):
        journal.append([frame(BODY * 2)])
    assert room.on_disk() <= LIMIT
    journal.append([frame(BODY, signal=CALL_ROWS)._replace(flags=OWN)])  # rows tell of these spans


def test_a_round_in_hand_outlives_its_file_and_is_committed_once(room: Room) -> None:
    """The reader holds more than the limit leaves room for; the disk stays within it."""
    journal = room.start(OTLP, STORE)
    for n in range(6):
        journal.commit("otlp", journal.append([frame(b"%02d" % n + BODY, items=1)]))
    held = journal.read("clickhouse", ROUND, 0)
    for n in range(6, 30):
        journal.commit("otlp", journal.append([frame(b"%02d" % n + BODY, items=1)]))

    assert room.on_disk() <= LIMIT
    assert journal.read("clickhouse", len(BODY), 0)[0] == held[0]
    journal.commit("clickhouse", held[-1].seq)
    left = journal.backlog("clickhouse")
    assert len(held) + left.items + room.dropped("clickhouse") == 30
    rest = journal.read("clickhouse", ROUND, 0)
    assert sum(f.items for f in rest) == left.items
    assert rest[-1].body[:2] == b"29"


def test_what_is_dropped_while_it_is_being_read_is_not_delivered_too(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = room.start(OTLP, STORE)
    for n in range(6):
        journal.commit("otlp", journal.append([frame(b"%02d" % n + BODY)]))
    real = journal._read

    def slow_read(reader: Reader, at: Position, end: int, most: int) -> tuple[list[Held], int]:
        found = real(reader, at, end, most)
        monkeypatch.undo()
        for n in range(6, 30):
            journal.commit("otlp", journal.append([frame(b"%02d" % n + BODY)]))
        return found

    monkeypatch.setattr(journal, "_read", slow_read)
    got = journal.read("clickhouse", ROUND, 0)
    journal.commit("clickhouse", got[-1].seq)

    assert got[0].body[:2] > b"20"
    assert len(got) + room.dropped("clickhouse") == 30
    assert journal.backlog("clickhouse").items == 0


def test_a_rare_signal_in_hand_does_not_hold_the_files_between(room: Room) -> None:
    journal = room.start(OTLP, LOGGER)
    journal.append([frame(b"first", signal=LOGS)])
    for _ in range(40):
        journal.commit("otlp", journal.append([frame(BODY)]))
    journal.append([frame(b"last", signal=LOGS)])

    assert room.on_disk() <= 3 * (len(BODY) + KIB)
    assert [f.body for f in journal.read("otlp/logs", ROUND, 0)] == [b"first", b"last"]
    assert room.dropped("otlp/logs") == 0


def test_a_reader_that_lags_holds_little_and_gets_all(room: Room) -> None:
    journal = room.start(OTLP)
    for n in range(6):
        journal.append([frame(b"%02d" % n + BODY)])

    assert len(journal._present["otlp"].hand) == 1
    assert [f.body[:2] for f in journal.read("otlp", ROUND, 0)] == [b"%02d" % n for n in range(6)]


def test_what_a_reader_waits_for_finds_room_though_its_backlog_fills_the_journal(
    room: Room,
) -> None:
    """Rows have used up what is beyond the limit, too."""
    roots = ReaderSpec(
        "roots", frozenset({HELD}), "backpressure", counted=False, awaits=frozenset({RELEASED})
    )
    journal = room.start(OTLP, roots)
    for _ in range(3):
        journal.append([frame(BODY, signal=HELD)])
    large = frame(bytes(4 << 20), signal=CALL_ROWS)._replace(flags=OWN)
    for _ in range(4):
        with suppress(Full):
            journal.append([large])
    with pytest.raises(Full):
        journal.append([large])
    with pytest.raises(Full):
        journal.append([frame(BODY, signal=HELD)])
    journal.append([frame(bytes(4 << 20), signal=RELEASED)])
