"""A gateway in front of ClickHouse that answers inserts itself when it is told to. No judgement."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from peers import _QuietServer

_HOP_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})


class Mood(NamedTuple):
    """What is said to an insert in place of ClickHouse's own answer."""

    name: str
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    written: bool = False  # ClickHouse has done it before
    missing: int = 0  # bytes that the head announces and that never come
    above: int = -1  # only to bodies of more bytes


class MoodyGateway:
    """`with MoodyGateway(port_of_clickhouse) as gateway:`; good until `mood` is set."""

    def __init__(self, server: int) -> None:
        self.mood: Mood | None = None
        self.hits: Counter[str] = Counter()  # by the name of the mood
        gateway = self

        class Handler(_Handler):
            pass

        Handler.gateway, Handler.server_port = gateway, server
        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 5
    gateway: MoodyGateway
    server_port: int

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        body, mood = self._body(), self.gateway.mood
        if mood is None or not self._inserts(body) or len(body) <= mood.above:
            self._pass_on(body)
            return
        self.gateway.hits[mood.name] += 1
        if mood.written:
            self._ask(body)
        self._answer(mood.status, mood.headers, mood.body, mood.missing)

    def log_message(self, *_: object) -> None:
        pass

    def _inserts(self, body: bytes) -> bool:
        query = parse_qs(urlsplit(self.path).query).get("query", [""])[0].encode()
        return (query or body[:6]).lstrip()[:6].upper() == b"INSERT"

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
        self._answer(*self._ask(body))

    def _ask(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_HEADERS}
        connection = HTTPConnection("127.0.0.1", self.server_port, timeout=20)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _answer(
        self, status: int, headers: Mapping[str, str], body: bytes, missing: int = 0
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + missing))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.close_connection = self.close_connection or bool(missing)
