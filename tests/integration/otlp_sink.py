"""A collector on loopback: a real gRPC server that keeps the bytes it was sent. It judges nothing.

Generic handlers over raw bytes, so that what a test sees is what was on the wire.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}


class Received(NamedTuple):
    """One export call."""

    signal: str
    body: bytes
    metadata: dict[str, str | bytes]


class OtlpSink:
    """`with OtlpSink() as sink:`; a `port` brings a dead collector back at its old address."""

    def __init__(self, port: int = 0) -> None:
        self.received: list[Received] = []
        self._more = threading.Condition()
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)]
        self._server = grpc.server(ThreadPoolExecutor(4, "otlp-sink"), options=options)
        for signal, service in _SERVICES.items():
            method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
                self._keep(signal)
            )
            handler = grpc.method_handlers_generic_handler(service, {"Export": method})
            self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()

    def bodies(self, signal: str) -> list[bytes]:
        with self._more:
            return [call.body for call in self.received if call.signal == signal]

    def spans(self) -> list[Span]:
        """Every span of every readable request, in order of arrival."""
        return spans_of(self.bodies("traces"))

    def wait(self, enough: Callable[[], bool], timeout: float = 20.0) -> None:
        """Block until `enough()`, asked again after every call that arrives."""
        with self._more:
            assert self._more.wait_for(enough, timeout), f"after {len(self.received)} calls"

    def wait_for_spans(self, count: int, timeout: float = 20.0) -> list[Span]:
        """Block until at least `count` spans are here."""
        self.wait(lambda: len(self.spans()) >= count, timeout)
        return self.spans()

    def _keep(self, signal: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            call = Received(signal, body, dict(context.invocation_metadata()))
            with self._more:
                self.received.append(call)
                self._more.notify_all()
            return b""

        return export


def spans_of(bodies: Iterable[bytes]) -> list[Span]:
    """The spans of requests, in document order."""
    return [
        span
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def attributes(span: Span) -> dict[str, object]:
    """A span's attributes as plain Python; the last of equal keys wins."""
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value") or "", None)
        for item in span.attributes
    }
