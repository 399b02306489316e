"""The health endpoints, and the state behind them. Nothing remote is asked when a probe comes.

Ready means "send your spans here": it stays 200 while a destination is down, because a failing
readiness probe would take the customer's pod out of service. `?verbose` says what is wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from costspan import __version__
from costspan.clock import Clock, SystemClock
from costspan.model import Backlog
from costspan.web.asgi import JSON, NOT_FOUND, READ_ONLY, Response, respond

_SECOND = 1_000_000_000


class Phase(StrEnum):
    """Where the process is in its life."""

    STARTING = "starting"  # sockets are not all bound
    SERVING = "serving"
    DRAINING = "draining"  # still accepts for a moment, and asks not to be sent more


class Component(NamedTuple):
    """What one part says of itself."""

    ok: bool
    message: str = ""  # the last error, in its own words
    facts: Mapping[str, str | int | float] = {}


Probe = Callable[[], Component]
"""Asked on the event loop: it must not wait for anything."""


class Health:
    """The state of the process and the parts that it asks. Safe from any thread."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._started_ns = self._clock.now()
        self._started_monotonic = self._clock.monotonic()
        self._probes: dict[str, Probe] = {}
        self._lock = threading.Lock()
        self.phase = Phase.STARTING

    def watch(self, name: str, probe: Probe) -> None:
        """Show a part under `name` (receiver/otlp, exporter/clickhouse, ledger, store)."""
        with self._lock:
            self._probes[name] = probe

    @property
    def up_since(self) -> datetime:
        return datetime.fromtimestamp(self._started_ns / _SECOND, UTC)

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return (self._clock.monotonic() - self._started_monotonic) / _SECOND

    def components(self) -> dict[str, Component]:
        """Ask every part. One that fails to answer is not ok, and that is all."""
        with self._lock:
            probes = dict(self._probes)
        return {name: _ask(probe) for name, probe in sorted(probes.items())}


def exporter_component(backlog: Backlog, last_error: str, now_ns: int) -> Component:
    """A destination's state: how far it is behind, and its last error."""
    lag = max(0, now_ns - backlog.oldest_ns) / _SECOND if backlog.oldest_ns else 0.0
    facts: dict[str, str | int | float] = {
        "queued_items": backlog.items,
        "queued_bytes": backlog.bytes,
        "lag_seconds": round(lag, 3),
        "dropped_items": backlog.dropped_items,
    }
    return Component(not last_error, last_error, facts)


def health_app(health: Health) -> ASGIApp:
    """The app to serve on 13133."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] not in ("GET", "HEAD"):
            await respond(send, READ_ONLY)
            return
        verbose = scope.get("query_string", b"").startswith(b"verbose")
        response = _answer(health, scope["path"], verbose=verbose)
        await respond(send, response, with_body=scope["method"] == "GET")

    return app


def _answer(health: Health, path: str, *, verbose: bool) -> Response:
    match path:
        case "/":
            return _collector_style(health)
        case "/healthz/startup":
            good = health.phase is not Phase.STARTING
        case "/healthz/live":
            good = True  # the event loop answers: that is the heartbeat
        case "/healthz/ready":
            good = health.phase is Phase.SERVING
        case _:
            return NOT_FOUND
    return Response(200 if good else 503, _state(health, verbose=verbose), JSON)


def _ask(probe: Probe) -> Component:
    try:
        return probe()
    except Exception as fault:  # noqa: BLE001 (a part that can't answer must not fail the probe)
        return Component(ok=False, message=f"{type(fault).__name__}: {fault}")


def _state(health: Health, *, verbose: bool) -> bytes:
    status: dict[str, object] = {"status": health.phase.value}
    if verbose:
        status |= {
            "version": __version__,
            "uptime_seconds": round(health.uptime, 3),
            "components": {name: _shown(part) for name, part in health.components().items()},
        }
    return msgspec.json.encode(status) + b"\n"


def _shown(part: Component) -> dict[str, object]:
    shown: dict[str, object] = {"ok": part.ok, **part.facts}
    return shown | {"message": part.message} if part.message else shown


def _collector_style(health: Health) -> Response:
    """The answer of the Collector's health_check extension, for probes that were written for it."""
    if health.phase is not Phase.SERVING:
        return Response(503, b'{"status":"Server not available"}\n', JSON)
    body = {
        "status": "Server available",
        "upSince": health.up_since.isoformat(),
        "uptime": f"{health.uptime:.3f}s",
    }
    return Response(200, msgspec.json.encode(body) + b"\n", JSON)
