"""A costspan of one's own: `costspan run` as a child process on free loopback ports.

A real process and not a thread of ours, so that what the demo shows is what a user gets. It is
also what the end-to-end tests start.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from costspan.errors import StartError

_CONFIG = "COSTSPAN_DEMO_CONFIG"
_OTHER_PORTS = 4
_TAKEN = ("the port is in use", os.strerror(errno.EADDRINUSE))  # gRPC's sentence, and HTTP's
_LAST_LINES = 5
Section = Mapping[str, Any]


class Ports(NamedTuple):
    """Loopback ports of one line."""

    grpc: int
    http: int
    metrics: int
    health: int


def free_ports() -> Ports:
    """Ports that nobody listened on a moment ago: all bound at once, so they differ."""
    sockets = [socket.socket() for _ in Ports._fields]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return Ports(*(each.getsockname()[1] for each in sockets))
    finally:
        for each in sockets:
            each.close()


def configuration(
    ports: Ports,
    exporters: Section,
    *,
    processors: Section | None = None,
    journal: Section | None = None,
    drain: str = "10s",
) -> dict[str, Any]:
    """A whole configuration file on loopback. Traces settle within two seconds."""
    telemetry = {"metrics": {"address": f"127.0.0.1:{ports.metrics}"}}
    totals = {"trace_totals": {"root_grace": "1s", "quiet": "1s"}}
    protocols = {"grpc": _at(ports.grpc), "http": _at(ports.http)}
    return {
        "receivers": {"otlp": {"protocols": protocols}},
        "processors": {**totals, **(processors or {})},
        "exporters": dict(exporters),
        **({"journal": dict(journal)} if journal else {}),
        "extensions": {"health_check": _at(ports.health)},
        "service": {
            "telemetry": telemetry,
            "drain": {"accept_grace": "0s", "timeout": drain},
        },
    }


class Line:
    """Start it, point an exporter at `ports`, stop it. Its log goes to the file `log`."""

    def __init__(
        self, config: Section, ports: Ports, log: Path, arguments: Sequence[str] = ()
    ) -> None:
        self.ports = ports
        self.log = log
        self._command = [sys.executable, "-m", "costspan", "run", f"--config=env:{_CONFIG}"]
        self._command += arguments
        self._environment = {**os.environ, _CONFIG: json.dumps(config)}
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id; StartError if it was never started."""
        return self._running().pid

    def start(self, timeout: float = 30.0) -> None:
        """Return when it takes spans. Raises StartError with the end of its log."""
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us first, and we stop it in order
            )
        try:
            self._await_readiness(timeout)
        except BaseException:  # an interrupt too: nothing may stay behind
            self.stop()
            raise

    def stop(self, timeout: float = 30.0) -> int:
        """Ask it to drain and end; after `timeout` seconds end it. Returns its exit code."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def ended(self, within: float) -> int | None:
        """Its exit code if it ends within so many seconds, else None."""
        try:
            return self._running().wait(within)
        except subprocess.TimeoutExpired:
            return None

    def ready(self) -> bool:
        """Whether it says that it takes spans."""
        url = f"http://127.0.0.1:{self.ports.health}/healthz/ready"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004 (HTTP OK)
        except (urllib.error.URLError, OSError):
            return False

    def last_words(self) -> str:
        """What it printed as plain text since the start, else the end of its log."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        plain = [line for line in lines if not line.startswith("{")]  # its log is JSON
        return "\n".join((plain or lines)[-_LAST_LINES:])

    def _await_readiness(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not self.ready():
            if self.ended(within=0.05) is not None:
                raise StartError(self.last_words() or "costspan run ended at once")
            if time.monotonic() > deadline:
                raise StartError(
                    f"costspan run was not ready in {timeout:.0f} s:\n{self.last_words()}"
                )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise StartError("costspan run was never started")
        return self._process


def start_anywhere(make: Callable[[Ports], Line]) -> Line:
    """Start a line on ports that are free. Somebody may take one of them first: then on others.

    Raises StartError.
    """
    for _ in range(_OTHER_PORTS):
        line = make(free_ports())
        try:
            line.start()
        except StartError as error:
            if not any(text in str(error) for text in _TAKEN):
                raise
        else:
            return line
    line = make(free_ports())
    line.start()
    return line


def _at(port: int) -> dict[str, str]:
    return {"endpoint": f"127.0.0.1:{port}"}
