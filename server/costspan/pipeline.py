"""The straight line from a request's bytes to the journal. What is not called here does not happen.

    accept: room? ─▶ cut ─▶ intake of each piece ─▶ journal.append ─▶ (return = ack)
    intake: count ─▶ readable? ─▶ scan ─▶ recognise ─▶ price ─▶ mark doubles ─▶ enrich ─▶ splice

`intake` is a pure function of the bytes and of the prices in force: no clock, no I/O, and what it
remembers only makes it quicker. Prices in force are one reference, which `swap` replaces.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, Self

from costspan import wire
from costspan.clock import Clock
from costspan.dialect import DEFAULT_DIMENSIONS, Dimensions, recognise, wanted
from costspan.errors import Retryable
from costspan.ledger.agents import is_agents
from costspan.ledger.at_intake import mark, mark_doubles
from costspan.ledger.waiting import apart
from costspan.model import (
    PENDING,
    SOLO,
    TRACES,
    Frame,
    Hit,
    Journal,
    LlmCall,
    Metadata,
    Wanted,
    encode_calls,
)
from costspan.processor.enrich import OWN_KEYS, attributes, double_elsewhere
from costspan.processor.price import price
from costspan.telemetry import Telemetry
from costspan_pricing import Pricer

# Receivers cap a message at 4 MiB by default (grpc-go, grpcio, the Collector's otlp receiver), and
# above about that size copies and page faults double every figure.
MAX_PIECE = 4 * 1024 * 1024 - 64 * 1024
# Our attributes add some 360 bytes to a model call: 15 % if it carries a 2 KB prompt, and more than
# its own size if it is bare. Pieces of this size mostly fit once enriched; one that does not is cut
# and enriched again.
_FIRST_CUT = MAX_PIECE * 3 // 4
_log = logging.getLogger(__name__)


class Meter(NamedTuple):
    """How spans are metered; None in its place means pure forwarding."""

    pricer: Pricer
    wanted: Wanted
    dimensions: Dimensions
    attributes_off: frozenset[str] = frozenset()
    remeter: bool = False

    @classmethod
    def by(
        cls,
        pricer: Pricer,
        dimensions: Dimensions = DEFAULT_DIMENSIONS,
        attributes_off: frozenset[str] = frozenset(),
        *,
        remeter: bool = False,
        tools: bool = False,
    ) -> Self:
        """Metering by these prices: what they ask of a resource is looked for too.

        `tools`: so is every tool's span that says what the tool was called with.
        """
        asked = wanted(dimensions, OWN_KEYS, pricer.resource_keys, tools=tools)
        return cls(pricer, asked, dimensions, attributes_off, remeter)


class Intake(NamedTuple):
    """What became of one piece of a request."""

    body: bytes
    calls: bytes
    flags: int
    items: int
    faults: int = 0  # spans that we failed to read or price; they travel untouched
    uncounted: int = 0  # 1: the doubles could not be told; every span keeps its cost
    runs: tuple[int, ...] = ()  # ordinals of agents' runs, if those wait for totals


Note = Callable[[str, bytes], None]
"""Told of each accepted request that is no request of traces: (signal, body). It must not raise."""


class Pipeline:
    """The line, up to the ack. Thread-safe: receivers call it from many threads."""

    def __init__(
        self,
        journal: Journal,
        meter: Meter | None,
        telemetry: Telemetry,
        clock: Clock,
        note: Note | None = None,
        *,
        hold_spans: bool = False,
    ) -> None:
        """`hold_spans`: roots and agents' runs wait for totals, in frames of their own."""
        self._hold_spans = hold_spans
        self._journal = journal
        self._meter = meter
        self._telemetry = telemetry
        self._clock = clock
        self._note = note
        # One piece at a time. The interpreter runs one thread anyway; taking turns inside a piece,
        # threads push each other's megabytes out of the caches (8 callers with 512 model calls a
        # request: 20 % more CPU, 10 % for mixed spans). No lock per request: a small one waits
        # for a piece of a large one, not for all of it.
        self._turn = threading.Lock()

    def swap(self, meter: Meter | None) -> None:
        """Meter by this from the next piece on. May be called from any thread."""
        self._meter = meter

    def accept(self, signal: str, body: bytes, metadata: Metadata, transport: str) -> None:
        """Return when the request is in the journal: the caller may ack.

        Raises Undecodable (the outline does not parse) or Retryable (nothing of it was kept).
        """
        items = wire.count(body)
        telemetry = self._telemetry
        telemetry.received.add(items, transport, signal)
        if not items:
            return
        try:
            self._journal.admit(signal, len(body))  # a refusal must not cost an intake
            pieces = self._pieces(signal, body)
            now = self._clock.now()
            frames = [_frame(piece, now, signal, metadata) for piece in pieces]
            if self._hold_spans and signal == TRACES:
                parts = map(self._apart, frames, pieces)
                frames = [part for frame in parts for part in frame]
            self._journal.append(frames)
        except Retryable as refusal:
            reason = type(refusal).__name__.lower()
            telemetry.refused.add(items, transport, signal, reason)
            raise
        telemetry.accepted.add(items, transport, signal)
        telemetry.request_bytes.add(len(body), transport, signal)
        self._count_trouble(pieces)
        if self._note is not None and signal != TRACES:
            self._note(signal, body)

    def intake(self, request: bytes) -> Intake:
        """One piece: read, priced and enriched. Raises Undecodable."""
        items = wire.count(request)
        if not wire.readable(request):
            return Intake(request, b"", SOLO, items)
        meter = self._meter  # once: one piece is read and priced by one set of prices
        if meter is None:
            return Intake(request, b"", 0, items)
        hits = wire.scan(request, meter.wanted)
        priced, faults = _priced(hits, meter)
        uncounted = _marked([call for _, call in priced if call.role != PENDING], request)
        extra, unwritten = _enriched(priced, meter.attributes_off)
        body = wire.splice(request, extra)
        calls = [call for _, call in priced]
        runs = [call.ordinal for call in calls if is_agents(call)] if self._hold_spans else ()
        flaws = faults + unwritten, uncounted
        return Intake(body, encode_calls(calls), 0, items, *flaws, tuple(runs))

    def _pieces(self, signal: str, body: bytes) -> list[Intake]:
        if signal != TRACES:
            return [Intake(p, b"", 0, wire.count(p)) for p in wire.cut(body, MAX_PIECE)]
        return [piece for part in wire.cut(body, _FIRST_CUT) for piece in self._fitting(part)]

    def _fitting(self, request: bytes) -> list[Intake]:
        """The piece after intake; what our attributes make too large is cut before they come."""
        with self._turn:
            done = self.intake(request)
        if len(done.body) <= MAX_PIECE or done.items <= 1 or done.flags & SOLO:
            return [done]
        halves = wire.cut(request, len(request) // 2)
        if len(halves) == 1:
            return [done]
        return [piece for half in halves for piece in self._fitting(half)]

    def _apart(self, frame: Frame, piece: Intake) -> list[Frame]:
        """Roots and agents' runs wait; where they can't be told they don't, nor in SOLO frames."""
        if frame.flags & SOLO:
            return [frame]
        try:
            return apart(frame, piece.runs)
        except Exception:  # noqa: BLE001  a fault in holding must never cost a span
            _log.exception("the spans of a request that wait for totals could not be told")
            self._telemetry.intake_errors.add(1, "hold")
            return [frame]

    def _count_trouble(self, pieces: list[Intake]) -> None:
        for piece in pieces:
            if piece.flags & SOLO:
                self._telemetry.unreadable_requests.add(1, "full_decode")
            if piece.faults:
                self._telemetry.intake_errors.add(piece.faults, "meter")
            if piece.uncounted:
                self._telemetry.intake_errors.add(piece.uncounted, "doubles")


def _frame(piece: Intake, now: int, signal: str, metadata: Metadata) -> Frame:
    return Frame(0, now, signal, piece.flags, metadata, piece.body, piece.calls, piece.items)


def _priced(hits: Iterable[Hit], meter: Meter) -> tuple[list[tuple[Hit, LlmCall]], int]:
    """The calls among the spans, and how many of those could not be read or priced."""
    priced: list[tuple[Hit, LlmCall]] = []
    faults = 0
    for hit in hits:
        try:
            call = recognise(hit, meter.dimensions, remeter=meter.remeter)
            if call is None:
                continue
            price(call, meter.pricer, hit.resource)
        except Exception:  # noqa: BLE001  a fault in pricing must never cost the span
            _log.exception("span of scope %s could not be metered", hit.scope[0])
            faults += 1
            continue
        if hit.own and call.billed and not meter.remeter:
            reason = double_elsewhere(hit.own)
            if reason:
                mark(call, reason)
        priced.append((hit, call))
    return priced, faults


def _marked(calls: list[LlmCall], request: bytes) -> int:
    """Mark the calls that are told of twice. Return 1 if that failed, and none is marked."""
    try:
        mark_doubles(calls, partial(wire.links, request))
    except Exception:  # noqa: BLE001  a fault in counting must never cost a span
        _log.exception("the doubles of a request could not be told")
        return 1
    return 0


def _enriched(
    priced: list[tuple[Hit, LlmCall]], off: frozenset[str]
) -> tuple[dict[int, bytes], int]:
    """What is added to each span, by ordinal, and for how many that failed."""
    extra: dict[int, bytes] = {}
    faults = 0
    for hit, call in priced:
        try:
            extra[hit.ordinal] = attributes(call, hit.own, off)
        except Exception:  # noqa: BLE001  a cost that can't be written must never cost the span
            _log.exception("span of scope %s could not be enriched", hit.scope[0])
            faults += 1
    return extra, faults
