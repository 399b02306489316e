"""Serves ASGI apps: one thread, one event loop, one socket per app. No app is built here."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from costspan.errors import StartError

_START_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 90  # above the 60 s of a metric reader: its connection must not go stale
_BACKLOG = 512


def listen(endpoint: str, purpose: str) -> socket.socket:
    """A listening socket for `endpoint` (host:port). Raises StartError with a sentence.

    Called in the main thread, before anything is accepted. Port 0 takes a free one.
    """
    host, colon, port = endpoint.rpartition(":")
    if not colon or not port.isdecimal():
        raise StartError(f"{purpose} can't listen on {endpoint!r}: expected host:port")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as fault:
        raise StartError(f"{purpose} can't listen on {endpoint}: {fault.strerror}") from fault
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as fault:
        sock.close()
        text = os.strerror(fault.errno) if fault.errno else str(fault)
        raise StartError(f"{purpose} can't listen on {endpoint}: {text}") from fault
    return sock


class WebServer:
    """Several apps, each on its own listening socket. `start` once, then `stop` once."""

    def __init__(self, sites: Sequence[tuple[socket.socket, ASGIApp]]) -> None:
        self._sockets = [sock for sock, _ in sites]
        self._started = threading.Semaphore(0)
        self._servers = [_Server(_config(app), self._started) for _, app in sites]
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Return when every app answers. Raises StartError if one does not come up."""
        self._thread.start()
        for _ in self._servers:
            if not self._started.acquire(timeout=_START_SECONDS):
                raise StartError(f"the web server did not start within {_START_SECONDS:.0f} s")

    def stop(self, grace: float = 2.0) -> None:
        """Take no new connections, give the open requests `grace` seconds, then end the thread."""
        for server in self._servers:
            server.config.timeout_graceful_shutdown = max(1, round(grace))
            server.should_exit = True
        if self._thread.ident is None:
            for sock in self._sockets:
                sock.close()
        else:
            self._thread.join(grace + 2.0)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        pairs = zip(self._servers, self._sockets, strict=True)
        await asyncio.gather(*(server.serve([sock]) for server, sock in pairs))


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, started: threading.Semaphore) -> None:
        super().__init__(config)
        self._is_up = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._is_up.release()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
