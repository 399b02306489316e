"""One load on one running process: CPU per span, memory, latency of the ack, spans that arrived.

What runs is somebody else's business. Load generator and sinks are processes of their own, so that
the CPU counted here is the measured process's alone; it counts until that process rests again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from load import Load, Orders, Supply
from process import MemoryWatch, cpu_seconds, resident_peak, wait_until_idle
from sinks import Sink

_SUPPLY_BYTES = 480 << 20  # of requests, encoded before the measurement begins
_WARM_SPANS = 4000


class Case(NamedTuple):
    """A load. `rate` in spans per second; 0 = as fast as the acks come."""

    workload: str
    spans: int  # per request
    rate: int = 0
    seconds: float = 4.0

    @property
    def supply(self) -> Supply:
        """The requests that it may take."""
        wanted = 2 * int(self.rate * self.seconds + _WARM_SPANS) * 3200
        size = min(_SUPPLY_BYTES, wanted) if self.rate else _SUPPLY_BYTES
        return Supply(self.workload, self.spans, size)

    @property
    def warm_up(self) -> Orders:
        return Orders(2.0, self._callers, at_most=max(2, _WARM_SPANS // self.spans))

    @property
    def orders(self) -> Orders:
        return Orders(self.seconds, self._callers, self.rate / self.spans)

    @property
    def _callers(self) -> int:
        if self.rate:
            return 32  # enough never to be late with a request that is due
        return 4 if self.spans >= 8000 else 8


class Running(NamedTuple):
    """A process that takes OTLP over gRPC. It rests `settled` seconds after its last span."""

    pid: int
    address: str
    settled: float


class Cost(NamedTuple):
    """What one case cost. Times in the units of the names, memory in MiB."""

    sent: int  # spans acked
    arrived: int  # of them at the OTLP sink
    inserted: int  # of them at the ClickHouse stand-in
    refusals: int
    spans_per_second: float
    us_per_span: float
    cpu_percent: float  # of one core: all that CPU over the seconds of the load
    ack_p50_ms: float
    ack_p99_ms: float
    resident_average: float
    resident_peak: float
    private_average: float


class _Counter:
    """Spans that arrive at sinks from now on."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = [(sink, sink.counts().items) for sink in sinks]

    def wait_for(self, spans: int, patience: float = 10.0) -> list[int]:
        """Wait until every sink has so many, or nothing comes for so long. How many each has."""
        pause, arrived, since = threading.Event(), self._arrived(), time.monotonic()
        while min(arrived) < spans and time.monotonic() - since < patience:
            pause.wait(0.05)
            if (now := self._arrived()) != arrived:
                arrived, since = now, time.monotonic()
        return arrived

    def _arrived(self) -> list[int]:
        return [sink.counts().items - before for sink, before in self._sinks]


def warm(sinks: Sequence[Sink], load: Load, case: Case) -> int:
    """Send a little and wait until it has arrived. Returns the spans that were sent."""
    counter = _Counter(sinks)
    sent = load.send(case.warm_up).spans
    counter.wait_for(sent)
    return sent


def measure(
    running: Running, sinks: Sequence[Sink], load: Load, case: Case, *, patient: bool = True
) -> Cost:
    """Run one case on a process that is warm; `sinks` are the OTLP one and the stand-in, if any.

    A smoke run is not patient: it waits for every span, but not until the process rests.
    """
    pid, before, counter = running.pid, cpu_seconds(running.pid), _Counter(sinks)
    with MemoryWatch(pid) as watch:
        report = load.send(case.orders)
        average = watch.average()
        arrived, *inserted = counter.wait_for(report.spans)
        if patient:
            wait_until_idle(pid, running.settled)
    cpu = cpu_seconds(pid) - before
    return Cost(
        sent=report.spans,
        arrived=arrived,
        inserted=sum(inserted),
        refusals=report.refusals,
        spans_per_second=report.spans / report.seconds,
        us_per_span=cpu * 1e6 / report.spans,
        cpu_percent=100 * cpu / report.seconds,
        ack_p50_ms=1000 * report.latency(0.5),
        ack_p99_ms=1000 * report.latency(0.99),
        resident_average=average.resident,
        resident_peak=resident_peak(pid),
        private_average=average.private,
    )
