"""What Linux says of a process: CPU seconds and resident memory, from /proc. It is only watched."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple, Self

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1 << 20
_INTERVAL = 0.1  # seconds between two looks at the memory


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads, children not included. Steps of 10 ms."""
    # the name in parentheses may hold spaces; utime and stime are fields 14 and 15 of the line
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def children(pid: int) -> list[int]:
    """Its children, of whichever thread."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


class Memory(NamedTuple):
    """MiB. Private memory is what the process adds to a machine that runs another one like it."""

    resident: float
    private: float


def memory(pid: int) -> Memory:
    """What it holds now."""
    kib = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in kib:
            kib[name] = int(rest.split()[0])
    private = kib["Private_Clean"] + kib["Private_Dirty"]
    return Memory(kib["Rss"] * 1024 / _MIB, private * 1024 / _MIB)


def resident_peak(pid: int) -> float:
    """The most that was ever resident since `forget_peak`, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / _MIB
    raise ValueError(f"expected VmHWM in /proc/{pid}/status, saw none")


def forget_peak(pid: int) -> None:
    """Start counting `resident_peak` anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class MemoryWatch:
    """Samples a process's memory in a thread while the block runs."""

    def __init__(self, pid: int) -> None:
        self.samples: list[Memory] = []
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        forget_peak(self._pid)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def average(self) -> Memory:
        """Over all samples so far."""
        count = len(self.samples)
        resident = sum(sample.resident for sample in self.samples)
        private = sum(sample.private for sample in self.samples)
        return Memory(resident / count, private / count)

    def _run(self) -> None:
        while True:
            self.samples.append(memory(self._pid))
            if self._done.wait(_INTERVAL):
                return


def wait_until_idle(pid: int, at_least: float, timeout: float = 60.0) -> None:
    """Return once `at_least` seconds have passed and it then rests for one more.

    Resting is less than 3 % of a core: timers and health checks go on for ever.
    """
    pause, deadline = threading.Event(), time.monotonic() + timeout
    pause.wait(at_least)
    while time.monotonic() < deadline:
        before = cpu_seconds(pid)
        pause.wait(1.0)
        if cpu_seconds(pid) - before <= 0.03:
            return
    raise TimeoutError(f"process {pid} was still busy after {timeout:.0f} s")
