"""OTLP over gRPC: a synchronous server whose handlers see raw bytes. No message classes here."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, cast

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from costspan.errors import Retryable, StartError
from costspan.model import LOGS, METRICS, TRACES
from costspan.receiver.admission import Admission
from costspan.receiver.door import VIA, Accept, Door
from costspan.receiver.status import LATE, Verdict
from costspan.telemetry import Telemetry

SERVICES: Mapping[str, str] = {
    TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
    LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
}
MAX_RECV_BYTES = 64 << 20  # opentelemetry-proto, docs/specification.md: RECOMMENDED
# An empty handler under 25 KB requests on two cores took 0.29 ms of CPU with 16 threads, 0.25 with
# 8, 0.23 with 4; but each thread may wait for a disk, so not fewer.
THREADS = 8
_TRANSPORT = "grpc"


def _options(max_recv_bytes: int) -> list[tuple[str, Any]]:
    """Never `maximum_concurrent_rpcs`: it answers RESOURCE_EXHAUSTED, which loses data."""
    return [
        # on by default: a second instance would bind the same port and take half of the traffic
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", max_recv_bytes),
        ("grpc.max_send_message_length", 4 << 20),
        # bounds what C-core buffers per connection: streams x message size
        ("grpc.max_concurrent_streams", 64),
        # Collectors ping every 10 s; C-core would tolerate one ping in 5 minutes, then GOAWAY
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", 0),
    ]


class GrpcReceiver:
    """Binds in the constructor, so that a busy port is found before anything is accepted.

    `endpoint` is host:port; port 0 takes a free one, which `port` then names. Raises StartError.
    """

    def __init__(
        self,
        accept: Accept,
        *,
        endpoint: str,
        admission: Admission,
        telemetry: Telemetry,
        instance: str,
        max_recv_bytes: int = MAX_RECV_BYTES,
        threads: int = THREADS,
        include_metadata: Iterable[str] = (),
    ) -> None:
        kept = frozenset(key.lower() for key in include_metadata)
        self._door = Door(_TRANSPORT, accept, telemetry, instance, kept)
        self._admission = admission
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(threads, "otlp-grpc"), options=_options(max_recv_bytes)
        )
        for signal, service in SERVICES.items():
            method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
                self._export(signal)
            )
            handler = grpc.method_handlers_generic_handler(service, {"Export": method})
            self._server.add_generic_rpc_handlers((handler,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.port = _bind(self._server, endpoint)

    def start(self) -> None:
        self._server.start()

    def stop(self, grace: float) -> None:
        """Take no new calls, give those in flight `grace` seconds, then cancel them (retryable)."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()

    def _export(self, signal: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            refusal = self._take(signal, body, context)
            if refusal is not None:
                _abort(context, refusal)
            return b""  # a full success: partial_success is unset

        return export

    def _take(self, signal: str, body: bytes, context: grpc.ServicerContext) -> Verdict | None:
        """None is the ack. Nothing is raised: what escapes a handler is UNKNOWN to the client."""
        door = self._door
        if _expired(context):  # its client has given up and will send it again
            door.count(signal, LATE.outcome)
            return LATE
        headers = [(key, str(value)) for key, value in context.invocation_metadata()]
        if door.is_loop(signal, dict(headers).get(VIA)):
            return None
        try:
            lease = self._admission.lease(len(body))
        except Retryable as overload:
            return door.refuse(signal, overload)
        with lease:
            return door.enter(signal, body, headers)


def _expired(context: grpc.ServicerContext) -> bool:
    if not context.is_active():
        return True
    remaining = cast("float | None", context.time_remaining())  # None without a deadline
    return remaining is not None and remaining <= 0


def _abort(context: grpc.ServicerContext, refusal: Verdict) -> NoReturn:
    context.set_trailing_metadata(refusal.trailers())
    context.abort(refusal.code, refusal.message)


def _bind(server: grpc.Server, endpoint: str) -> int:
    """The port that was bound. C-core does not say why it can't, so a plain socket asks first."""
    _check(endpoint)
    try:
        return server.add_insecure_port(endpoint)
    except RuntimeError as fault:
        raise StartError(f"OTLP/gRPC can't listen on {endpoint}: {fault}") from fault


def _check(endpoint: str) -> None:
    """Raise StartError if an address of `endpoint` is taken, or none can be had.

    C-core is content with one address of several: on "localhost" it would share a name with
    whoever holds the other one.
    """
    host, colon, port = endpoint.rpartition(":")
    if not colon or not port.isdecimal():
        raise StartError(f"OTLP/gRPC can't listen on {endpoint!r}: expected host:port")
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as fault:
        raise StartError(f"OTLP/gRPC can't listen on {endpoint}: {fault.strerror}") from fault
    errors = [_bind_error(family, address) for family, _, _, _, address in found]
    if errno.EADDRINUSE in errors:
        raise StartError(f"OTLP/gRPC can't listen on {endpoint}: the port is in use")
    if all(errors):
        raise StartError(f"OTLP/gRPC can't listen on {endpoint}: {os.strerror(errors[0])}")


def _bind_error(family: int, address: Any) -> int:
    """The errno of binding an address, 0 if it is free."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as fault:
        return fault.errno or errno.EINVAL
    return 0
