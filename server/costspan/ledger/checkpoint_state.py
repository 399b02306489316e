"""The ledger's state as bytes and back: one shape for each thing that is held. No file, no clock.

Fields are only ever added at the end, with a default: what is older lacks them. A change that an
earlier version cannot do without raises `checkpoint.FORMAT`.

Times of the state machine are of a clock that starts anew with the process. They are stored as
distances from the moment of writing, so the time between two processes does not pass for a trace:
while nobody listens, nothing can be late.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

import msgspec

from costspan.ledger.alarms import Watched
from costspan.ledger.billing import Known
from costspan.ledger.graveyard import pack as bury
from costspan.ledger.held import Carried, Kinds
from costspan.ledger.ledger import LedgerState
from costspan.ledger.meter import Outcome
from costspan.ledger.trace import Grave, Held, Trace
from costspan.model import LlmCall, TraceTotals

_SECTION = struct.Struct(">BI")  # kind, bytes that follow
_WITNESS, _COUNTED, _METERED = 1, 2, 4


class _Kind(IntEnum):
    """Of a section."""

    HEADER = 0
    TRACES = 1
    GRAVES = 2  # of format 1: as objects
    TOTALS = 3
    CALLS = 4
    PACKED_GRAVES = 5


class Snapshot(NamedTuple):
    """What one checkpoint holds: the ledger, and the rows that were not in the journal yet."""

    ledger: LedgerState
    totals: list[TraceTotals]
    calls: list[LlmCall]


class _Header(msgspec.Struct, array_like=True):
    last_seq: int
    doubtful_before: int


class _Known(msgspec.Struct, array_like=True, gc=False):
    """`Known`."""

    responses: list[str]
    below: list[tuple[bytes, int, int]]
    details: list[tuple[int, Kinds | None]] = []  # of each of them: calls and kinds


class _Grave(msgspec.Struct, array_like=True, gc=False):
    trace_id: bytes
    spans: list[bytes]
    known: _Known | None
    rooted: bool


class _Outcome(msgspec.Struct, array_like=True, gc=False):
    service: str
    cost: str  # attos
    calls: int
    seconds: float


class _Held(msgspec.Struct, array_like=True, gc=False):
    span_id: bytes
    record: bytes
    bits: int
    shown: bytes | None


class _Watched(msgspec.Struct, array_like=True, gc=False):
    """`Watched` without agents and tools: what repeats or grows is counted anew."""

    cost: str  # attos, as the next but one
    calls: int
    cost_checked: str
    calls_checked: int
    fired: list[str]


class _Trace(msgspec.Struct, array_like=True, gc=False):
    """`Trace` without what follows from the rest: `usage`, `payload`, `size`, `armed`."""

    trace_id: bytes
    generation: int
    arrived_ns: int
    last_seq: int
    first_seen: int  # this and the next three: ns from the moment of writing, mostly negative
    last_seen: int
    root_seen: int | None
    amend_at: int | None
    amendments: int
    heads: bytearray
    calls: list[_Held]
    grave: _Grave | None
    known: _Known | None
    outcome: _Outcome | None
    rooted: bool
    closed: bool
    digest: bytes
    published: int
    partial: bool
    watched: _Watched | None = None
    entry_seen: int | None = None  # this and the next as `first_seen`
    checkpoint_at: int | None = None
    announced: list[bytes] = []


_encode = msgspec.msgpack.Encoder().encode
_header = msgspec.msgpack.Decoder(_Header).decode
_traces = msgspec.msgpack.Decoder(list[_Trace]).decode
_graves = msgspec.msgpack.Decoder(list[_Grave]).decode
_packed_graves = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]]).decode
_totals = msgspec.msgpack.Decoder(list[TraceTotals]).decode
_calls = msgspec.msgpack.Decoder(list[LlmCall]).decode


class Packing:
    """A snapshot on its way into bytes, a piece at a time, as it was at `now`.

    The ledger may go on meanwhile: it calls `keep` with a trace before it changes it.
    """

    def __init__(self, snapshot: Snapshot, now: int, at_once: int) -> None:
        """`at_once`: traces, graves and rows that a piece may hold."""
        self._snapshot, self._now = snapshot, now
        self._at_once = at_once
        self._left = set(snapshot.ledger.traces)
        self._kept: dict[Trace, msgspec.Raw] = {}

    def keep(self, trace: Trace) -> None:
        """Pack it now, unless that is done."""
        if trace in self._left:
            self._kept[trace] = msgspec.Raw(_encode(self._pack(trace)))

    def __len__(self) -> int:
        """Pieces that it comes to."""
        (_, _, traces, graves), totals, calls = self._snapshot
        things = len(traces) + len(graves) + len(totals) + len(calls)
        return max(1, -(-things // self._at_once))

    def __iter__(self) -> Iterator[bytes]:
        """The whole, in order; once."""
        (last_seq, doubtful_before, traces, graves), totals, calls = self._snapshot
        piece, room = _section(_Kind.HEADER, _Header(last_seq, doubtful_before)), self._at_once
        for kind, things in (
            (_Kind.TRACES, map(self._packed, traces)),
            (_Kind.PACKED_GRAVES, iter(graves)),
            (_Kind.TOTALS, iter(totals)),
            (_Kind.CALLS, iter(calls)),
        ):
            while batch := list(islice(things, room)):
                piece += _section(kind, batch)
                room -= len(batch)
                if not room:
                    yield piece
                    piece, room = b"", self._at_once
        if piece:
            yield piece

    def _packed(self, trace: Trace) -> _Trace | msgspec.Raw:
        return self._kept.pop(trace, None) or self._pack(trace)

    def _pack(self, trace: Trace) -> _Trace:
        self._left.remove(trace)
        return _pack_trace(trace, self._now)


def unpack(data: memoryview, now: int) -> Snapshot:
    """The inverse, at another `now`. Raises ValueError (msgspec.DecodeError is one)."""
    header: _Header | None = None
    traces: list[Trace] = []
    graves: list[tuple[bytes, bytes]] = []
    totals: list[TraceTotals] = []
    calls: list[LlmCall] = []
    for kind, payload in _sections(data):
        match kind:
            case _Kind.HEADER:
                header = _header(payload)
            case _Kind.TRACES:
                traces += [_unpack_trace(one, now) for one in _traces(payload)]
            case _Kind.GRAVES:
                graves += [(one.trace_id, bury(_unpack_grave(one))) for one in _graves(payload)]
            case _Kind.PACKED_GRAVES:
                graves += _packed_graves(payload)
            case _Kind.TOTALS:
                totals += _totals(payload)
            case _Kind.CALLS:
                calls += _calls(payload)
    if header is None:
        raise ValueError("a checkpoint without a header")
    state = LedgerState(header.last_seq, header.doubtful_before, traces, graves)
    return Snapshot(state, totals, calls)


def _section(kind: _Kind, content: object) -> bytes:
    payload = _encode(content)
    return _SECTION.pack(kind, len(payload)) + payload


def _sections(data: memoryview) -> Iterator[tuple[_Kind, memoryview]]:
    while data:
        if len(data) < _SECTION.size:
            raise ValueError(
                f"a section of {_SECTION.size} bytes or more expected, {len(data)} left"
            )
        kind, size = _SECTION.unpack_from(data)
        end = _SECTION.size + size
        yield _Kind(kind), data[_SECTION.size : end]  # an unknown kind is a ValueError
        data = data[end:]


def _pack_trace(trace: Trace, now: int) -> _Trace:
    outcome = trace.outcome
    return _Trace(
        trace.trace_id,
        trace.generation,
        trace.arrived_ns,
        trace.last_seq,
        trace.first_seen - now,
        trace.last_seen - now,
        _moved(trace.root_seen, -now),
        _moved(trace.amend_at, -now),
        trace.amendments,
        trace.heads,
        [_pack_held(span_id, held) for span_id, held in trace.calls.items()],
        _pack_grave(trace.trace_id, trace.grave) if trace.grave else None,
        _pack_known(trace.known),
        _Outcome(outcome.service, str(outcome.cost), outcome.calls, outcome.seconds)
        if outcome
        else None,
        trace.rooted,
        trace.closed,
        trace.digest,
        trace.published,
        trace.partial,
        _pack_watched(trace.watched) if trace.watched else None,
        _moved(trace.entry_seen, -now),
        _moved(trace.checkpoint_at, -now),
        list(trace.announced),
    )


def _unpack_trace(state: _Trace, now: int) -> Trace:
    grave = _unpack_grave(state.grave) if state.grave else None
    trace = Trace(state.trace_id, state.generation, state.arrived_ns, now + state.first_seen, grave)
    trace.last_seq, trace.last_seen = state.last_seq, now + state.last_seen
    trace.root_seen, trace.amend_at = _moved(state.root_seen, now), _moved(state.amend_at, now)
    trace.entry_seen = _moved(state.entry_seen, now)
    trace.checkpoint_at = _moved(state.checkpoint_at, now)
    trace.unwritten = trace.checkpoint_at is not None
    trace.announced = frozenset(state.announced)
    trace.amendments, trace.heads = state.amendments, state.heads
    for held in state.calls:
        trace.hold(held.span_id, _unpack_held(held))
    trace.known = _unpack_known(state.known)
    if state.outcome is not None:
        service, cost, calls, seconds = msgspec.structs.astuple(state.outcome)
        trace.outcome = Outcome(service, int(cost), calls, seconds)
    trace.rooted, trace.closed, trace.digest = state.rooted, state.closed, state.digest
    trace.published, trace.partial = state.published, state.partial
    trace.watched = _unpack_watched(state.watched) if state.watched else None
    return trace


def _moved(at: int | None, by: int) -> int | None:
    return None if at is None else at + by


def _pack_watched(watched: Watched) -> _Watched:
    sums = str(watched.cost), watched.calls, str(watched.cost_checked), watched.calls_checked
    return _Watched(*sums, sorted(watched.fired))


def _unpack_watched(state: _Watched) -> Watched:
    checked = int(state.cost_checked), state.calls_checked
    return Watched(int(state.cost), state.calls, *checked, fired=frozenset(state.fired))


def _pack_held(span_id: bytes, held: Held) -> _Held:
    bits = held.witness * _WITNESS | held.counted * _COUNTED | held.metered * _METERED
    return _Held(span_id, held.record, bits, held.shown)


def _unpack_held(state: _Held) -> Held:
    bits = state.bits
    return Held(
        state.record,
        witness=bool(bits & _WITNESS),
        counted=bool(bits & _COUNTED),
        metered=bool(bits & _METERED),
        shown=state.shown,
    )


def _pack_grave(trace_id: bytes, grave: Grave) -> _Grave:
    return _Grave(trace_id, list(grave.spans), _pack_known(grave.known), grave.rooted)


def _unpack_grave(state: _Grave) -> Grave:
    return Grave(frozenset(state.spans), _unpack_known(state.known), state.rooted)


def _pack_known(known: Known) -> _Known | None:
    if not known.responses and not known.below:
        return None
    below = known.below.items()
    return _Known(
        list(known.responses),
        [(span_id, left.tokens_in, left.tokens_out) for span_id, left in below],
        [(left.calls, left.kinds) for _, left in below],
    )


def _unpack_known(state: _Known | None) -> Known:
    if state is None:
        return Known()
    details = state.details or [(1, None)] * len(state.below)
    below = {
        span_id: Carried(there, back, *detail)
        for (span_id, there, back), detail in zip(state.below, details, strict=True)
    }
    return Known(frozenset(state.responses), below)
