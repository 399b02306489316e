"""The far ends: an OTLP sink and a ClickHouse stand-in, each a process of its own that counts."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from threading import Lock, Thread
from typing import NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import grpc
import inserts
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from costspan import wire

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_LOGS_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"
_UNLIMITED: list[tuple[str, int]] = [("grpc.max_receive_message_length", -1)]
_Export = Callable[[bytes, grpc.ServicerContext], bytes]


class Counts(NamedTuple):
    """What has arrived so far."""

    requests: int = 0
    items: int = 0  # spans; of other rows than spans none
    bytes: int = 0


Arrivals = dict[tuple[bytes, str], float]
"""When the first log event of a trace and a name came: trace id, name -> `time.monotonic()`."""


class _Tally:
    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = Counts()
        self._arrivals: Arrivals = {}

    def note(self, trace_id: bytes, name: str, at: float) -> None:
        with self._lock:
            self._arrivals.setdefault((trace_id, name), at)

    def take_arrivals(self) -> Arrivals:
        with self._lock:
            arrivals, self._arrivals = self._arrivals, {}
            return arrivals

    def add(self, items: int, size: int) -> None:
        with self._lock:
            old = self._counts
            self._counts = Counts(old.requests + 1, old.items + items, old.bytes + size)

    def read(self) -> Counts:
        with self._lock:
            return self._counts


class Sink:
    """A sink's process, from here: `with Sink(serve_otlp) as sink: sink.port, sink.counts()`."""

    port: int

    def __init__(self, serve: Callable[[_Tally, int], int], upstream: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, far_end = context.Pipe()
        self._process = context.Process(target=_main, args=(far_end, serve, upstream))

    def __enter__(self) -> Self:
        self._process.start()
        self.port = self._control.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._control.send(None)
        self._process.join()

    def counts(self) -> Counts:
        self._control.send("counts")
        counts: Counts = self._control.recv()
        return counts

    def take_arrivals(self) -> Arrivals:
        """The log events since the last call. All processes of a machine share that clock."""
        self._control.send("arrivals")
        arrivals: Arrivals = self._control.recv()
        return arrivals


def _main(control: Connection, serve: Callable[[_Tally, int], int], upstream: int) -> None:
    tally = _Tally()
    control.send(serve(tally, upstream))
    while (asked := control.recv()) is not None:
        control.send(tally.take_arrivals() if asked == "arrivals" else tally.read())


_servers: list[grpc.Server] = []  # a server that nobody holds is stopped


def serve_otlp(tally: _Tally, _upstream: int) -> int:
    """Take every trace request, count its spans, answer success. Returns the port."""
    return _served({_SERVICE: _counted(tally)})


def serve_events(tally: _Tally, _upstream: int) -> int:
    """As `serve_otlp`, and take log events, noting when each came. Returns the port."""

    def logs(body: bytes, _context: grpc.ServicerContext) -> bytes:
        at = time.monotonic()
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    tally.note(record.trace_id, record.event_name, at)
        return b""

    return _served({_SERVICE: _counted(tally), _LOGS_SERVICE: logs})


def _counted(tally: _Tally) -> _Export:
    def export(body: bytes, _context: grpc.ServicerContext) -> bytes:
        tally.add(wire.count(body), len(body))
        return b""

    return export


def _served(services: Mapping[str, _Export]) -> int:
    server = grpc.server(ThreadPoolExecutor(8), options=_UNLIMITED)
    for name, export in services.items():
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(export)
        handler = grpc.method_handlers_generic_handler(name, {"Export": method})
        server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    _servers.append(server)
    return port


def serve_clickhouse(tally: _Tally, upstream: int) -> int:
    """Discard inserts and count their spans; a real server on port `upstream` answers the rest.

    So costspan meets its own schema and the version it expects, and no engine shares the two cores
    with what is measured. What the Collector's exporter asks is answered from `inserts`. Returns
    the port.
    """

    class Handler(_ClickHouse):
        pass

    Handler.tally, Handler.upstream = tally, upstream
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


class _ClickHouse(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave in one segment
    disable_nagle_algorithm = True
    tally: _Tally
    upstream: int

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        body = self._body()
        parameters = parse_qs(urlsplit(self.path).query)
        query, data = parameters.get("query", [""])[0], body
        if not query:  # it is the first line of the body
            head, _, data = body.partition(b"\n")
            query = head.decode(errors="replace")
        if query.lstrip()[:6].upper() == "INSERT":
            self.tally.add(inserts.spans(query, data), len(data))
            self._answer(200, [("X-ClickHouse-Summary", '{"written_rows":"1"}')], b"")
        elif body in inserts.ANSWERS:
            self._answer(200, [], inserts.ANSWERS[body])
        else:
            self._pass_on(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _pass_on(self, body: bytes) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_HEADERS}
        connection = HTTPConnection("127.0.0.1", self.upstream)
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        self._answer(answer.status, answer.getheaders(), answer.read())
        connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _HOP_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (as http.server)
        """Say nothing."""


_HOP_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})
