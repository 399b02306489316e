"""One topology of collector-config/ running: the real Collector, the real costspan, a back end.

The files are started as they are shipped; only addresses differ, by the environment, as for a user.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.config.expand import expand
from costspan.demo.line import Line, Ports
from integration.collector import CONFIGS, Collector
from integration.lines import eventually
from integration.otlp_sink import OtlpSink
from integration.priced_traffic import Traffic
from integration.prometheus import value

TOPOLOGIES = ("after", "before", "loop")
# a stop takes as long as a test can afford; all else is as shipped
DRAIN = "\n  drain: {accept_grace: 0s, timeout: 3s}\n"
_ADDRESSES = (
    "APPS_GRPC",
    "APPS_HTTP",
    "SIDECAR_GRPC",
    "SIDECAR_HTTP",
    "SIDECAR_HEALTH",
    "SIDECAR_METRICS",
    "COLLECTOR_GRPC",
    "COLLECTOR_HTTP",
    "COLLECTOR_HEALTH",
    "COLLECTOR_METRICS",
    "BACKEND",
)
_NO_EDITS: Mapping[str, str] = {}


class Topology:
    """`with Topology("loop", binary, directory) as topology:` everything runs inside.

    `collector` and `costspan` are edits of the shipped files, old text to new. What reaches the
    back end is in `sink`; `back_end=False` leaves it dead until `open_back_end`, and
    `collecting=False` the Collector until `collector.start`.
    """

    def __init__(
        self,
        name: str,
        binary: Path,
        directory: Path,
        *,
        collector: Mapping[str, str] = _NO_EDITS,
        costspan: Mapping[str, str] = _NO_EDITS,
        back_end: bool = True,
        collecting: bool = True,
    ) -> None:
        self.name = name
        self._ports = dict(zip(_ADDRESSES, _free_ports(len(_ADDRESSES)), strict=True))
        self._environment = _environment(self._ports, directory)
        self._back_end, self._collecting = back_end, collecting
        self._running = ExitStack()
        self.sink = OtlpSink(self._ports["BACKEND"])
        self.line = self._line(costspan, directory)
        self.collector = self._collector(collector, binary, directory)

    def __enter__(self) -> Self:
        with ExitStack() as started:
            if self._back_end:
                started.enter_context(self.sink)
            # it starts first, and what it sends to may not be there yet
            started.enter_context(self.line)
            started.callback(self.collector.stop)
            if self._collecting:
                self.collector.start()
            self._running = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def grpc(self) -> int:
        """Where applications send OTLP/gRPC."""
        return self._ports["APPS_GRPC"]

    @property
    def http(self) -> int:
        """Where applications send OTLP/HTTP."""
        return self._ports["APPS_HTTP"]

    def open_back_end(self) -> None:
        self._running.enter_context(self.sink)

    def costspan(self, metric: str, **labels: str) -> float:
        """A figure of costspan's, without the prefix."""
        return value(self._ports["SIDECAR_METRICS"], f"costspan_{metric}", **labels)

    def otelcol(self, metric: str, **labels: str) -> float:
        """A figure of the Collector's, without the prefix; the parser calls counters `_total`."""
        return value(self._ports["COLLECTOR_METRICS"], f"otelcol_{metric}", **labels)

    def arrived(self, traffic: Traffic, timeout: float = 20.0) -> list[Span]:
        """The spans of `traffic` at the back end, once all are there and nothing is on its way."""
        sink = self.sink
        sink.wait(lambda: len(traffic.mine(sink.spans())) >= len(traffic.sent), timeout)
        assert eventually(self._idle)
        return traffic.mine(sink.spans())

    def _idle(self) -> bool:
        """No span waits in the Collector's queue or in costspan, whichever of them is first."""
        accepted, sent = (
            self.costspan(name, signal="traces")
            for name in ("receiver_accepted_items_total", "exporter_sent_items_total")
        )
        return self._queued() == 0 and sent == accepted and self._queued() == 0

    def _queued(self) -> float:
        """Bytes until their request is confirmed: what waits for a batch, what is on the wire."""
        return self.otelcol("exporter_queue_size")

    def _line(self, edits: Mapping[str, str], directory: Path) -> Line:
        text = edited(CONFIGS / f"costspan-{self.name}.yaml", edits) + DRAIN
        config = json.loads(expand(json.dumps(yaml.safe_load(text)), self._environment))
        inlet = "APPS" if self.name == "after" else "SIDECAR"
        ports = Ports(
            grpc=self._ports[f"{inlet}_GRPC"],
            http=self._ports[f"{inlet}_HTTP"],
            metrics=self._ports["SIDECAR_METRICS"],
            health=self._ports["SIDECAR_HEALTH"],
        )
        return Line(config, ports, directory / "costspan.log")

    def _collector(self, edits: Mapping[str, str], binary: Path, directory: Path) -> Collector:
        config = CONFIGS / f"{self.name}.yaml"
        if edits:
            text = edited(config, edits)
            config = directory / config.name
            config.write_text(text)
        return Collector(
            binary,
            config,
            health=self._ports["COLLECTOR_HEALTH"],
            log=directory / "collector.log",
            environment=self._environment,
        )


def edited(file: Path, edits: Mapping[str, str]) -> str:
    """The file's text with the edits made; AssertionError if it does not hold what they replace."""
    text = file.read_text()
    for old, new in edits.items():
        assert old in text, f"{file.name} does not hold {old!r}"
        text = text.replace(old, new)
    return text


def _environment(ports: Mapping[str, int], directory: Path) -> dict[str, str]:
    return {
        **{name: f"127.0.0.1:{port}" for name, port in ports.items()},
        "COLLECTOR_METRICS_PORT": str(ports["COLLECTOR_METRICS"]),
        "COLLECTOR_STATE": str(directory / "state"),
        "BACKEND_INSECURE": "true",
    }


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago: all bound at once, so they differ."""
    with ExitStack() as bound:
        sockets = [bound.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
