"""The whole process under load: CPU per span, memory, latency of the ack. Every span is counted.

`costspan run` is a child with its ordinary defaults, but for backpressure from ClickHouse; load
generator, OTLP sink and ClickHouse stand-in are processes of their own, so that the CPU of the
costspan process is the line's alone. It counts until that process is idle again and its traces
are closed and forgotten.
"""

from __future__ import annotations

import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from load import Generator, Orders, Supply
from process import MemoryWatch, children, cpu_seconds, memory, resident_peak, wait_until_idle
from prometheus_client.parser import text_string_to_metric_families
from sinks import Sink, serve_clickhouse, serve_otlp

from costspan.demo.line import Line, configuration, free_ports
from costspan.store.process import EmbeddedStore

NO_STORE, STAND_IN, EMBEDDED = "", "clickhouse", "embedded"
_SUPPLY_BYTES = 480 << 20  # of requests, encoded before the measurement begins
_WARM_SPANS = 4000
# Traces close 6 s after their root and are forgotten 15 s after their last span.
_SETTLED = 17.0


class Case(NamedTuple):
    """One measurement. `rate` in spans per second; 0 = as fast as the acks come."""

    workload: str
    spans: int  # per request
    store: str = NO_STORE
    rate: int = 0
    seconds: float = 4.0

    @property
    def callers(self) -> int:
        if self.rate:
            return 32  # enough never to be late with a request that is due
        return 4 if self.spans >= 8000 else 8

    @property
    def bytes(self) -> int:
        """Of requests to encode."""
        wanted = 2 * int(self.rate * self.seconds + _WARM_SPANS) * 3200
        return min(_SUPPLY_BYTES, wanted) if self.rate else _SUPPLY_BYTES


class Result(NamedTuple):
    """What one case cost. Times in the units of the names, memory in MiB."""

    workload: str
    spans: int
    store: str
    rate: int
    sent: int  # spans acked
    arrived: int  # spans at the OTLP sink
    inserted: int  # spans that the ClickHouse exporter says were confirmed
    lost: int  # items dropped or dead-lettered by any destination
    refusals: int
    spans_per_second: float
    us_per_span: float
    cpu_percent: float  # of one core: all that CPU over the seconds of the load
    ack_p50_ms: float
    ack_p99_ms: float
    resident_average: float
    resident_peak: float
    private_average: float
    store_us_per_span: float  # of the embedded store's own process
    store_resident: float


class Start(NamedTuple):
    """A start with OTLP and a DSN, and the rest that follows it."""

    cpu_seconds: float
    wall_seconds: float
    resident: float
    private: float
    idle_cpu_percent: float


class Bench(NamedTuple):
    """A running line and its far ends."""

    line: Line
    address: str
    sink: Sink
    ready_seconds: float  # wall time from its start until it was ready


@contextmanager
def bench(store: str) -> Iterator[Bench]:
    """Start the far ends, then the line."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="costspan-bench-")))
        sink = stack.enter_context(Sink(serve_otlp))
        exporters: dict[str, Any] = {
            "otlp": {"endpoint": f"127.0.0.1:{sink.port}", "tls": {"insecure": True}}
        }
        # Backpressure, not the default drop_oldest: what is dropped costs nothing to insert.
        if store == STAND_IN:
            dsn = stack.enter_context(_stand_in(folder))
            exporters["clickhouse"] = {"endpoint": dsn, "when_full": "backpressure"}
        elif store == EMBEDDED:
            directory = str(folder / "data")
            exporters["clickhouse"] = {"directory": directory, "when_full": "backpressure"}
        ports = free_ports()
        config = configuration(ports, exporters, processors={"trace_totals": {}})
        began = time.monotonic()
        line = stack.enter_context(Line(config, ports, folder / "costspan.log"))
        yield Bench(line, f"127.0.0.1:{ports.grpc}", sink, time.monotonic() - began)


@contextmanager
def _stand_in(folder: Path) -> Iterator[str]:
    """The DSN of the stand-in, with the embedded store behind it for what is no insert."""
    store = EmbeddedStore(folder / "answers")
    store.start()
    try:
        real = urlsplit(store.dsn)
        with Sink(serve_clickhouse, real.port or 0) as stand_in:
            user, _, _ = real.netloc.rpartition("@")
            yield real._replace(netloc=f"{user}@127.0.0.1:{stand_in.port}").geturl()
    finally:
        store.stop()


def measure(case: Case) -> Result:
    """Run one case from start to stop."""
    with (
        bench(case.store) as running,
        Generator(running.address, Supply(case.workload, case.spans, case.bytes)) as generator,
    ):
        pid = running.line.pid
        warm = Orders(2.0, case.callers, at_most=max(2, _WARM_SPANS // case.spans))
        warmed = generator.send(warm).spans
        _await_spans(running.sink, warmed)
        stores = children(pid)
        before, stores_before = cpu_seconds(pid), sum(map(cpu_seconds, stores))
        with MemoryWatch(pid) as watch:
            report = generator.send(Orders(case.seconds, case.callers, case.rate / case.spans))
            average = watch.average()
            arrived = _await_spans(running.sink, warmed + report.spans) - warmed
            wait_until_idle(pid, _SETTLED)
        cpu = cpu_seconds(pid) - before
        stores_cpu = sum(map(cpu_seconds, stores)) - stores_before
        sent, lost = _accounts(running.line)
        return Result(
            *case[:4],
            sent=report.spans,
            arrived=arrived,
            inserted=max(0, sent.get("clickhouse", 0) - warmed),
            lost=lost,
            refusals=report.refusals,
            spans_per_second=report.spans / report.seconds,
            us_per_span=cpu * 1e6 / report.spans,
            cpu_percent=100 * cpu / report.seconds,
            ack_p50_ms=1000 * report.latency(0.5),
            ack_p99_ms=1000 * report.latency(0.99),
            resident_average=average.resident,
            resident_peak=resident_peak(pid),
            private_average=average.private,
            store_us_per_span=stores_cpu * 1e6 / report.spans,
            store_resident=sum(memory(store).resident for store in stores),
        )


def start() -> Start:
    """Start with OTLP and a DSN and leave it alone for a while."""
    with bench(STAND_IN) as running:
        pid = running.line.pid
        cpu = cpu_seconds(pid)
        wait_until_idle(pid, 1.0)
        at_rest, pause = cpu_seconds(pid), 4.0
        threading.Event().wait(pause)
        idle = (cpu_seconds(pid) - at_rest) / pause
        return Start(cpu, running.ready_seconds, *memory(pid), idle_cpu_percent=100 * idle)


def _await_spans(sink: Sink, spans: int, timeout: float = 60.0) -> int:
    """Wait until so many spans are at the sink, or for so long. Return how many are."""
    deadline, pause = time.monotonic() + timeout, threading.Event()
    while (arrived := sink.counts().items) < spans and time.monotonic() < deadline:
        pause.wait(0.05)
    return arrived


def _accounts(line: Line) -> tuple[dict[str, int], int]:
    """By its own metrics: spans confirmed per destination, and items lost by any of them."""
    url = f"http://127.0.0.1:{line.ports.metrics}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    sent: dict[str, int] = {}
    lost = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "costspan_exporter_sent_items_total":
                if sample.labels["signal"] == "traces":
                    sent[sample.labels["exporter"]] = int(sample.value)
            elif sample.name in _LOSSES:
                lost += int(sample.value)
    return sent, lost


_LOSSES = frozenset(
    {"costspan_exporter_dropped_items_total", "costspan_exporter_dead_lettered_items_total"}
)
