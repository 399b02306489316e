"""Full and read-only disks, damaged files and clocks that are set: what happens to the journal."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from costspan.demo.line import configuration, free_ports
from costspan.errors import StartError
from integration.accounting import accounts, at_rest
from integration.both_ends import Arrivals, Stored
from integration.crash_launcher import CLOCK_STEP
from integration.crash_line import BoxedLine, CrashLine, SmallDisk
from integration.lines import eventually, otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink
from integration.prometheus import value
from integration.running_store import RunningStore
from integration.steady_load import SPANS, SteadyLoad, nth

pytestmark = pytest.mark.slow

NOBODY = "127.0.0.1:1"
REQUESTS = 20


def may_mount() -> bool:
    """Whether we may mount something where nobody else sees it."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=4k", "none", "/mnt"]
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603  (fixed words)
    return done.returncode == 0


needs_mounts = pytest.mark.skipif(not may_mount(), reason="mounting a small disk needs root")


@contextmanager
def small_disk(directory: Path, size: str, then: str = "true") -> Iterator[tuple[SmallDisk, Path]]:
    """A disk of this size, and where it is; `then` (shell) is run there."""
    place = directory / "disk"
    place.mkdir()
    mounts = f"mount -t tmpfs -o size={size} none {place} && cd {place} && {then}"
    with SmallDisk(mounts) as disk:
        yield disk, place


def boxed(disk: SmallDisk, place: Path, log: Path, exporters: dict[str, Any]) -> BoxedLine:
    """A line whose journal is on the small disk."""
    journal = {"directory": str(place / "journal"), "segment_size": "1MiB"}
    ports = free_ports()
    config = configuration(ports, exporters, journal=journal, drain="5s")
    return BoxedLine(config, ports, log, disk)


# --- disks ---------------------------------------------------------------------------------------


def fill_up(path: Path) -> None:
    """Take the last byte that is left."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x"):
            pass


NO_SPACE = "costspan_journal_append_failures_total"


@needs_mounts
@pytest.mark.parametrize("killed", [False, True], ids=["", "killed while it is full"])
def test_a_disk_that_fills_up_holds_clients_back_and_loses_nothing(
    tmp_path: Path, *, killed: bool
) -> None:
    """When its destination is back, what is delivered is removed, and spans are taken again."""
    port, log = free_ports().grpc, tmp_path / "costspan.log"
    exporters = {"otlp": otlp(f"127.0.0.1:{port}")}
    with (
        small_disk(tmp_path, "3m") as (disk, place),
        boxed(disk, place, log, exporters) as line,
        SteadyLoad(line.ports.grpc, "disk", requests_per_second=100) as load,
    ):
        metrics = line.ports.metrics
        eventually(lambda: value(metrics, NO_SPACE, reason="no_space") >= 3)
        before = len(load.books().spans)
        if killed:
            os.kill(line.pid, signal.SIGKILL)
            line.ended(within=10)
            fill_up(disk.inside(place / "filler"))
            line.start()
        with OtlpSink(port) as sink:
            eventually(lambda: len(load.books().spans) > 2 * before)
            load.stop()
            eventually(lambda: at_rest(metrics))
            arrived = Arrivals(lambda: sink.bodies("traces")).counts()
        account = accounts(metrics)["otlp", "traces"]

    assert load.refusals > 0
    assert arrived.keys() == load.books().spans.keys()
    assert account.accepted == account.sent == account.settled
    assert killed or account.sent == len(arrived)
    assert "Traceback" not in log.read_text()


@needs_mounts
def test_a_disk_that_is_full_at_the_start_is_no_reason_to_fail(tmp_path: Path) -> None:
    """It says so, asks clients to come back, and takes spans as soon as there is room."""
    fill = "(dd if=/dev/zero of=filler bs=4k 2>/dev/null || true)"
    with (
        OtlpSink() as sink,
        small_disk(tmp_path, "2m", fill) as (disk, place),
        boxed(disk, place, tmp_path / "log", {"otlp": otlp(sink.endpoint)}) as line,
    ):
        with SteadyLoad(line.ports.grpc, "full", requests_per_second=50) as load:
            eventually(lambda: load.refusals >= 3)
            assert not load.books().spans
            disk.inside(place / "filler").unlink()
            eventually(lambda: load.books().spans)
        eventually(lambda: at_rest(line.ports.metrics))
        arrived = Arrivals(lambda: sink.bodies("traces")).counts()

    assert arrived.keys() == load.books().spans.keys()


@needs_mounts
def test_a_directory_that_can_only_be_read_is_exit_1_with_a_sentence(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with small_disk(tmp_path, "1m", "mount -o remount,ro .") as (disk, place):
        line = boxed(disk, place, log, {"otlp": otlp(NOBODY)})
        with pytest.raises(StartError) as refused:
            line.start()
        assert line.ended(within=10) == 1

    assert str(place) in str(refused.value)
    assert "Traceback" not in log.read_text()


# --- damage --------------------------------------------------------------------------------------


class Left(NamedTuple):
    """A journal whose process was killed, and the spans (hex) of the requests that it holds."""

    directory: Path
    requests: list[set[str]]

    @property
    def segment(self) -> Path:
        (only,) = self.directory.glob("*.seg*")
        return only


@pytest.fixture
def left(tmp_path: Path) -> Left:
    """Twenty acked requests that were never delivered."""
    directory, requests = tmp_path / "journal", []
    journal = {"directory": str(directory)}
    with running(tmp_path, {"otlp": otlp(NOBODY)}, journal=journal) as line:
        for number in range(REQUESTS):
            sent = nth("left", number, time.time_ns())
            export(line.ports.grpc, sent.body)
            requests.append(set(sent.spans))
        os.kill(line.pid, signal.SIGKILL)
        line.ended(within=10)
    return Left(directory, requests)


class Found(NamedTuple):
    """What the next process made of it."""

    whole: list[int]  # the numbers of the requests that arrived
    partly: list[int]
    corrupt: float
    truncated: float
    set_aside: float


def restart(left: Left, directory: Path) -> Found:
    """Start on what is left, send one request more, wait for rest."""
    more = nth("more", REQUESTS, time.time_ns())
    journal = {"directory": str(left.directory)}
    with OtlpSink() as sink:
        with running(directory, {"otlp": otlp(sink.endpoint)}, journal=journal) as line:
            metrics = line.ports.metrics
            export(line.ports.grpc, more.body)
            eventually(lambda: at_rest(metrics))
            arrived = Arrivals(lambda: sink.bodies("traces")).counts().keys()
            account = accounts(metrics)["otlp", "traces"]
            counts = [
                value(metrics, f"costspan_journal_{name}_total")
                for name in ("corrupt_records", "truncated_bytes", "set_aside_bytes")
            ]
        assert more.spans.keys() <= arrived
        assert account.accepted == account.settled == len(arrived)
        assert "Traceback" not in line.log.read_text()
    whole = [n for n, spans in enumerate(left.requests) if spans <= arrived]
    partly = [n for n, spans in enumerate(left.requests) if spans & arrived and n not in whole]
    return Found(whole, partly, *counts)


def flip(path: Path, at: int) -> None:
    """One bit, as a disk does it."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("share", [0.2, 0.55, 0.9])
