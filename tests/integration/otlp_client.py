"""An OTLP client over raw bytes, gRPC and HTTP: what a test sends is what is on the wire."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


class Answer:
    """What the server said to one HTTP request."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()


def export(
    port: int,
    body: bytes,
    signal: str = "traces",
    metadata: Sequence[tuple[str, str]] = (),
    timeout: float = 20.0,
) -> bytes:
    """One unary call over gRPC; the answer's bytes. Raises grpc.RpcError."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHODS[signal])
        return call(body, metadata=tuple(metadata), timeout=timeout, wait_for_ready=True)


@contextmanager
def exporting(port: int, signal: str = "traces") -> Iterator[Callable[[bytes], bytes]]:
    """Many calls over one connection."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHODS[signal])
        yield lambda body: call(body, timeout=20)


def post(
    port: int, body: bytes, signal: str = "traces", content_type: str = "application/x-protobuf"
) -> Answer:
    """One request over HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", f"/v1/{signal}", body, {"Content-Type": content_type})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def metrics_request(points: int = 3) -> bytes:
    """A gauge with a few points, and a field that no version of OTLP knows."""
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    metric = scope.metrics.add(name="queue.depth", unit="{item}")
    for number in range(points):
        metric.gauge.data_points.add(as_int=number, time_unix_nano=1_790_000_000_000_000_000)
    return request.SerializeToString() + UNKNOWN_FIELD


def logs_request(lines: int = 3) -> bytes:
    """A few log records, and a field that no version of OTLP knows."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(lines):
        scope.log_records.add().body.string_value = f"line {number}"
    return request.SerializeToString() + UNKNOWN_FIELD


# field 4000, length-delimited: a neighbour's extension that has to survive
UNKNOWN_FIELD = b"\x82\xfa\x01\x04what"
