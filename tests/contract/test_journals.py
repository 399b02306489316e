"""What every journal promises. A new implementation joins by adding itself to JOURNALS."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from costspan.clock import SystemClock
from costspan.errors import Draining, Full
from costspan.journal.disk import DiskJournal, DiskSettings
from costspan.journal.memory import MemoryJournal
from costspan.model import CALL_ROWS, LOGS, METRICS, OWN, SOLO, TRACES, Journal, ReaderSpec
from costspan.telemetry import Telemetry
from costspan.testing import frame

Make = Callable[..., Journal]
KIB = 1024


def memory(
    _: Path,
    readers: Sequence[ReaderSpec],
    max_bytes: int = 1 << 20,
    telemetry: Telemetry | None = None,
) -> Journal:
    return MemoryJournal(readers, max_bytes, telemetry or Telemetry(), SystemClock())


def disk(
    directory: Path,
    readers: Sequence[ReaderSpec],
    max_bytes: int = 1 << 20,
    telemetry: Telemetry | None = None,
) -> Journal:
    settings = DiskSettings(directory, max_size=max_bytes, fsync="off")
    return DiskJournal(readers, settings, telemetry or Telemetry(), SystemClock())


JOURNALS = [memory, disk]
ALL = frozenset({TRACES, METRICS, LOGS})
OTLP = ReaderSpec("otlp", ALL, "backpressure")
STORE = ReaderSpec("clickhouse", frozenset({TRACES}), "drop_oldest")


@pytest.fixture(params=JOURNALS, ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as ended:

        def made(*args: Any, **named: Any) -> Journal:
            journal: Journal = request.param(tmp_path, *args, **named)
            ended.callback(journal.end)
            return journal

        yield made


def test_frames_come_in_the_order_of_their_append_with_rising_seq(make: Make) -> None:
    journal = make([OTLP])
    last = journal.append([frame(b"a"), frame(b"b")])
    journal.append([frame(b"c")])

    frames = journal.read("otlp", KIB, 0)

    assert [f.body for f in frames] == [b"a", b"b", b"c"]
    assert [f.seq for f in frames] == [last - 1, last, last + 1]


def test_an_append_of_nothing_adds_nothing(make: Make) -> None:
    journal = make([OTLP])
    last = journal.append([frame(b"a")])

    assert journal.append([]) == last
    assert journal.backlog("otlp").frames == 1


def test_reading_does_not_move_the_cursor_and_a_commit_does(make: Make) -> None:
    journal = make([OTLP])
    journal.append([frame(b"a"), frame(b"b")])
    first = journal.read("otlp", KIB, 0)

    assert journal.read("otlp", KIB, 0) == first
    journal.commit("otlp", first[0].seq)
    assert [f.body for f in journal.read("otlp", KIB, 0)] == [b"b"]
    journal.commit("otlp", first[1].seq)
    assert journal.read("otlp", KIB, 0) == []


def test_a_reader_reads_on_behind_its_commit_whether_or_not_it_releases(make: Make) -> None:
    ledger = ReaderSpec("ledger", frozenset({TRACES}), "drop_oldest", counted=False, releases=True)
    journal = make([ledger])
    first = journal.append([frame(b"a")])
    second = journal.append([frame(b"b"), frame(b"l", signal=LOGS)])

    journal.commit("ledger", first)
    assert [f.body for f in journal.read("ledger", KIB, 0)] == [b"b"]
    assert (journal.backlog("ledger").frames, journal.backlog("ledger").cursor) == (1, first)
    journal.commit("ledger", second)
    journal.release("ledger", first)
    assert journal.read("ledger", KIB, 0) == []
    assert journal.backlog("ledger").frames == 0


def test_a_read_holds_at_least_one_frame_and_stops_before_the_limit(make: Make) -> None:
    journal = make([OTLP])
    journal.append([frame(b"x" * 100), frame(b"y" * 100), frame(b"z" * 100)])

    assert len(journal.read("otlp", 10, 0)) == 1
    assert len(journal.read("otlp", 200, 0)) == 2


def test_a_reader_pins_what_is_before_it_until_it_commits(make: Make) -> None:
    journal = make([OTLP, STORE])
    journal.append([frame(bytes(KIB))])
    journal.append([frame(bytes(KIB))])
    assert journal.newest == 2
    journal.commit("otlp", 1)
    assert journal.pinned("otlp") >= KIB
    journal.commit("otlp", 2)
    assert (journal.pinned("otlp"), journal.pinned("clickhouse") > 2 * KIB) == (0, True)


def test_each_reader_has_its_own_cursor(make: Make) -> None:
    journal = make([OTLP, STORE])
    seq = journal.append([frame(b"a")])
    journal.commit("otlp", seq)

    assert journal.read("otlp", KIB, 0) == []
    assert [f.body for f in journal.read("clickhouse", KIB, 0)] == [b"a"]


def test_a_reader_sees_only_the_signals_that_it_takes(make: Make) -> None:
    journal = make([OTLP, STORE])
    journal.append([frame(b"l", signal=LOGS), frame(b"t")])

    assert [f.body for f in journal.read("clickhouse", KIB, 0)] == [b"t"]


def test_back_pressure_refuses_all_of_an_append_and_says_when_to_come_back(make: Make) -> None:
    journal = make([OTLP, STORE], max_bytes=4 * KIB)
    journal.append([frame(b"x" * KIB)])

    with pytest.raises(Full) as refusal:
        journal.append([frame(b"y" * KIB), frame(b"z" * 2 * KIB)])

    assert refusal.value.after > 0
    assert [f.body[:1] for f in journal.read("clickhouse", 1 << 20, 0)] == [b"x"]


def test_what_would_not_be_appended_is_not_admitted_either(make: Make) -> None:
    journal = make([OTLP, STORE], max_bytes=4 * KIB)
    journal.admit(TRACES, 8 * KIB)  # empty: it takes any request
    journal.append([frame(b"x" * 3 * KIB)])

    journal.admit(CALL_ROWS, 8 * KIB)  # nobody with back pressure takes it
    with pytest.raises(Full):
        journal.admit(TRACES, KIB)
    journal.close()
    with pytest.raises(Draining):
        journal.admit(CALL_ROWS, 1)


def test_an_empty_journal_takes_a_request_above_its_limit(make: Make) -> None:
    journal = make([OTLP], max_bytes=KIB)

    journal.append([frame(b"x" * 8 * KIB)])

    assert journal.backlog("otlp").frames == 1


def test_a_reader_without_back_pressure_loses_its_oldest_and_only_its_own(make: Make) -> None:
    telemetry = Telemetry()
    journal = make([OTLP, STORE], max_bytes=8 * KIB, telemetry=telemetry)
    for n in range(100):
        seq = journal.append([frame(bytes([n]) * KIB, items=2)])
        journal.commit("otlp", seq)

    kept = journal.read("clickhouse", 1 << 20, 0)
    lost = telemetry.dropped.exact("clickhouse")

    assert kept[-1].body[0] == 99
    assert 0 < len(kept) < 100
    assert lost == journal.backlog("clickhouse").dropped_items == 200 - 2 * len(kept)
    assert telemetry.dropped.exact("otlp") == 0


def test_frames_in_the_hands_of_a_reader_are_never_dropped(make: Make) -> None:
    journal = make([STORE], max_bytes=4 * KIB)
    journal.append([frame(b"first" * 100)])
    held = journal.read("clickhouse", KIB, 0)
    for _ in range(20):
        journal.append([frame(b"x" * KIB)])

    assert journal.read("clickhouse", KIB, 0)[0] == held[0]


def test_accepted_is_sent_plus_dropped_plus_queued(make: Make) -> None:
    telemetry = Telemetry()
    journal = make([STORE], max_bytes=8 * KIB, telemetry=telemetry)
    sent = 0
    for n in range(50):
        journal.append([frame(b"x" * KIB, items=n)])
        if n % 10 == 0:
            taken = journal.read("clickhouse", 2 * KIB, 0)
            sent += sum(f.items for f in taken)
            journal.commit("clickhouse", taken[-1].seq)

    accepted = telemetry.exporter_accepted.exact("clickhouse")
    left = journal.backlog("clickhouse")

    assert accepted == sum(range(50))
    assert accepted == sent + left.dropped_items + left.items


def test_rows_that_we_made_ourselves_are_accounted_under_a_signal_of_their_own(make: Make) -> None:
    telemetry = Telemetry()
    rows = ReaderSpec("clickhouse", frozenset({TRACES, CALL_ROWS}), "drop_oldest")
    journal = make([rows], telemetry=telemetry)

    journal.append([frame(b"rows", items=3, signal=CALL_ROWS)._replace(flags=OWN)])

    assert telemetry.exporter_accepted.exact("clickhouse", CALL_ROWS) == 3
    assert telemetry.exporter_accepted.exact("clickhouse", TRACES) == 0


def test_a_waiting_reader_wakes_when_a_frame_arrives(make: Make) -> None:
    journal = make([OTLP])
    got: list[bytes] = []
    reader = threading.Thread(
        target=lambda: got.extend(f.body for f in journal.read("otlp", KIB, 30))
    )
    reader.start()
    journal.append([frame(b"a")])
    reader.join(5)

    assert got == [b"a"]


def test_close_wakes_readers_refuses_appends_and_keeps_what_is_there(make: Make) -> None:
    journal = make([OTLP])
    journal.append([frame(b"a")])
    journal.close()

    with pytest.raises(Draining):
        journal.append([frame(b"b")])
    assert [f.body for f in journal.read("otlp", KIB, 30)] == [b"a"]


def test_appends_from_many_threads_are_all_there_once(make: Make) -> None:
    journal = make([OTLP])

    def writer(n: int) -> None:
        for i in range(50):
            journal.append([frame(b"%d/%d" % (n, i)), frame(b"%d/%d+" % (n, i))])

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frames = journal.read("otlp", 1 << 20, 0)

    assert len({f.body for f in frames}) == len(frames) == 400
    assert [f.seq for f in frames] == sorted(f.seq for f in frames)
    pairs = zip(frames[::2], frames[1::2], strict=True)
    assert all(second.body == first.body + b"+" for first, second in pairs)


# --- what journals promise that outlive their process ---------------------------------------------


DURABLE = [disk]


class Lives:
    """One journal after the other in one place. `restart` ends it in order, `crash` does not."""

    def __init__(self, make: Callable[..., Journal], place: Path) -> None:
        self._make = make
        self._place = place
        self._crashes = 0
        self.telemetry = Telemetry()
        self._journal: Journal | None = None

    def start(self, readers: Sequence[ReaderSpec], **named: Any) -> Journal:
        self.telemetry = Telemetry()
        self._journal = self._make(self._place, readers, telemetry=self.telemetry, **named)
        return self._journal

    def stop(self) -> None:
        if self._journal is not None:
            self._journal.end()
            self._journal = None

    def restart(self, readers: Sequence[ReaderSpec], **named: Any) -> Journal:
        self.stop()
        return self.start(readers, **named)

    def crash(self, readers: Sequence[ReaderSpec], **named: Any) -> Journal:
        """What the kernel has when a process is killed: the files as they are at this moment."""
        self._crashes += 1
        left = self._place.with_name(f"crash-{self._crashes}")
        shutil.copytree(self._place, left)
        self.stop()
        self._place = left
        return self.start(readers, **named)


@pytest.fixture(params=DURABLE, ids=lambda make: make.__name__)
def lives(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lives]:
    lives = Lives(request.param, tmp_path / "journal")
    yield lives
    lives.stop()


def bodies(journal: Journal, reader: str = "otlp") -> list[bytes]:
    return [f.body for f in journal.read(reader, 1 << 20, 0)]


def test_what_was_acked_is_there_after_a_crash_as_it_was_and_in_order(lives: Lives) -> None:
    journal = lives.start([OTLP])
    sent = frame(b"a", calls=b"calls", items=3)._replace(flags=SOLO, metadata=(("tenant", "x"),))
    journal.append([sent, frame(b"b")])
    before = journal.read("otlp", KIB, 0)

    journal = lives.crash([OTLP])

    assert journal.read("otlp", KIB, 0) == before
    assert before[0] == sent._replace(seq=before[0].seq)


def test_each_reader_goes_on_where_it_had_committed(lives: Lives) -> None:
    journal = lives.start([OTLP, STORE])
    for body in (b"a", b"b", b"c"):
        journal.append([frame(body)])
    journal.commit("otlp", journal.read("otlp", 1, 0)[0].seq)

    journal = lives.crash([OTLP, STORE])

    assert bodies(journal) == [b"b", b"c"]
    assert bodies(journal, "clickhouse") == [b"a", b"b", b"c"]


def test_seqs_rise_and_the_identity_stays_across_restarts(lives: Lives) -> None:
    journal = lives.start([OTLP])
    identity, seqs = journal.identity, []
    for _ in range(3):
        seqs.append(journal.append([frame(b"x")]))
        journal.commit("otlp", seqs[-1])
        journal = lives.crash([OTLP])
        assert journal.identity == identity

    assert seqs == sorted(set(seqs))


def test_a_planned_round_comes_again_as_it_was_and_then_the_rest(lives: Lives) -> None:
    journal = lives.start([OTLP])
    for n in range(6):
        journal.append([frame(b"%d" % n * 100)])
    planned = journal.read("otlp", 300, 0)
    journal.plan("otlp", planned[-1].seq)

    journal = lives.crash([OTLP])

    assert journal.read("otlp", 1, 0) == planned
    assert journal.read("otlp", 1 << 20, 0) == planned
    journal.commit("otlp", planned[-1].seq)
    assert len(journal.read("otlp", 1 << 20, 0)) == 3


def test_a_reader_that_releases_reads_again_what_it_did_not_release(lives: Lives) -> None:
    ledger = ReaderSpec("ledger", frozenset({TRACES}), "drop_oldest", counted=False, releases=True)
    journal = lives.start([ledger])
    seqs = [journal.append([frame(b"%d" % n)]) for n in range(4)]
    journal.commit("ledger", seqs[2])
    journal.release("ledger", seqs[0])
    assert bodies(journal, "ledger") == [b"3"]

    journal = lives.crash([ledger])

    assert journal.backlog("ledger").cursor == seqs[0]
    assert bodies(journal, "ledger") == [b"1", b"2", b"3"]


def test_what_an_earlier_process_left_is_told_once_of_one_signal(lives: Lives) -> None:
    journal = lives.start([OTLP])
    for n in range(3):
        journal.append([frame(b"t%d" % n), frame(b"l%d" % n, signal=LOGS)])
    journal.commit("otlp", journal.read("otlp", 1, 0)[0].seq)

    journal = lives.crash([OTLP])
    journal.append([frame(b"new")])

    assert [f.body for f in journal.recovered(TRACES)] == [b"t0", b"t1", b"t2"]


def test_a_new_reader_sees_what_arrives_from_now_on(lives: Lives) -> None:
    lives.start([OTLP]).append([frame(b"old")])

    journal = lives.restart([OTLP, STORE])
    journal.append([frame(b"new")])

    assert bodies(journal, "clickhouse") == [b"new"]
    assert bodies(journal) == [b"old", b"new"]


def test_what_a_restart_finds_unsent_is_accepted_again(lives: Lives) -> None:
    journal = lives.start([OTLP])
    seqs = [journal.append([frame(b"x", items=n)]) for n in (1, 2, 3)]
    journal.commit("otlp", seqs[0])

    left = lives.crash([OTLP]).backlog("otlp")

    assert left.items == lives.telemetry.exporter_accepted.exact("otlp") == 5
    assert left.frames == 2


def test_after_its_end_a_journal_takes_nothing_and_loses_nothing(lives: Lives) -> None:
    journal = lives.start([OTLP])
    journal.append([frame(b"a")])

    assert bodies(lives.restart([OTLP])) == [b"a"]
    with pytest.raises(Draining):
        journal.append([frame(b"b")])
