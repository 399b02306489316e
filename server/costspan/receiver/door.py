"""One request's way in, alike for both transports: loop check, accept, outcome. It never raises."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from costspan.model import Metadata
from costspan.receiver.status import SELF_LOOP, SUCCESS, Verdict, verdict
from costspan.telemetry import Telemetry

_log = logging.getLogger(__name__)

Accept = Callable[[str, bytes, Metadata, str], None]
"""`Pipeline.accept`: signal, body, metadata, transport. Returning is the ack; raises a verdict."""

VIA = "costspan-via"  # names the costspan that sent a request
# Of what travels on. A client may repeat a header; gRPC itself bounds them all to 16 KiB.
_MOST_HEADERS = 32
_LONGEST_VALUE = 4096


@dataclass(frozen=True, slots=True)
class Door:
    """Where the requests of one transport enter the line."""

    transport: str  # grpc | http
    accept: Accept
    telemetry: Telemetry
    instance: str
    include_metadata: frozenset[str] = frozenset()  # header names, lower case, that travel on

    def is_loop(self, signal: str, via: str | None) -> bool:
        """Whether a request is one of our own that came back. It is counted and goes nowhere."""
        if not via or via != self.instance:
            return False
        self.telemetry.self_loop_requests.add(1, self.transport)
        self.count(signal, SELF_LOOP)
        return True

    def enter(self, signal: str, body: bytes, headers: Iterable[tuple[str, str]]) -> Verdict | None:
        """Hand a request to the line. None is the ack."""
        try:
            self.accept(signal, body, self._kept(headers), self.transport)
        except Exception as error:  # noqa: BLE001 (the boundary: what grpc sees it calls UNKNOWN)
            return self.refuse(signal, error)
        self.count(signal, SUCCESS)
        return None

    def refuse(self, signal: str, error: Exception) -> Verdict:
        """The verdict on what was raised, counted; a fault of ours is logged."""
        found = verdict(error)
        if found.outcome == "fault":
            _log.error("a request of %s could not be accepted", signal, exc_info=error)
        self.count(signal, found.outcome)
        return found

    def count(self, signal: str, outcome: str) -> None:
        self.telemetry.requests.add(1, self.transport, signal, outcome)

    def _kept(self, headers: Iterable[tuple[str, str]]) -> Metadata:
        """The headers that travel on, in an order of their own: equal sets are joined.

        They are kept with every frame, so a long one stays behind: the destination then misses it,
        as it would miss one that the client has not sent.
        """
        if not self.include_metadata:
            return ()
        named = sorted(item for item in headers if item[0] in self.include_metadata)
        kept = tuple(item for item in named[:_MOST_HEADERS] if len(item[1]) <= _LONGEST_VALUE)
        if len(kept) < len(named):
            self.telemetry.headers_left_out.add(len(named) - len(kept), self.transport)
        return kept
