"""What the ledger holds of one trace: packed heads and packed records. No timers, no metrics.

A record is 3 KB as objects and about 600 bytes packed; most traces are closed before anybody asks,
so they are held as bytes and unpacked once, for the roll-up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from costspan.ledger.alarms import Watched
from costspan.ledger.billing import Known
from costspan.ledger.forest import ROOT, is_entry, is_local, parent_key, richer
from costspan.ledger.meter import Outcome, counts_on_arrival
from costspan.ledger.rollup import Decision, Rollup, rollup
from costspan.model import PENDING, PROVISIONAL, WITNESS, LlmCall
from costspan.wire import HEAD, HEAD_SIZE

_NOTHING, _NO_IDS = Known(), frozenset[bytes]()  # shared: each would be looked at by the collector
# wire.HEAD without the trace id, which the key says, and without the spare bytes
_SPLIT = struct.Struct("<16s38s26x")
_PARENTS = struct.Struct("<8xQ22x")  # for the root check, nothing else is read
_ENTRIES = struct.Struct("<32xIBx")
_LINKS = struct.Struct("<8s8s16xI2x")
_HEAD = struct.Struct("<8s30s")
_NODE = struct.Struct("<8s8sQQIBB")
# bytes of the Python objects around the payload, measured with tracemalloc
_TRACE_BYTES, _CALL_BYTES, _GRAVE_BYTES, _ID_BYTES = 1000, 250, 850, 110

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LlmCall).decode


def group(heads: bytes) -> dict[bytes, bytes]:
    """A request's heads per trace, cut to what is held."""
    if len(heads) % HEAD_SIZE:
        raise ValueError(f"heads of {HEAD_SIZE} bytes each expected, {len(heads)} bytes seen")
    runs: dict[bytes, list[bytes]] = {}
    for trace_id, rest in _SPLIT.iter_unpack(heads):
        if trace_id in runs:
            runs[trace_id].append(rest)
        else:
            runs[trace_id] = [rest]
    return {trace_id: b"".join(run) for trace_id, run in runs.items()}


def take_announcements(
    groups: dict[bytes, bytes], calls: Iterable[LlmCall]
) -> dict[bytes, set[bytes]]:
    """Take out of the groups what was sent when a span began. Return the begun spans by trace."""
    announced: dict[bytes, set[bytes]] = {}
    sent: dict[bytes, set[bytes]] = {}
    for call in calls:
        if call.role == PENDING:
            trace_id = call.trace_id[:16].ljust(16, b"\0")
            announced.setdefault(trace_id, set()).add(parent_key(call.parent_span_id))
            sent.setdefault(trace_id, set()).add(parent_key(call.span_id))
    for trace_id, ids in sent.items():
        heads = _HEAD.iter_unpack(groups.get(trace_id, b""))
        groups[trace_id] = b"".join(span_id + rest for span_id, rest in heads if span_id not in ids)
    return announced


class Grave(NamedTuple):
    """What stays of a trace's closed generations, so that nothing of them is counted again."""

    spans: frozenset[bytes]  # usage-bearing
    known: Known
    rooted: bool

    @property
    def size(self) -> int:
        """Estimated bytes."""
        ids = len(self.spans) + len(self.known.responses) + len(self.known.below)
        return _GRAVE_BYTES + _ID_BYTES * ids


class Held(msgspec.Struct, gc=False, eq=False):
    """One record of an open trace. There are many: a garbage collection need not look at them."""

    record: bytes
    witness: bool
    counted: bool  # its money is in the counters
    metered: bool  # its usage is too: that is counted once
    shown: bytes | None  # the decision in its row; b"" as it arrived, None unsure

    @classmethod
    def of(cls, call: LlmCall) -> Held:
        """As it arrives."""
        counted = counts_on_arrival(call)
        # What a request alone decided is said again: a copy of the span that comes without its
        # double must not outlive it.
        shown = None if call.version == PROVISIONAL else b""
        return cls(
            _encode(call),
            witness=call.role == WITNESS,
            counted=counted,
            metered=counted,
            shown=shown,
        )

    @property
    def call(self) -> LlmCall:
        return _decode(self.record)

    def merge(self, call: LlmCall) -> tuple[LlmCall, LlmCall] | None:
        """Another copy of the span. Return (old, new) if the new one counts from now on."""
        if _encode(call) == self.record:
            return None
        self.shown = None  # which copy's row the store keeps is not known
        old = self.call
        if richer(old, call) is old:
            return None
        self.record = _encode(call)
        return old, call

    def correct(self, decision: Decision) -> bool:
        """Remember what the row has to say. Return True if it says something else."""
        call = decision.call
        arrived = (call.billed, call.billed_reason, call.identity, call.transaction, call.root)
        root = decision.root if any(decision.root) else b""
        wanted = (
            *(decision.billed, decision.reason, decision.identity),
            *(decision.transaction, root),
        )
        if self.shown == b"" and arrived == wanted:
            return False
        said = _encode(arrived) if self.shown == b"" else self.shown
        self.shown = _encode(wanted)
        return said != self.shown


