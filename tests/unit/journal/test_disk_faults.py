"""The disk journal when the disk is full or fails: clients come back, readers go on, it recovers.

The failures are real: a full tmpfs, a descriptor that can't be made durable, a file size limit.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from costspan.errors import Retryable, Unwritable
from costspan.journal.disk import DiskJournal, DiskSettings
from costspan.model import TRACES, ReaderSpec
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock, frame

KIB, MIB = 1 << 10, 1 << 20
OTLP = ReaderSpec("otlp", frozenset({TRACES}), "backpressure")
LARGE = b"x" * 200 * KIB


class Bench:
    """A journal and what it counts."""

    def __init__(self, directory: Path, fsync: str = "group") -> None:
        self.telemetry = Telemetry()
        self.clock = ManualClock()
        limits = DiskSettings(directory, segment_size=MIB, fsync=fsync)
        self.journal = DiskJournal([OTLP], limits, self.telemetry, self.clock)

    def failures(self, reason: str) -> int:
        return self.telemetry.journal_append_failures.exact(reason)

    def bodies(self) -> list[bytes]:
        return [f.body[:4] for f in self.journal.read("otlp", 1 << 30, 0)]

    def break_the_file(self) -> None:
        """Put a device in the place of the file: it takes bytes, and can't be made durable."""
        file = self.journal._writer._file
        assert file is not None
        device = os.open("/dev/null", os.O_WRONLY)
        os.dup2(device, file._fd)
        os.close(device)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "journal")
    yield bench
    bench.journal.end()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603
        pytest.skip("may not mount a file system here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607


def fill(journal: DiskJournal) -> int:
    """Append until it is refused; return how many were taken."""
    for n in range(100):
        try:
            journal.append([frame(b"%04d" % n + LARGE)])
        except Retryable:
            return n
    raise AssertionError("the disk never got full")


def test_a_full_disk_asks_clients_back_and_works_again_when_it_has_room(tiny_disk: Path) -> None:
    bench = Bench(tiny_disk / "journal")
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * 300 * KIB)
    taken = fill(bench.journal)

    assert "can't be written: No space left on device" in bench.journal.trouble()
    assert bench.failures("no_space") == 1
    with pytest.raises(Unwritable) as refusal:
        bench.journal.admit(TRACES, 1)
    assert refusal.value.after > 0
    assert bench.bodies() == [b"%04d" % n for n in range(taken)]

    ballast.unlink()
    bench.journal.append([frame(b"late")])

    assert bench.journal.trouble() == ""
    bench.journal.admit(TRACES, 1)
    assert bench.bodies() == [*(b"%04d" % n for n in range(taken)), b"late"]
    bench.journal.end()


def test_on_a_full_disk_readers_commit_and_so_make_room(tiny_disk: Path) -> None:
    bench = Bench(tiny_disk / "journal")
    fill(bench.journal)
    seqs = [f.seq for f in bench.journal.read("otlp", 1 << 30, 0)]

    bench.journal.commit("otlp", seqs[-1])

    assert bench.telemetry.journal_cursor_failures.exact() == 0
    bench.journal.append([frame(b"more" + LARGE)])
    bench.journal.end()
    again = Bench(tiny_disk / "journal")
    assert again.bodies() == [b"more"]
    again.journal.end()


def test_a_file_size_limit_is_a_full_disk(bench: Bench) -> None:
    """Also the write that the kernel cuts short: what it left is written over, or cut away."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300 * KIB, old[1]))
    try:
        taken = fill(bench.journal)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    bench.journal.append([frame(b"late")])

    assert taken == 1
    assert bench.failures("no_space") == 1
    assert bench.bodies() == [b"0000", b"late"]


def test_what_could_not_be_made_durable_was_never_there(bench: Bench, tmp_path: Path) -> None:
    bench.journal.append([frame(b"safe")])
    bench.break_the_file()
    with pytest.raises(Unwritable):
        bench.journal.append([frame(b"lost")])
    last = bench.journal.append([frame(b"next")])

    assert bench.failures("io") == 1
    assert bench.bodies() == [b"safe", b"next"]
    assert bench.journal.trouble() == ""
    assert last > 2
    assert len(list((tmp_path / "journal").glob("*.segment"))) == 2
    bench.journal.end()
    again = Bench(tmp_path / "journal")
    assert again.bodies() == [b"safe", b"next"]
    assert again.telemetry.journal_truncated.exact() == 0
    again.journal.end()


def test_a_failed_flush_fails_all_who_wait_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Held back until three wait. Then it fails: all are asked back, and no restart brings them."""
    bench.journal.append([frame(b"safe")])
    waiting, outcomes = Gate(monkeypatch), list[str]()

    def append(body: bytes) -> None:
        try:
            bench.journal.append([frame(body)])
        except Unwritable:
            outcomes.append("asked back")

    threads = [threading.Thread(target=append, args=(b"%04d" % n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    waiting.until(lambda: len(bench.journal._writer._waiting) == 3)
    bench.break_the_file()
    waiting.open()
    for thread in threads:
        thread.join(10)

    assert outcomes == ["asked back"] * 3
    assert bench.bodies() == [b"safe"]
    bench.journal.end()
    again = Bench(tmp_path / "journal")
    assert again.bodies() == [b"safe"]
    again.journal.end()


def test_one_flush_serves_all_that_wait_and_no_reader_is_ahead_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Gate(monkeypatch)
    threads = [
        threading.Thread(target=bench.journal.append, args=([frame(b"%04d" % n)],))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    waiting.until(lambda: len(bench.journal._writer._waiting) == 8)

    assert bench.bodies() == []
    assert bench.journal.backlog("otlp").frames == 0
    waiting.open()
    for thread in threads:
        thread.join(10)

    assert sorted(bench.bodies()) == [b"%04d" % n for n in range(8)]
    assert waiting.calls == 2  # the first was on its way before the others had written


class Gate:
    """Holds every fdatasync back until it is opened; the call itself is the real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._open = threading.Event()
        real = os.fdatasync

        def fdatasync(fd: int) -> None:
            self.calls += 1
            self._open.wait(10)
            real(fd)

        monkeypatch.setattr(os, "fdatasync", fdatasync)

    def open(self) -> None:
        self._open.set()

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(1000):
            if done():
                return
            self._open.wait(0.01)
        raise AssertionError("never happened")


def test_with_an_interval_frames_are_read_at_once_and_flushed_soon(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "journal", fsync="interval")
    bench.journal.append([frame(b"soon")])

    assert bench.bodies() == [b"soon"]
    for _ in range(1000):
        if bench.telemetry.journal_fsync.count():
            break
        threading.Event().wait(0.01)
    assert bench.telemetry.journal_fsync.count() >= 1
    bench.journal.end()
