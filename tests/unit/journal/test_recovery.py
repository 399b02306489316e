"""What a start makes of the files it finds: damage, newer formats, lost cursors, who is gone."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from costspan.errors import StartError
from costspan.journal.disk import DiskJournal, DiskSettings
from costspan.model import LOGS, TRACES, ReaderSpec
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock, frame

KIB = 1 << 10
OTLP = ReaderSpec("otlp", frozenset({TRACES, LOGS}), "backpressure")
STORE = ReaderSpec("clickhouse", frozenset({TRACES}), "drop_oldest")
OTHER = ReaderSpec("otlphttp/other", frozenset({TRACES}), "drop_oldest")


class Place:
    """One directory, in which journals follow each other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.telemetry = Telemetry()
        self.clock = ManualClock()
        self.journal: DiskJournal | None = None

    def start(
        self,
        readers: Sequence[ReaderSpec] = (OTLP,),
        *,
        max_size: int = 1 << 20,
        max_age: float = 0.0,
        forget: tuple[str, ...] = (),
    ) -> DiskJournal:
        self.stop()
        self.telemetry = Telemetry()
        limits = DiskSettings(
            self.directory, max_size=max_size, max_age=max_age, fsync="off", forget=forget
        )
        self.journal = DiskJournal(readers, limits, self.telemetry, self.clock)
        return self.journal

    def stop(self) -> None:
        if self.journal is not None:
            self.journal.end()

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.directory.glob(pattern))

    def three_segments(self) -> None:
        """One frame each: b"0", b"1", b"2"."""
        for n in range(3):
            self.start().append([frame(b"%d" % n)])
        self.stop()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "journal")
    yield place
    place.stop()


def bodies(journal: DiskJournal, reader: str = "otlp") -> list[bytes]:
    return [f.body[:1] for f in journal.read(reader, 1 << 30, 0)]


def change(path: Path, at: int, byte: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(byte)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}


def test_nobody_else_can_read_the_prompts(place: Place) -> None:
    place.start().append([frame(b"prompt")])

    assert stat.S_IMODE(place.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.directory.iterdir()} == {0o600}


def test_a_second_journal_in_one_directory_is_refused_by_a_sentence(place: Place) -> None:
    place.start()
    limits = DiskSettings(place.directory)

    with pytest.raises(StartError, match=f"in use by process {os.getpid()}"):
        DiskJournal([OTLP], limits, Telemetry(), place.clock)


def test_a_directory_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match=r"file/journal can't be opened: .*Not a directory"):
        Place(tmp_path / "file/journal").start()


@pytest.mark.parametrize("what", ["segment", "register"])
def test_a_newer_format_is_refused_and_nothing_is_touched(place: Place, what: str) -> None:
    place.three_segments()
    if what == "segment":
        newer = bytearray(b"costspan" + (2).to_bytes(4, "little"))
        path = place.files("*.segment")[1]
        change(path, 0, bytes(newer) + crc(bytes(newer)))
    else:
        path = place.directory / "journal.json"
        path.write_text('{"format": 2, "what": "nobody knows"}')
    before = contents(place.directory)

    with pytest.raises(StartError, match=f"{path.name} has format 2, this version reads up to 1"):
        place.start()
    assert contents(place.directory) == before


def crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def test_a_segment_with_a_damaged_header_is_set_aside_whole(place: Place) -> None:
    place.three_segments()
    path = place.files("*.segment")[1]
    size = path.stat().st_size
    change(path, 30, b"?")

    journal = place.start()

    assert bodies(journal) == [b"0", b"2"]
    assert place.telemetry.journal_set_aside.exact() == size
    assert [path.stem for path in place.files("*.damaged")] == [path.stem]


