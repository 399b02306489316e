"""Kept-alive HTTP connections to one host: one for each post in flight. No OTLP here."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPConnection, HTTPException, IncompleteRead, RemoteDisconnected
from typing import NamedTuple
from urllib.parse import SplitResult

from costspan.errors import Unreachable
from costspan.exporter.otlp.tls import Stamp, Tls

_MAX_ANSWER_BYTES = 4 << 20  # as the specification of OTLP bounds a response


class Answer(NamedTuple):
    """What came back, whatever its status."""

    status: int
    headers: Message
    body: bytes


class _Line:
    """A connection that several posts use one after the other."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection
        self.fresh = True  # no post has used it since it was opened
        self.idle_since = time.monotonic()

    def hang_up(self) -> None:
        self.connection.close()
        self.fresh = True

    def cut(self) -> None:
        """End a post that another thread waits for: closing alone would not wake it."""
        if self.connection.sock is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself
                self.connection.sock.shutdown(socket.SHUT_RDWR)


class Connections:
    """Posts to one host. Safe from any thread."""

    def __init__(self, url: SplitResult, tls: Tls, timeout: float, idle_timeout: float) -> None:
        self._host, self._port = url.hostname or "", url.port
        self._trust = _Trust(tls) if url.scheme == "https" else None
        self._timeout = timeout
        self._idle_timeout = idle_timeout
        self._idle: list[_Line] = []
        self._busy: set[_Line] = set()
        self._closed = False
        self._lock = threading.Lock()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once. Raises Unreachable if no answer came."""
        line = self._borrow()
        try:
            return self._post(line, path, body, headers)
        finally:
            self._give_back(line)

    def close(self) -> None:
        """Close what is idle and cut what is in use."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for line in idle:
            line.hang_up()
        for line in busy:
            line.cut()

    def _borrow(self) -> _Line:
        with self._lock:
            if self._closed:
                raise Unreachable("the exporter is closed")
            line = self._idle.pop() if self._idle else _Line(self._connection())
            self._busy.add(line)
            return line

    def _give_back(self, line: _Line) -> None:
        line.idle_since = time.monotonic()
        with self._lock:
            self._busy.discard(line)
            if self._closed:
                line.hang_up()
            else:
                self._idle.append(line)

    def _connection(self) -> HTTPConnection:
        """Not open yet."""
        if self._trust is None:
            return HTTPConnection(self._host, self._port, timeout=self._timeout)
        return _TlsConnection(self._host, self._port, self._timeout, self._trust)

    def _post(self, line: _Line, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """A kept-alive connection that the server has closed meanwhile is opened again."""
        if self._idle_timeout and time.monotonic() - line.idle_since > self._idle_timeout:
            line.hang_up()
        fresh = line.fresh
        try:
            return _exchange(line, path, body, headers)
        except (RemoteDisconnected, ConnectionResetError, BrokenPipeError) as fault:
            line.hang_up()
            if fresh or self._closed:
                raise _unreachable(fault) from fault
            return self._post(line, path, body, headers)
        except TimeoutError as fault:
            line.hang_up()
            raise Unreachable("no answer in time", reason="deadline_exceeded") from fault
        except (OSError, HTTPException) as fault:
            line.hang_up()
            raise _unreachable(fault) from fault


class _Trust:
    """The certificates in use: read again by the first connection after a change."""

    def __init__(self, tls: Tls) -> None:
        self.server_name = tls.server_name
        self._tls = tls
        self._stamp: Stamp | None = None
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Raises OSError if a file can't be used."""
        stamp = self._tls.stamp()
        if self._context is None or stamp != self._stamp:
            self._context, self._stamp = self._tls.context(), stamp
        return self._context


class _TlsConnection(HTTPConnection):
    """HTTPS; the name in the certificate may be another than that of the host."""

    default_port = 443

    def __init__(self, host: str, port: int | None, timeout: float, trust: _Trust) -> None:
        super().__init__(host, port, timeout=timeout)
        self._trust = trust

    def connect(self) -> None:
        context = self._trust.context()
        super().connect()
        name = self._trust.server_name or self.host
        self.sock = context.wrap_socket(self.sock, server_hostname=name)


def _exchange(line: _Line, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection = line.connection
    try:
        connection.request("POST", path, body=body, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        if connection.sock is None:
            raise
        # a server may answer "too large" and close before it has read the whole body
    response = connection.getresponse()
    content = response.read(_MAX_ANSWER_BYTES)
    if response.length and len(content) < _MAX_ANSWER_BYTES:
        # http.client says so only where no length is given to `read`. What was lost may have
        # said "rejected", and whoever dies while answering may have lost the spans too.
        raise IncompleteRead(content, response.length)
    line.fresh = False
    if response.will_close or not response.isclosed():
        line.hang_up()
    return Answer(response.status, response.headers, content)


def _unreachable(fault: Exception) -> Unreachable:
    return Unreachable(f"no answer: {str(fault) or type(fault).__name__}")
