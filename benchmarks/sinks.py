"""The far ends: an OTLP sink and a ClickHouse stand-in, each a process of its own that counts."""

from __future__ import annotations

import multiprocessing
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from threading import Lock, Thread
from typing import NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import grpc

from costspan import wire

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_UNLIMITED: list[tuple[str, int]] = [("grpc.max_receive_message_length", -1)]


class Counts(NamedTuple):
    """What has arrived so far."""

    requests: int = 0
    items: int = 0  # spans; of inserts the stand-in sees no rows
    bytes: int = 0


class _Tally:
    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = Counts()

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

    def __init__(self, serve: Callable[[_Tally], int]) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, far_end = context.Pipe()
        self._process = context.Process(target=_main, args=(far_end, serve), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.port = self._control.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._control.send(False)
        self._process.join()

    def counts(self) -> Counts:
        self._control.send(True)
        counts: Counts = self._control.recv()
        return counts


def _main(control: Connection, serve: Callable[[_Tally], int]) -> None:
    tally = _Tally()
    control.send(serve(tally))
    while control.recv():
        control.send(tally.read())


_servers: list[grpc.Server] = []  # a server that nobody holds is stopped


def serve_otlp(tally: _Tally) -> int:
    """Take every trace request, count its spans, answer success. Returns the port."""

    def export(body: bytes, _context: grpc.ServicerContext) -> bytes:
        tally.add(wire.count(body), len(body))
        return b""

    server = grpc.server(ThreadPoolExecutor(8), options=_UNLIMITED)
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(export)
    handler = grpc.method_handlers_generic_handler(_SERVICE, {"Export": method})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    _servers.append(server)
    return port
