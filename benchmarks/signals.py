"""How soon the signal of an open trace is told: from a client's send to its log event at a sink.

`python benchmarks/signals.py` writes SIGNALS.md and a record beside the others. costspan runs as a
process of its own under mixed load; `--quick` is a smoke run that prints and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import grpc
from load import EXPORT, Generator, Load, Orders, Report, Supply
from machine import commit, loop_ms, machine
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families
from sinks import Sink, serve_events
from tables import heading, number, select

from costspan.demo.line import Line, configuration, free_ports
from costspan.processor.trace_facts import SIGNAL_EVENT
from costspan.testing import request, span, usage

_Export: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"  # generic in its stubs only
_HERE = Path(__file__).parent
_MIB = 1 << 20
_WORKLOAD, _SPANS, _RATE, _CALLERS = "W2", 100, 5_000, 32
_SECONDS, _WARM_SECONDS, _QUICK_SECONDS = 60.0, 8.0, 3.0
_PAUSE = 0.1  # seconds between two probes, on average
_CALLS_BEFORE = 9  # of a probe's trace
_AHEAD = 10  # probes by which those come earlier
_AT_ONCE = 250  # waiting traces a request
_PATIENCE = 30.0  # seconds
_WAITING = 1 << 40  # the number of the first one
_NOBODY = b"\xff" * 8  # a parent that never comes: a trace without a root stays open
_LIMIT_USD = 1.0  # above what any trace of the load costs
_TARGET_MS = 70


class Setting(NamedTuple):
    """What runs, and how many traces are open before the load begins."""

    journal: str  # memory | disk
    limit: str  # of the ledger's memory
    waiting: int


SETTINGS = (
    Setting("memory", "16MiB", 0),
    Setting("disk", "16MiB", 0),
    Setting("disk", "16MiB", 10_000),
    Setting("disk", "64MiB", 20_000),
)


class Told(NamedTuple):
    """Seconds from a client's send to the log event, sorted; what the process said at the end."""

    setting: Setting
    latencies: Sequence[float]
    load: Report
    open_traces: float
    ledger_bytes: float
    checkpoints: float
    checkpoint_bytes: float

    def row(self) -> dict[str, Any]:
        """Figures of the page, in ms and MiB."""
        probes = len(self.latencies)
        return {
            "journal": self.setting.journal,
            "limit": self.setting.limit,
            "open_traces": round(self.open_traces),
            "ledger_mib": self.ledger_bytes / _MIB,
            "checkpoints": round(self.checkpoints),
            "checkpoint_mib": self.checkpoint_bytes / _MIB,
            "signals": probes,
            "p50_ms": 1e3 * self.latencies[probes // 2],
            "p99_ms": 1e3 * self.latencies[int(probes * 0.99)],
            "max_ms": 1e3 * self.latencies[-1],
            "late": sum(1e3 * each >= _TARGET_MS for each in self.latencies),
            "ack_p50_ms": 1e3 * self.load.latency(0.5),
            "ack_p99_ms": 1e3 * self.load.latency(0.99),
            "spans_per_second": self.load.spans / self.load.seconds,
        }


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run: print, record nothing")
    options = parser.parse_args()
    revision, load, loop = commit(), os.getloadavg()[0], loop_ms()
    rows = [told.row() for told in measured(_QUICK_SECONDS if options.quick else _SECONDS)]
    record = {
        "date": str(datetime.now(UTC).date()),
        "commit": revision,
        "command": "python benchmarks/signals.py",
        "machine": machine(),
        "load": (load, os.getloadavg()[0]),
        "loop_ms": (loop, loop_ms()),
        "rows": rows,
    }
    text = page(record)
    print(text)
    if not options.quick:
        (_HERE / "SIGNALS.md").write_text(text, encoding="utf-8")
        name = f"{record['date']}-{revision}-signals.json"
        (_HERE / "results" / name).write_text(json.dumps(record, indent=1) + "\n")


def measured(seconds: float) -> Iterator[Told]:
    """Every setting, one process after the other, under the same load."""
    spans = _RATE * (seconds + _WARM_SECONDS)
    with Generator(Supply(_WORKLOAD, _SPANS, int(spans * 1500))) as generator:
        for setting in SETTINGS:
            with (
                tempfile.TemporaryDirectory() as folder,
                Sink(serve_events) as sink,
                _line(setting, Path(folder), sink.port) as line,
            ):
                load = generator.load(f"127.0.0.1:{line.ports.grpc}")
                yield _measure(setting, line, sink, load, seconds)


@contextmanager
def _line(setting: Setting, folder: Path, port: int) -> Iterator[Line]:
    """A costspan before the sink, with its ordinary defaults for everything else."""
    ports = free_ports()
    exporters = {"otlp": {"endpoint": f"127.0.0.1:{port}", "tls": {"insecure": True}}}
    totals = {
        "emit": ["metrics", "log_event"],
        "signals": {"cost_usd": _LIMIT_USD, "llm_calls": 0, "repeats": 0, "growth_calls": 0},
        "limits": {"traces": 40_000, "bytes": setting.limit},
    }
    journal = {"directory": str(folder / "journal")} if setting.journal == "disk" else {}
    config = configuration(ports, exporters, processors={"trace_totals": totals}, journal=journal)
    with Line(config, ports, folder / "costspan.log") as line:
        yield line


def _measure(setting: Setting, line: Line, sink: Sink, load: Load, seconds: float) -> Told:
    with grpc.insecure_channel(f"127.0.0.1:{line.ports.grpc}") as channel:
        export: _Export = channel.unary_unary(EXPORT)
        for body in waiting(setting.waiting):
            export(body)
        _send(load, _WARM_SECONDS)
        sink.take_arrivals()
        reports: list[Report] = []
        loading = threading.Thread(target=lambda: reports.append(_send(load, seconds)))
        loading.start()
        sent = probe(export, seconds)
        gauges = _gauges(line)
        loading.join()
    arrived = _arrived(sink, set(sent))
    latencies = sorted(arrived[trace_id] - at for trace_id, at in sent.items())
    names = ("open_traces", "ledger_bytes", "ledger_checkpoints_total",
             "ledger_checkpoint_bytes")  # fmt: skip
    return Told(setting, latencies, reports[0], *(gauges.get(f"costspan_{n}", 0) for n in names))


def _send(load: Load, seconds: float) -> Report:
    return load.send(Orders(seconds, _CALLERS, _RATE / _SPANS))


def _gauges(line: Line) -> dict[str, float]:
    """What it says of itself; the samples of a name are added up."""
    url = f"http://127.0.0.1:{line.ports.metrics}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def _arrived(sink: Sink, wanted: set[bytes]) -> Mapping[bytes, float]:
    """When the signals of these traces came. Raises TimeoutError if one does not."""
    pause, until = threading.Event(), time.monotonic() + _PATIENCE
    arrived: dict[bytes, float] = {}
    while not wanted <= arrived.keys():
        if time.monotonic() > until:
            raise TimeoutError(f"{len(wanted - arrived.keys())} of {len(wanted)} were not told")
        pause.wait(0.2)
        for (trace_id, name), at in sink.take_arrivals().items():
            if name == SIGNAL_EVENT:
                arrived.setdefault(trace_id, at)
    return arrived


# --- what is sent --------------------------------------------------------------------------------


def probe(export: _Export, seconds: float) -> dict[bytes, float]:
    """Let a trace pass the limit about every 100 ms. Returns when each last call was sent."""
    drawn, pause, sent = random.Random(1), threading.Event(), dict[bytes, float]()
    end = time.monotonic() + seconds
    for trace in range(_AHEAD):
        export(_before(trace))
    trace = 0
    while time.monotonic() < end:
        export(_before(trace + _AHEAD))
        pause.wait(2 * _PAUSE * drawn.random())  # out of step with all that ticks
        body = request(_call(trace, _CALLS_BEFORE, 200_000))
        sent[_trace_id(trace)] = time.monotonic()
        export(body)
        trace += 1
    return sent


def _before(trace: int) -> bytes:
    """The calls of a probe that stay below the limit."""
    return request(*(_call(trace, each, 100 + each) for each in range(_CALLS_BEFORE)))


def waiting(count: int) -> Iterator[bytes]:
    """Requests of traces without a root, of two spans; one of them is a model call."""
    for first in range(0, count, _AT_ONCE):
        spans: list[Span] = []
        for trace in range(first, min(first + _AT_ONCE, count)):
            trace_id = _trace_id(trace + _WAITING)
            spans.append(_call(trace + _WAITING, 0, 100))
            spans.append(span(trace_id=trace_id, span_id=b"w" * 8, parent_span_id=_NOBODY))
        yield request(*spans)


def _call(trace: int, one: int, tokens: int) -> Span:
    """A model call with so many output tokens, in a trace without a root."""
    now = time.time_ns()
    answer = {"gen_ai.response.id": f"chatcmpl-{trace}-{one}"}  # no call is another's double
    return span(
        usage(1000, tokens, **answer),
        trace_id=_trace_id(trace),
        span_id=(one + 1).to_bytes(8),
        parent_span_id=_NOBODY,
        start_ns=now - 10**9,
        end_ns=now,
    )


def _trace_id(trace: int) -> bytes:
    return (trace + (1 << 100)).to_bytes(16)


# --- the page ------------------------------------------------------------------------------------

_TEXT = """# Signals of open traces

{heading}

From a client's send to the arrival of the log event at an OTLP sink, over gRPC: intake, journal,
ledger, journal, exporter. The log line and the metric come before it, in the same turn of the
ledger. Load beside it: {rate} spans/s of mixed traffic (W2, requests of {spans}), so some
{traces} traces a second are opened and closed, each closed one with a log event of its own. About
every {pause} ms a trace of {calls} calls passes a limit on cost with its last one, for {seconds} s.

{table}

Open traces and the ledger's memory (its own estimate) at the end of the load. At 16 MiB the ledger
is full: closed traces go first, and then open ones for every new one. With a journal on disk
(`fsync: group`, in the machine's temporary directory) the ledger writes a checkpoint every 10 s.
"""
_COLUMNS = {
    "journal": "journal",
    "ledger's limit": "limit",
    "open traces": "open_traces",
    "ledger MiB": "ledger_mib",
    "checkpoints": "checkpoints",
    "of MiB": "checkpoint_mib",
    "signals": "signals",
    "p50 ms": "p50_ms",
    "p99 ms": "p99_ms",
    "max ms": "max_ms",
    f"{_TARGET_MS} ms or more": "late",
    "ack p50 ms": "ack_p50_ms",
    "ack p99 ms": "ack_p99_ms",
}


def page(record: Mapping[str, Any]) -> str:
    """SIGNALS.md."""
    return _TEXT.format(
        heading=heading(record),
        rate=_RATE,
        spans=_SPANS,
        traces=_RATE // 10,
        pause=number(round(_PAUSE * 1000)),
        calls=_CALLS_BEFORE + 1,
        seconds=round(_SECONDS),
        table=select(_COLUMNS, record["rows"]),
    )


if __name__ == "__main__":
    main()
