"""The store as seen by the service: a child process that is started, watched and stopped.

chDB never enters this process: an abort of the engine ends the child, and it is started again.
"""

from __future__ import annotations

import logging
import select
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import IO

import msgspec

from costspan.errors import StartError
from costspan.store.endpoint import DATABASE, Endpoint, read_endpoint

_log = logging.getLogger(__name__)

_FIRST_BACKOFF = 0.5  # seconds
_MAX_BACKOFF = 30.0
_STEADY_SECONDS = 60.0  # a child that lived so long starts the back-off anew
_STOP_SECONDS = 15.0
_LINE = 64 * 1024  # bytes; far above the one line that the child writes


class EmbeddedStore:
    """One store on one directory. `start` and `stop` once each; `dsn` at any time in between."""

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        start_seconds: float = 30.0,
        first_backoff: float = _FIRST_BACKOFF,
    ) -> None:
        self.directory = directory
        self._address = (host, port)
        self._start_seconds = start_seconds
        self._first_backoff = first_backoff
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None
        self._watcher = threading.Thread(target=self._watch, name="store-watcher", daemon=True)
        self.restarts = 0

    def start(self) -> None:
        """Return once it answers. Raises StartError with the sentence to print."""
        if find_spec("chdb") is None:
            raise StartError("the embedded store needs chDB: pip install 'costspan[embedded]'")
        self._spawn()
        self._watcher.start()

    @property
    def dsn(self) -> str:
        """Address and credentials as of now: after a restart of the child the port may differ."""
        return self.endpoint.dsn(DATABASE)

    @property
    def endpoint(self) -> Endpoint:
        """Raises StartError before `start`."""
        if self._endpoint is None:
            raise StartError(f"the store on {self.directory} has not been started")
        return self._endpoint

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.endpoint.pid

    def stop(self) -> None:
        """Let the child finish what runs, then end it. Safe to call twice."""
        self._stopping.set()
        if self._child is not None:
            _end(self._child)
        if self._watcher.is_alive():
            self._watcher.join()
        if self._child is not None:
            _end(self._child)  # another one, if the watcher was just starting it

    def _spawn(self) -> None:
        host, port = self._address
        command = [sys.executable, "-m", "costspan.store", "--directory", str(self.directory)]
        child = subprocess.Popen(  # noqa: S603  our own module, arguments as a list
            [*command, "--host", host, "--port", str(port), "--with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours: the store must outlive the drain
        )
        try:
            self._await_readiness(child)
            self._endpoint = read_endpoint(self.directory)
        except StartError:
            child.kill()
            _end(child)
            raise
        self._child = child

    def _await_readiness(self, child: subprocess.Popen[bytes]) -> None:
        """Wait for the child's one line. Raises StartError."""
        line = _first_line(child.stdout, monotonic() + self._start_seconds)
        if line is None:
            raise StartError(
                f"the store on {self.directory} did not answer within {self._start_seconds:g} s"
            )
        try:
            message = msgspec.json.decode(line, type=dict[str, str])
        except msgspec.DecodeError:
            code = child.wait()
            raise StartError(
                f"the store on {self.directory} ended with code {code} before it listened"
            ) from None
        if "error" in message:
            raise StartError(message["error"])

    def _watch(self) -> None:
        """Start the child again whenever it ends, later each time."""
        backoff = self._first_backoff
        while self._child is not None:
            since = monotonic()
            code = self._child.wait()
            if self._stopping.is_set():
                return
            if monotonic() - since > _STEADY_SECONDS:
                backoff = self._first_backoff
            _log.error("the store ended with code %d; starting it again in %g s", code, backoff)
            if self._stopping.wait(backoff):
                return
            backoff = min(2 * backoff, _MAX_BACKOFF)
            self._respawn()

    def _respawn(self) -> None:
        """One attempt; a failed one leaves the dead child, and the watch comes round again."""
        dead = self._child
        try:
            self._spawn()
        except (StartError, OSError) as error:
            _log.warning("the store could not be started again: %s", error)
            return
        self.restarts += 1
        if dead is not None:
            _end(dead)


def _first_line(pipe: IO[bytes] | None, deadline: float) -> bytes | None:
    """What the pipe says up to a line feed or its end; None if the deadline comes first."""
    if pipe is None:
        raise StartError("the store was started without a pipe")
    data = b""
    while not data.endswith(b"\n") and len(data) < _LINE:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - monotonic()))
        if not ready:
            return None
        chunk = pipe.read1(_LINE)  # type: ignore[attr-defined]  # Popen's pipe is a BufferedReader
        if not chunk:
            break
        data += chunk
    return data


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, insist after a while, give up its pipes."""
    child.terminate()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _log.warning("the store did not stop within %g s; it is killed", _STOP_SECONDS)
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
