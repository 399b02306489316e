"""What durability costs: acks with each kind of journal, memory and recovery with a large backlog.

`python benchmarks/durability.py` writes DURABILITY.md. costspan runs as a process of its own with
an OTLP sink behind it; `--quick` is a smoke run that prints and keeps nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from load import Generator, Orders, Supply
from machine import commit, loop_ms, machine
from measure import Case, Cost, Running, measure, warm
from process import MemoryWatch, memory, resident_peak, wait_until_idle
from sidecar import SETTLED, accounts
from sinks import Sink, serve_otlp
from tables import heading, number, table

from costspan.demo.line import Line, configuration, free_ports

_HERE = Path(__file__).parent
_MIB = 1 << 20
_MEMORY, _JOURNALS = "memory", ("memory", "off", "interval", "group")
_NOBODY = 1  # a port
_SIZES = (50, 512)
_RATE = 5_000  # spans a second, open loop
_WORKLOAD = "W2"
_BACKLOG_SUPPLY = Supply("W1", 512, 256 * _MIB)  # prompts: a gigabyte in little time


class Acked(NamedTuple):
    """One load with one kind of journal."""

    journal: str
    case: Case
    cost: Cost


class Backlog(NamedTuple):
    """A destination that is dead while a journal grows, and what a restart makes of that."""

    at_rest: float  # MiB resident
    marks: Sequence[tuple[float, float]]  # MiB of the journal, MiB resident
    filling_peak: float  # MiB resident
    journal: float  # MiB, when the process was killed
    spans: int
    ready: float  # seconds from the start of the next process
    drained: float  # seconds from then until the sink had every span
    recovery_peak: float  # MiB resident


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run: print, record nothing")
    parser.add_argument("--backlog", type=int, default=1024, help="MiB that wait")
    options = parser.parse_args()
    loop, load = loop_ms(), os.getloadavg()[0]
    acked = [*acks(quick=options.quick)]
    backlog = with_backlog(32 if options.quick else options.backlog)
    record = {
        "date": str(datetime.now(UTC).date()),
        "commit": commit(),
        "command": "python benchmarks/durability.py",
        "machine": machine(),
        "load": (load, os.getloadavg()[0]),
        "loop_ms": (loop, loop_ms()),
    }
    text = page(heading(record), acked, backlog)
    print(text)
    if not options.quick:
        (_HERE / "DURABILITY.md").write_text(text, encoding="utf-8")


@contextmanager
def line(folder: Path, port: int, journal: Mapping[str, Any]) -> Iterator[Line]:
    """A costspan before the sink on this port, with its ordinary defaults for everything else."""
    ports = free_ports()
    exporters = {"otlp": {"endpoint": f"127.0.0.1:{port}", "tls": {"insecure": True}}}
    config = configuration(ports, exporters, processors={"trace_totals": {}}, journal=journal)
    with Line(config, ports, folder / "costspan.log") as started:
        yield started


# --- acks ----------------------------------------------------------------------------------------


def acks(*, quick: bool) -> Iterator[Acked]:
    """Every journal under every load; the journals take turns, as the machine drifts."""
    seconds = 0.5 if quick else 4.0
    for spans in _SIZES:
        for rate in (0, _RATE):
            case = Case(_WORKLOAD, spans, rate, seconds)
            with Generator(case.supply) as generator:
                for journal in _JOURNALS:
                    yield Acked(journal, case, _ack(generator, journal, case, quick=quick))


def _ack(generator: Generator, journal: str, case: Case, *, quick: bool) -> Cost:
    with tempfile.TemporaryDirectory() as name, Sink(serve_otlp) as sink:
        folder = Path(name)
        settings: dict[str, Any] = {"max_size": "1GiB"}
        if journal != _MEMORY:
            settings |= {"directory": str(folder / "journal"), "fsync": journal}
        with line(folder, sink.port, settings) as started:
            running = Running(started.pid, f"127.0.0.1:{started.ports.grpc}", SETTLED)
            load = generator.load(running.address)
            warm([sink], load, case)
            return measure(running, [sink], load, case, patient=not quick and not case.rate)


# --- a backlog -----------------------------------------------------------------------------------


def with_backlog(mib: int) -> Backlog:
    """Fill a journal whose destination is dead, kill the process, start it with a sink."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        directory = folder / "journal"
        journal = {"directory": str(directory), "max_size": f"{2 * mib + 64}MiB"}
        with line(folder, _NOBODY, journal) as started, Generator(_BACKLOG_SUPPLY) as generator:
            wait_until_idle(started.pid, 1.0)
            at_rest = memory(started.pid).resident
            marks, peak, spans = _fill(started, generator, directory, mib)
            os.kill(started.pid, signal.SIGKILL)
            started.ended(within=10)
        held = _size(directory)
        return Backlog(at_rest, marks, peak, held, spans, *_recover(folder, journal, spans))


