"""Scripted OTLP peers on loopback: real gRPC and HTTP servers that answer as a test tells them.

One script serves both transports, so that one suite can ask the same of every destination. A peer
keeps what it was sent; an empty script answers success.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from certificates import Pair

_SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}
_HTTP_PATHS = {f"/v1/{signal}": signal for signal in _SERVICES}


class Answer(NamedTuple):
    """What a peer says to one request."""

    code: grpc.StatusCode = grpc.StatusCode.OK
    http: int = 200
    text: str = ""
    retry_seconds: float | None = None  # RetryInfo, Retry-After
    rejected: int = 0
    hangs: bool = False
    http_headers: Mapping[str, str] = {}

    @property
    def success(self) -> bytes:
        if not self.rejected:
            return b""
        partial = ExportTracePartialSuccess(rejected_spans=self.rejected, error_message=self.text)
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()

    @property
    def status(self) -> bytes:
        """The answer as google.rpc.Status, with its RetryInfo."""
        status = Status(code=self.code.value[0], message=self.text)
        if self.retry_seconds is not None:
            delay = Duration(nanos=round(self.retry_seconds * 1e9) % 10**9)
            delay.seconds = int(self.retry_seconds)
            detail = Any()
            detail.Pack(RetryInfo(retry_delay=delay))
            status.details.append(detail)
        data: bytes = status.SerializeToString()
        return data


OK = Answer()
UNAVAILABLE = Answer(grpc.StatusCode.UNAVAILABLE, 503, "restarting")
INVALID = Answer(grpc.StatusCode.INVALID_ARGUMENT, 400, "bad span")
DENIED = Answer(grpc.StatusCode.UNAUTHENTICATED, 401, "no token")
HANG = Answer(hangs=True)


def throttled(seconds: float) -> Answer:
    return Answer(grpc.StatusCode.UNAVAILABLE, 503, "slow down", seconds)


def partial(rejected: int) -> Answer:
    return Answer(rejected=rejected, text="not all of them")


class Received(NamedTuple):
    """One request as it arrived, decompressed; header names in lower case."""

    signal: str
    body: bytes
    headers: dict[str, str]


class _Peer:
    """Script and memory of a peer."""

    endpoint: str

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: list[Answer] = []
        self.poison = b""  # a request that contains it is refused as INVALID
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.stop()

    def stop(self) -> None:
        raise NotImplementedError

    def _next(self, received: Received) -> Answer:
        with self._lock:
            self.received.append(received)
            if self.poison and self.poison in received.body:
                return INVALID
            answer = self.script.pop(0) if self.script else OK
        if answer.hangs:
            self._stopped.wait(30)
        return answer


class ServerTls(NamedTuple):
    """The certificate of a peer; with `clients` it asks for one that this authority signed."""

    pair: Pair
    clients: str = ""

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.pair)
        if self.clients:
            context.load_verify_locations(self.clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def credentials(self) -> grpc.ServerCredentials:
        certificate, key = self.pair.read()
        clients = Path(self.clients).read_bytes() if self.clients else None
        return grpc.ssl_server_credentials(
            [(key, certificate)], clients, require_client_auth=bool(clients)
        )


class GrpcPeer(_Peer):
    """`with GrpcPeer() as peer:`; a `port` brings a dead peer back at its old address."""

    def __init__(self, port: int = 0, tls: ServerTls | None = None) -> None:
        super().__init__()
        self._server = grpc.server(
            ThreadPoolExecutor(4, "grpc-peer"), options=[("grpc.so_reuseport", 0)]
        )
        for signal, service in _SERVICES.items():
            method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
                self._export(signal)
            )
            handler = grpc.method_handlers_generic_handler(service, {"Export": method})
            self._server.add_generic_rpc_handlers((handler,))
        address = f"127.0.0.1:{port}"
        if tls is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, tls.credentials())
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop(0).wait()

    def _export(self, signal: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
            headers = {key: str(value) for key, value in context.invocation_metadata()}
            said = self._next(Received(signal, body, headers))
            if said.code is grpc.StatusCode.OK:
                return said.success
            if said.retry_seconds is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", said.status),))
            return context.abort(said.code, said.text)

        return answer


class HttpPeer(_Peer):
    """`with HttpPeer() as peer:`; connections are kept alive, as collectors do."""

    def __init__(self, port: int = 0, tls: ServerTls | None = None) -> None:
        super().__init__()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                headers = {key.lower(): value for key, value in self.headers.items()}
                said = peer._next(Received(_HTTP_PATHS.get(self.path, self.path), body, headers))
                if not said.hangs:
                    peer._answer(self, said)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        if tls is not None:
            self._server.socket = tls.context().wrap_socket(self._server.socket, server_side=True)
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, said: Answer) -> None:
        body = said.success if said.http == 200 else said.status
        handler.send_response(said.http)
        handler.send_header("content-type", "application/x-protobuf")
        handler.send_header("content-length", str(len(body)))
        if said.retry_seconds is not None:
            handler.send_header("retry-after", str(round(said.retry_seconds)))
        for key, value in said.http_headers.items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(body)


class _QuietServer(ThreadingHTTPServer):
    """Knows its connections, so that it can die like a process does."""

    daemon_threads = True

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # handed through
        self._connections: list[socket.socket] = []

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self._connections.append(request)
        super().process_request(request, client_address)

    def close_connections(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):  # its client may have gone first
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        pass  # a connection that we closed ourselves