class Trace:
    """One generation of one trace."""

    __slots__ = (
        "amend_at",
        "amendments",
        "announced",
        "armed",
        "arrived_ns",
        "calls",
        "checkpoint_at",
        "closed",
        "digest",
        "entry_seen",
        "first_seen",
        "generation",
        "grave",
        "heads",
        "known",
        "lacking",
        "last_seen",
        "last_seq",
        "outcome",
        "partial",
        "payload",
        "published",
        "root_seen",
        "rooted",
        "size",
        "trace_id",
        "unwritten",
        "usage",
        "watched",
    )

    def __init__(
        self, trace_id: bytes, generation: int, arrived_ns: int, now: int, grave: Grave | None
    ) -> None:
        self.trace_id, self.generation, self.arrived_ns = trace_id, generation, arrived_ns
        self.grave = grave  # of its earlier generations
        self.first_seen = self.last_seen = now
        self.root_seen: int | None = None
        self.entry_seen: int | None = None  # the last entry span, if these end a trace
        self.lacking: bool | None = None  # a parent is missing; None: nobody has looked
        self.announced = _NO_IDS  # spans that have begun, and may not have come
        self.last_seq = generation
        self.heads = bytearray()
        self.calls: dict[bytes, Held] = {}
        self.usage = False  # holds a record that is no witness
        self.payload = 0  # bytes of the records
        self.size = 0  # as the ledger last counted it
        self.closed = False
        self.outcome: Outcome | None = None  # of a closed trace that counts
        self.known = _NOTHING  # what it leaves to a later generation
        self.rooted = False
        self.digest = b""  # of the totals last emitted
        self.published = 0  # version of its row that an earlier process wrote
        # An earlier process knew more of it than we do: that row stands, and no other goes out.
        self.partial = False
        self.amend_at: int | None = None  # late spans wait to be emitted
        self.amendments = 0
        self.unwritten = False  # records have come since its last row
        self.checkpoint_at: int | None = None  # while it is open
        self.armed: int | None = None  # when the timer that counts will go off
        self.watched: Watched | None = None  # None: nobody asked

    def add_heads(self, heads: bytes, seq: int, now: int, *, entries: bool = False) -> int:
        """Take grouped heads. Return how many spans they are. `entries`: look for entry spans."""
        self.last_seq, self.last_seen = seq, now
        self.heads += heads
        self.lacking = None
        if self.root_seen is None and any(parent == 0 for (parent,) in _PARENTS.iter_unpack(heads)):
            self.root_seen = now
        if entries and any(is_entry(*one) for one in _ENTRIES.iter_unpack(heads)):
            self.entry_seen = now
        return len(heads) // _NODE.size

    def look_for_spans(self) -> bool:
        """Whether one is missing that has to come.

        A parent that is known to be in the process of its child, or a span that was announced.
        """
        links = list(_LINKS.iter_unpack(self.heads))
        here = {span_id for span_id, _, _ in links} | {ROOT}
        self.lacking = any(is_local(flags) and parent not in here for _, parent, flags in links)
        self.announced -= here
        return self.lacking or bool(self.announced)

    def hold(self, span_id: bytes, held: Held) -> None:
        """A span's record, in place of the one that there was."""
        replaced = self.calls.get(span_id)
        if replaced is not None:
            self.payload -= len(replaced.record) + _CALL_BYTES
        self.calls[span_id] = held
        self.usage |= not held.witness
        self.payload += len(held.record) + _CALL_BYTES

    @property
    def spans(self) -> int:
        """Heads held, re-sent ones too."""
        return len(self.heads) // _NODE.size

    def estimate(self) -> int:
        """Estimated bytes of everything it holds; a bytearray grows by an eighth ahead."""
        grave = self.grave.size if self.grave else 0
        ids = _ID_BYTES * len(self.announced)
        return _TRACE_BYTES + len(self.heads) * 9 // 8 + self.payload + grave + ids

    def rollup(self) -> Rollup:
        """Unpack and roll up."""
        known = self.grave.known if self.grave else _NOTHING
        nodes = _NODE.iter_unpack(self.heads)
        return rollup([held.call for held in self.calls.values()], nodes, known)

    def packed_heads(self) -> bytes:
        """The heads as `wire.heads` packs them, the trace id included."""
        return b"".join(
            HEAD.pack(self.trace_id, span_id, parent, *rest)
            for span_id, parent, *rest in _NODE.iter_unpack(self.heads)
        )

    def conclude(self, rolled: Rollup) -> None:
        """Remember what it came to."""
        if rolled.counts and not self.partial:
            total = rolled.total
            seconds = (rolled.end_ns - rolled.start_ns) / 1e9
            self.outcome = Outcome(rolled.service, total.cost, total.calls, seconds)
        self.known, self.rooted = rolled.left, rolled.rooted or self.entry_seen is not None

    def release(self) -> None:
        """Give the payload back: an entry of the calendar may name the trace for a while."""
        self.size = 0
        self.heads, self.calls, self.announced = bytearray(), {}, _NO_IDS

    def bury(self) -> Grave | None:
        """What has to be remembered when it goes; None if nothing ever carried usage."""
        if not self.usage:
            return self._passed_on()
        spans = frozenset(span_id for span_id, held in self.calls.items() if not held.witness)
        earlier = self.grave.spans if self.grave else frozenset()
        rooted = self.rooted or (self.grave is not None and self.grave.rooted)
        return Grave(spans | earlier, self.known, rooted)

    def _passed_on(self) -> Grave | None:
        """The grave of earlier generations: what they left below a span may be below another now.

        A step between a call and its wrapper may be all that a generation saw.
        """
        grave = self.grave
        if grave is None or not grave.known.below:
            return grave
        rolled = self.rollup()
        return Grave(grave.spans, rolled.left, grave.rooted or rolled.rooted)
