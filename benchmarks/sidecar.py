"""costspan as it is measured: `costspan run` as a child with its ordinary defaults."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ends import Ends
from measure import Running
from prometheus_client.parser import text_string_to_metric_families

from costspan.demo.line import Line, configuration, free_ports

NO_STORE, STAND_IN, EMBEDDED = "", "clickhouse", "embedded"
# Traces close 6 s after their root and are forgotten 15 s after their last span.
SETTLED = 17.0
_LOSSES = frozenset(
    {"costspan_exporter_dropped_items_total", "costspan_exporter_dead_lettered_items_total"}
)


class Sidecar(NamedTuple):
    """A running costspan."""

    line: Line
    running: Running
    ready_seconds: float  # wall time from its start until it was ready


class Accounts(NamedTuple):
    """By its own metrics, since its start."""

    sent: dict[str, int]  # spans confirmed, per destination
    lost: int  # items dropped or dead-lettered by any of them


@contextmanager
def sidecar(ends: Ends, store: str) -> Iterator[Sidecar]:
    """Start it before these ends."""
    exporters: dict[str, Any] = {
        "otlp": {"endpoint": f"127.0.0.1:{ends.spans.port}", "tls": {"insecure": True}}
    }
    # Backpressure, not the default drop_oldest: what is dropped costs nothing to insert.
    if store == STAND_IN:
        exporters["clickhouse"] = {"endpoint": ends.dsn, "when_full": "backpressure"}
    elif store == EMBEDDED:
        directory = str(ends.folder / "data")
        exporters["clickhouse"] = {"directory": directory, "when_full": "backpressure"}
    ports = free_ports()
    config = configuration(ports, exporters, processors={"trace_totals": {}})
    began = time.monotonic()
    with Line(config, ports, ends.folder / "costspan.log") as line:
        ready = time.monotonic() - began
        yield Sidecar(line, Running(line.pid, f"127.0.0.1:{ports.grpc}", SETTLED), ready)


def accounts(line: Line) -> Accounts:
    """Ask it."""
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
    return Accounts(sent, lost)