def _fill(
    started: Line, generator: Generator, directory: Path, mib: int
) -> tuple[list[tuple[float, float]], float, int]:
    """Send until so much waits: memory on the way, its peak, the spans that were acked."""
    marks: list[tuple[float, float]] = []
    spans = 0
    with MemoryWatch(started.pid):
        while (held := _size(directory)) < mib:
            marks.append((held, memory(started.pid).resident))
            load = generator.load(f"127.0.0.1:{started.ports.grpc}")
            wanted = max(1, (mib - int(held)) // 2)  # requests of about 1.6 MiB
            spans += load.send(Orders(60.0, callers=4, at_most=min(wanted, 140))).spans
        marks.append((held, memory(started.pid).resident))
        return marks, resident_peak(started.pid), spans


def _recover(folder: Path, journal: Mapping[str, Any], spans: int) -> tuple[float, float, float]:
    """Seconds until ready, seconds from there until all has arrived, the peak of memory in MiB."""
    pause = threading.Event()
    with Sink(serve_otlp) as sink:
        began = time.monotonic()
        with line(folder, sink.port, journal) as started, MemoryWatch(started.pid):
            ready = time.monotonic()
            while sink.counts().items < spans:
                if time.monotonic() - ready > 600:
                    raise TimeoutError(f"{sink.counts().items} of {spans}: {accounts(started)}")
                pause.wait(0.05)
            return ready - began, time.monotonic() - ready, resident_peak(started.pid)


def _size(directory: Path) -> float:
    """MiB of its files."""
    return sum(each.stat().st_size for each in directory.iterdir()) / _MIB


# --- the page ------------------------------------------------------------------------------------

_HEAD = (
    "journal",
    "spans a request",
    "load",
    "acked spans/s",
    "ack p50 ms",
    "ack p99 ms",
    "us/span",
)
_TEXT = """# What durability costs

{heading}

## Acks

Mixed traffic (W2) over gRPC, costspan with one OTLP destination. `memory` is the journal without a
directory; the others are on disk, with that value of `fsync`. Closed loop: 8 callers, each sends
when it has its ack. Open loop: {rate} spans/s; a latency counts from the time at which the request
was due. CPU of the costspan process alone, closed loop until it rests again. The journals lie in
the machine's temporary directory ({disk}).

{acks}

## A destination that is dead

Resident memory while model calls with prompts (W1, requests of 512) wait for a destination that is
dead; `fsync: group`. At rest, before the first span: {at_rest} MiB. The peak while it filled:
{peak} MiB.

{marks}

Then the process was killed with {journal} MiB in its journal ({spans} spans) and started again with
its destination back. It took spans {ready} s after its start, and {drained} s later the destination
had all of them ({rate_out} spans/s); at most {recovery_peak} MiB were resident.
"""


def page(head: str, acked: Sequence[Acked], backlog: Backlog) -> str:
    """DURABILITY.md."""
    marks = [(f"{held:.0f}", f"{resident:.0f}") for held, resident in backlog.marks]
    return _TEXT.format(
        heading=head,
        rate=_RATE,
        disk=_file_system(Path(tempfile.gettempdir())),
        acks=table(_HEAD, map(_row, acked)),
        at_rest=number(backlog.at_rest),
        peak=number(backlog.filling_peak),
        marks=table(("MiB that wait", "MiB resident"), marks),
        journal=number(backlog.journal),
        spans=backlog.spans,
        ready=number(backlog.ready),
        drained=number(backlog.drained),
        rate_out=number(backlog.spans / backlog.drained),
        recovery_peak=number(backlog.recovery_peak),
    )


def _file_system(path: Path) -> str:
    """Its type, by the mount that is nearest above it."""
    mounts = [each.split()[1:3] for each in Path("/proc/mounts").read_text().splitlines()]
    above = [(place, kind) for place, kind in mounts if path.is_relative_to(place)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def _row(one: Acked) -> Sequence[str]:
    case, cost = one.case, one.cost
    if cost.arrived != cost.sent:
        raise ValueError(f"{one}: {cost.sent} spans were acked, {cost.arrived} arrived")
    return (
        one.journal,
        str(case.spans),
        "open" if case.rate else "closed",
        number(cost.spans_per_second),
        number(cost.ack_p50_ms),
        number(cost.ack_p99_ms),
        "" if case.rate else number(cost.us_per_span),
    )


if __name__ == "__main__":
    main()
