"""A proxy before the store that answers inserts of spans by a script; the rest passes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import urllib3

from integration.running_store import RunningStore


class Scene(NamedTuple):
    """What happens to one insert: is it stored, and which bytes come back before the end."""

    raw: bytes  # of the whole answer, headers included; b"" = the connection is closed
    stored: bool = False


class ScriptedProxy:
    """`script` holds the scenes to come; `inserts` counts those of spans."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.script: deque[Scene] = deque()
        self.inserts = 0
        self.forbidden = b""  # what a statement begins with that this user has no right to
        self.server = server

    def dsn(self, store: RunningStore, database: str) -> str:
        endpoint = store.embedded.endpoint
        port = self.server.server_address[1]
        return f"clickhouse://{endpoint.user}:{endpoint.password}@127.0.0.1:{port}/{database}"


@contextmanager
def scripted_proxy(store: RunningStore) -> Iterator[ScriptedProxy]:
    """Running until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    proxy = ScriptedProxy(server)
    with urllib3.PoolManager() as http:
        server.proxy, server.http = proxy, http  # type: ignore[attr-defined]  # for the handler
        server.url = store.embedded.endpoint.url  # type: ignore[attr-defined]  # the same
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


_FORBIDDEN = (
    b"HTTP/1.1 403 Forbidden\r\nX-ClickHouse-Exception-Code: 497\r\nConnection: close\r\n"
    b"Content-Length: 51\r\n\r\nCode: 497. DB::Exception: u: Not enough privileges."
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _answer(self, body: bytes) -> None:
        proxy: ScriptedProxy = self.server.proxy  # type: ignore[attr-defined]  # set above
        if proxy.forbidden and b"\n" + proxy.forbidden in b"\n" + body[:2000]:
            self.wfile.write(_FORBIDDEN)
            self.close_connection = True
            return
        of_spans = "query=INSERT+INTO+otel_traces" in self.path
        proxy.inserts += of_spans
        scene = proxy.script.popleft() if of_spans and proxy.script else None
        if scene is None or scene.stored:
            self._pass_on(body, answer=scene is None)
        if scene is not None:
            self.wfile.write(scene.raw)
            self.close_connection = True

    def _pass_on(self, body: bytes, *, answer: bool) -> None:
        server: object = self.server
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in ("host", "connection", "content-length")
        }
        found: urllib3.BaseHTTPResponse = server.http.request(  # type: ignore[attr-defined]  # set above
            self.command,
            f"{server.url}{self.path}",  # type: ignore[attr-defined]  # the same
            body=body,
            headers=headers,
            decode_content=False,
        )
        if answer:
            self.send_response(found.status)
            for name, value in found.headers.items():
                if name.lower().startswith("x-") or name.lower() == "content-encoding":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.data)))
            self.end_headers()
            self.wfile.write(found.data)

    def log_message(self, *_: object) -> None:
        """Tests do not chat."""
