"""The life of the store's process: lock, engine, socket, endpoint file, signals, and the way back.

One line of JSON goes to stdout: {"endpoint": ...} once it listens, or {"error": ...}.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import uvicorn

from costspan.errors import StartError
from costspan.store.endpoint import (
    DATA,
    USER,
    Endpoint,
    read_endpoint,
    remove_endpoint,
    write_endpoint,
)
from costspan.store.engine import Engine
from costspan.store.interface import Interface

_LOCK = "store.lock"
_SHUTDOWN_SECONDS = 10


def serve(directory: Path, host: str, port: int, *, with_parent: bool) -> None:
    """Run until SIGTERM, SIGINT or, `with_parent`, the end of stdin. Raises StartError."""
    directory = directory.resolve()
    with _locked(directory), _listening(host, port) as listener:
        os.chdir(directory)  # the engine keeps compiled format schemas in ./__cache__
        password = _password(directory)
        server, interface, engine = _server(directory, password)
        endpoint = Endpoint(host, listener.getsockname()[1], USER, password, os.getpid())
        if with_parent:
            threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
        write_endpoint(directory, endpoint)
        announce({"endpoint": endpoint.url})
        try:
            server.run(sockets=[listener])
        finally:
            remove_endpoint(directory)
            interface.close()
            engine.close()


def announce(message: dict[str, str]) -> None:
    """Tell the parent. Nobody may be listening."""
    with suppress(OSError):
        sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
        sys.stdout.flush()


def _server(directory: Path, password: str) -> tuple[uvicorn.Server, Interface, Engine]:
    engine = Engine(directory / DATA)
    interface = Interface(engine, USER, password)
    config = uvicorn.Config(
        interface.app,
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return _Server(config), interface, engine


class _Server(uvicorn.Server):
    """uvicorn raises a signal again once it has stopped: the engine would never be closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory; nobody but its owner may look into it. Raises StartError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartError(f"the store can't use {directory}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = lock.read().strip() or "unknown"
            raise StartError(
                f"another store (process {holder}) runs on {directory}; attach to it by its"
                " store.json, or stop it first"
            ) from None
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise StartError(f"the store can't listen on {host}:{port}: {error.strerror}") from error
    # accepted sockets inherit it; asyncio sets it only where the protocol number is not 0
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        yield listener


def _password(directory: Path) -> str:
    """The password of the last run, so that what was attached comes back; else a new one."""
    try:
        return read_endpoint(directory).password
    except StartError:
        return secrets.token_urlsafe(24)


def _stop_with_parent(server: uvicorn.Server) -> None:
    """The parent holds our stdin: when it is gone, however it went, the store goes too."""
    # not through sys.stdin: its lock, held by this thread, would block the interpreter's end
    while os.read(0, 1024):
        pass
    server.should_exit = True