def test_a_segment_of_another_journal_is_set_aside(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    other.start().append([frame(b"x")])
    other.stop()
    place.start().append([frame(b"0")])
    place.stop()
    stranger = other.files("*.segment")[0]
    (place.directory / "00000000000000000009.segment").write_bytes(stranger.read_bytes())

    assert bodies(place.start()) == [b"0"]
    assert place.telemetry.journal_set_aside.exact() == stranger.stat().st_size


def test_a_damaged_record_is_copied_beside_counted_and_stepped_over(place: Place) -> None:
    journal = place.start()
    for n in range(3):
        journal.append([frame(b"%d" % n * 100, items=5)])
    place.stop()
    path = place.files("*.segment")[0]
    record = path.read_bytes().index(b"1" * 100)
    change(path, record + 50, b"?")

    journal = place.start()

    assert bodies(journal) == [b"0", b"2"]
    assert place.telemetry.journal_corrupt.exact() == 1
    assert b"1" * 50 + b"?" in place.files("*.corrupt")[0].read_bytes()
    assert journal.backlog("otlp").items == 10


def test_damage_that_comes_while_it_runs_is_counted_as_dropped(place: Place) -> None:
    for n in range(2):
        place.start().append([frame(b"%d" % n * 100, items=5)])
    journal = place.start()
    path = place.files("*.segment")[0]
    change(path, path.read_bytes().index(b"0" * 100), b"?")

    assert bodies(journal) == [b"1"]
    assert place.telemetry.dropped.exact("otlp", TRACES, "journal_corrupt") == 5
    assert place.telemetry.journal_corrupt.exact() == 1
    assert journal.backlog("otlp").items == 5


def test_a_record_forged_in_a_prompt_is_not_taken_for_one_after_damage(place: Place) -> None:
    """A client that knows the format and the records of another journal."""
    journal = place.start()
    journal.append([frame(b"honest")])
    place.stop()
    forged = place.files("*.segment")[0].read_bytes()[48:]
    journal = place.start()
    journal.append([frame(b"prompt" + forged), frame(b"next")])
    place.stop()
    path = place.files("*.segment")[-1]
    change(path, 48, b"?")  # the head of the record that holds it: its end is unknown

    assert bodies(place.start()) == [b"h", b"n"]


def test_a_torn_tail_is_cut_off_once(place: Place) -> None:
    place.start().append([frame(b"0")])
    place.stop()
    with place.files("*.segment")[0].open("ab") as file:
        file.write(b"half a record")

    assert bodies(place.start()) == [b"0"]
    assert place.telemetry.journal_truncated.exact() == 13
    assert bodies(place.start()) == [b"0"]
    assert place.telemetry.journal_truncated.exact() == 0
    assert place.telemetry.journal_corrupt.exact() == 0


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_a_lost_cursor_starts_over_at_the_oldest_frame(place: Place, how: str) -> None:
    journal = place.start([OTLP, STORE])
    journal.commit("otlp", journal.append([frame(b"0")]))
    journal.append([frame(b"1")])
    place.stop()
    path = place.directory / "otlp.cursor"
    path.unlink() if how == "lost" else path.write_bytes(b"?" * 2000)

    assert bodies(place.start([OTLP, STORE])) == [b"0", b"1"]


def test_a_torn_cursor_only_repeats_the_last_round(place: Place) -> None:
    journal = place.start()
    for n in range(3):
        journal.append([frame(b"%d" % n)])
    seqs = [f.seq for f in journal.read("otlp", KIB, 0)]
    journal.commit("otlp", seqs[0])
    journal.commit("otlp", seqs[1])
    place.stop()
    slots = (place.directory / "otlp.cursor").read_bytes()
    newest = max((0, 512), key=lambda at: slots[at + 8 : at + 16])
    change(place.directory / "otlp.cursor", newest + 20, b"????")

    assert bodies(place.start()) == [b"1", b"2"]


def test_seqs_go_on_though_every_segment_was_removed(place: Place) -> None:
    journal = place.start()
    last = journal.append([frame(b"0")])
    journal.commit("otlp", last)
    place.stop()

    journal = place.start()

    assert place.files("*.segment") == []
    assert journal.append([frame(b"1")]) > last


def test_what_waits_for_a_destination_that_is_gone_is_held_until_it_is_forgotten(
    place: Place,
) -> None:
    journal = place.start([OTLP, OTHER])
    journal.commit("otlp", journal.append([frame(b"0", items=7)]))

    journal = place.start([OTLP])
    seq = journal.append([frame(b"1")])
    journal.commit("otlp", seq)
    assert "otlphttp/other is no longer configured, and 7 items" in journal.trouble()
    assert "journal.forget: [otlphttp/other]" in journal.trouble()

    journal = place.start([OTLP])  # what came meanwhile is not kept for it
    assert journal.backlog("otlp").items == 0
    assert "7 items" in journal.trouble()

    journal = place.start([OTLP, OTHER])
    assert journal.trouble() == ""
    assert bodies(journal, "otlphttp/other")[0] == b"0"

    place.start([OTLP])
    journal = place.start([OTLP], forget=("otlphttp/other",))
    assert journal.trouble() == ""
    assert place.files("otlphttp*") == []
    assert place.files("*.segment") == []


def test_a_destination_that_is_gone_does_not_fill_the_disk(place: Place) -> None:
    place.start([STORE, OTHER], max_size=16 * KIB).append([frame(b"0", items=7)])

    journal = place.start([STORE], max_size=16 * KIB)
    for _ in range(40):
        journal.append([frame(b"y" * KIB)])

    assert sum(path.stat().st_size for path in place.files("*.segment")) <= 16 * KIB
    assert place.telemetry.dropped.exact("otlphttp/other", TRACES, "journal_full") == 7
    assert journal.trouble() == ""


def test_what_is_too_old_is_lost_by_those_without_back_pressure(place: Place) -> None:
    journal = place.start([OTLP, STORE], max_age=100)
    now = place.clock.now()
    journal.append([frame(b"0", items=3)._replace(received_ns=now)])
    place.clock.advance(50)
    journal.append([frame(b"1")._replace(received_ns=place.clock.now())])
    place.clock.advance(80)

    assert bodies(journal, "clickhouse") == [b"1"]
    assert place.telemetry.dropped.exact("clickhouse", TRACES, "journal_age") == 3
    assert bodies(journal) == [b"0", b"1"]


def test_a_wall_clock_that_is_set_back_loses_nothing(place: Place) -> None:
    journal = place.start([STORE], max_age=100)
    journal.append([frame(b"0")._replace(received_ns=place.clock.now())])
    place.clock.advance(-10_000)
    journal.append([frame(b"1")._replace(received_ns=place.clock.now())])

    assert bodies(journal, "clickhouse") == [b"0", b"1"]