def test_a_flipped_bit_costs_one_request_and_is_counted(
    left: Left, tmp_path: Path, share: float
) -> None:
    flip(left.segment, int(left.segment.stat().st_size * share))
    found = restart(left, tmp_path)

    assert len(found.whole) == REQUESTS - 1
    assert not found.partly
    assert found.corrupt == 1


def test_a_file_that_is_cut_keeps_what_stands_before(left: Left, tmp_path: Path) -> None:
    os.truncate(left.segment, left.segment.stat().st_size // 2)
    found = restart(left, tmp_path)

    assert found.whole == list(range(len(found.whole)))
    assert REQUESTS // 2 - 2 <= len(found.whole) <= REQUESTS // 2
    assert found.truncated > 0


def test_a_damaged_header_costs_the_file_which_is_kept(left: Left, tmp_path: Path) -> None:
    size = left.segment.stat().st_size
    flip(left.segment, 9)
    found = restart(left, tmp_path)

    assert not found.whole
    assert found.set_aside == size
    (kept,) = left.directory.glob("*.damaged")
    assert kept.stat().st_size == size


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [Path.unlink, empty], ids=["gone", "empty"])
@pytest.mark.parametrize("name", ["otlp.cursor", "journal.json"])
def test_a_lost_cursor_or_register_loses_no_span(
    left: Left, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    """Rather twice than never."""
    harm(left.directory / name)
    found = restart(left, tmp_path)

    assert found.whole == list(range(REQUESTS))


# --- clocks --------------------------------------------------------------------------------------


@pytest.fixture(params=[-7_200, 86_400], ids=["two hours back", "a day ahead"])
def stepping(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_clock_that_is_set_neither_loses_nor_closes_anything(
    tmp_path: Path, store: RunningStore, database: str, stepping: str
) -> None:
    """Under load, and again at a restart: the next process sees the true time."""
    ports = free_ports()
    journal = {"directory": str(tmp_path / "journal")}
    with OtlpSink() as sink:
        ends = {"otlp": otlp(sink.endpoint), "clickhouse": {"endpoint": store.dsn_of(database)}}
        config = configuration(ports, ends, journal=journal)
        line = CrashLine(config, ports, tmp_path / "costspan.log", {CLOCK_STEP: stepping})
        with line, SteadyLoad(ports.grpc, "clock", requests_per_second=20) as load:
            for _ in range(2):
                enough = len(load.books().spans) + 20 * SPANS
                eventually(lambda enough=enough: len(load.books().spans) >= enough)  # type: ignore[misc]
                os.kill(line.pid, signal.SIGUSR1)
            assert value(ports.metrics, "costspan_exporter_queue_age_seconds") >= 0
            eventually(lambda: len(load.books().spans) >= 60 * SPANS)
            line.stop()
            line.start()
            load.stop()
            eventually(lambda: at_rest(ports.metrics))
            arrived = Arrivals(lambda: sink.bodies("traces")).counts()
    books, stored = load.books(), Stored(store.client(database))

    assert arrived.keys() == stored.spans().keys() == books.spans.keys()
    assert dict(stored.calls()) == books.costs
    traces = len(books.spans) // SPANS
    assert stored.totals() == (books.cost, len(books.costs), len(books.spans), traces)
