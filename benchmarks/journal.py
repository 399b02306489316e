"""What an append to the journal costs, and what a backlog of 1 GiB does to a start and to memory.

    python benchmarks/journal.py [--directory DIR] [--rounds 3] [--quick]

Each figure is the best of all rounds, each in a process of its own. DIR lies on the disk that is
measured (a temporary directory unless given). Writes JOURNAL.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from machine import commit, loop_ms, machine
from tables import heading, number, table

from costspan.clock import SystemClock
from costspan.journal.disk import DiskJournal, DiskSettings
from costspan.journal.memory import MemoryJournal
from costspan.model import TRACES, Frame, Journal, ReaderSpec
from costspan.telemetry import Telemetry

_HERE = Path(__file__).parent
_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_READER = ReaderSpec("otlp", frozenset({TRACES}), "backpressure")
_MODES = ("memory", "off", "interval", "group")
_BODIES = {25: 1600, 256: 320}  # KiB: appends of a run
_THREADS = (1, 8, 32)
_ROUND = 4 * _MIB  # what a reader asks for at once
_Figures = dict[str, float]


def main() -> None:
    """The command line; `case` is the part that runs in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", help="where the journals are written")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round: print, record nothing")
    parser.add_argument("--case", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(_case(arguments.case)))
        return
    loops, loads = [loop_ms()], [os.getloadavg()[0]]
    place = Path(tempfile.mkdtemp(prefix="journal-", dir=arguments.directory))
    try:
        rounds = 1 if arguments.quick else arguments.rounds
        appends = {case: _best(place, case, rounds) for case in _cases()}
        backlog = _backlog(place)
    finally:
        shutil.rmtree(place)
    loops.append(loop_ms())
    loads.append(os.getloadavg()[0])
    text = _markdown(appends, backlog, loops, loads)
    print(text)
    if not arguments.quick:
        (_HERE / "JOURNAL.md").write_text(text)


# --- the parent ----------------------------------------------------------------------------------


def _cases() -> list[tuple[str, int, int]]:
    return [(mode, kib, n) for kib in _BODIES for n in _THREADS for mode in _MODES]


def _best(place: Path, case: tuple[str, int, int], rounds: int) -> _Figures:
    """The fastest of the rounds, whole: its figures belong together."""
    runs = []
    for n in range(rounds):
        directory = place / f"{n}"
        runs.append(_run("append", str(directory), *map(str, case)))
        shutil.rmtree(directory, ignore_errors=True)
    return max(runs, key=lambda run: run["rate"])


def _backlog(place: Path) -> _Figures:
    directory = str(place / "backlog")
    return _run("fill", directory) | _run("drain", directory)


def _run(*case: str) -> _Figures:
    command = [sys.executable, str(_HERE / "journal.py"), "--case", *case]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  our own file
    figures: _Figures = json.loads(out)
    return figures


def _markdown(
    appends: dict[tuple[str, int, int], _Figures],
    backlog: _Figures,
    loops: list[float],
    loads: list[float],
) -> str:
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "command": "python benchmarks/journal.py",
        "machine": machine(),
        "load": loads,
        "loop_ms": loops,
    }
    columns = ("body", "threads", "journal", "appends/s", "MB/s", "p50 ms", "p99 ms", "CPU us")
    keys = ("rate", "megabytes", "p50", "p99", "cpu")
    rows = [
        [f"{kib} KiB", str(threads), mode, *(number(run[key]) for key in keys)]
        for (mode, kib, threads), run in appends.items()
    ]
    told = [[text, number(backlog[key])] for key, text in _BACKLOG.items()]
    return "\n".join(
        (
            "# The journal",
            "",
            heading(record),
            "",
            _WHAT.format(*(number(backlog[f"crc_{kib}"]) for kib in _BODIES)),
            "",
            table(columns, rows),
            "",
            "A backlog of 1 GiB in requests of 25 KiB, for one reader:",
            "",
            table(("", ""), told),
            "",
        )
    )


_WHAT = (
    "One append is one request; it returns as soon as it may be acked. CPU is that of the process,"
    " for one append; the checksum alone takes {} us for 25 KiB and {} us for 256 KiB."
)
_BACKLOG = {
    "recovery_s": "start with it, s",
    "recovery_cpu_s": "start with it, s of CPU",
    "empty_mib": "resident with an empty journal, MiB",
    "filled_mib": "resident after 1 GiB was appended, MiB",
    "recovered_mib": "resident after the start, MiB",
    "drain_peak_mib": "most that was resident while all of it was read, 4 MiB at a time, MiB",
    "drain_s": "reading and committing all of it, s",
    "plan_us": "planning a round with `fsync: group`, us",
}


# --- a case --------------------------------------------------------------------------------------


def _case(words: Sequence[str]) -> _Figures:
    match words:
        case ["append", directory, mode, kib, threads]:
            return _append(_journal(directory, mode), int(kib), int(threads))
        case ["fill", directory]:
            return _fill(directory)
        case ["drain", directory]:
            return _drain(directory)
    raise SystemExit(f"no case {words}")


def _journal(directory: str, mode: str) -> Journal:
    if mode == "memory":
        return MemoryJournal([_READER], 4 * _GIB, Telemetry(), SystemClock())
    settings = DiskSettings(Path(directory), max_size=4 * _GIB, fsync=mode)
    return DiskJournal([_READER], settings, Telemetry(), SystemClock())


def _append(journal: Journal, kib: int, threads: int) -> _Figures:
    frames = [Frame(0, time.time_ns(), TRACES, 0, (), os.urandom(kib * _KIB), b"", 50)]
    each = _BODIES[kib] // threads
    took: list[float] = []

    def client() -> None:
        mine = []
        for _ in range(each):
            begun = time.perf_counter()
            journal.append(frames)
            mine.append(time.perf_counter() - begun)
        took.extend(mine)

    clients = [threading.Thread(target=client) for _ in range(threads)]
    cpu, begun = time.process_time(), time.perf_counter()
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    took.sort()
    count = len(took)
    return {
        "rate": count / seconds,
        "megabytes": count * kib * _KIB / seconds / 1e6,
        "p50": took[count // 2] * 1e3,
        "p99": took[count * 99 // 100] * 1e3,
        "cpu": cpu / count * 1e6,
    }


def _fill(directory: str) -> _Figures:
    journal = _journal(directory, "off")
    empty = _resident()
    body = os.urandom(25 * _KIB)
    for _ in range(_GIB // len(body)):
        journal.append([Frame(0, time.time_ns(), TRACES, 0, (), bytes(body), b"", 50)])
    figures = {"empty_mib": empty, "filled_mib": _resident()}
    for kib in _BODIES:
        data = os.urandom(kib * _KIB)
        begun = time.process_time()
        for _ in range(200):
            zlib.crc32(data)
        figures[f"crc_{kib}"] = (time.process_time() - begun) / 200 * 1e6
    return figures


def _drain(directory: str) -> _Figures:
    cpu, begun = time.process_time(), time.perf_counter()
    journal = _journal(directory, "group")
    figures = {
        "recovery_s": time.perf_counter() - begun,
        "recovery_cpu_s": time.process_time() - cpu,
        "recovered_mib": _resident(),
    }
    begun, planning, rounds = time.perf_counter(), 0.0, 0
    while frames := journal.read("otlp", _ROUND, 0):
        at = time.perf_counter()
        journal.plan("otlp", frames[-1].seq)
        planning += time.perf_counter() - at
        journal.commit("otlp", frames[-1].seq)
        rounds += 1
    figures["drain_s"] = time.perf_counter() - begun
    figures["plan_us"] = planning / rounds * 1e6
    figures["drain_peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / _MIB


if __name__ == "__main__":
    main()
