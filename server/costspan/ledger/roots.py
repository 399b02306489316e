"""Root spans that wait for the totals of their trace: who waits, and who is let go. No journal.

A root leaves with its totals when the ledger has closed the trace, else without: nothing here can
keep it for longer than `_MOST_SECONDS`, whatever becomes of the trace.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from costspan.errors import Undecodable
from costspan.model import (
    HELD_ROOTS,
    Frame,
    LlmCall,
    Metadata,
    TraceTotals,
    decode_calls,
    encode_calls,
)
from costspan.telemetry import Gauge, Labels, Telemetry
from costspan.wire import Head, each, heads, place, set_apart, unpack_heads

ROOTS_READER = "root_spans"  # of the journal: what it has before it has not been let go
# Above what a trace with a root may take to close (LedgerSettings.quiesce_max).
_MOST_SECONDS = 75
_OVERHEAD = 450  # bytes of a root that waits beside its body, measured with tracemalloc
Key = tuple[int, int]
"""Of a root: seq of the frame in which it came, and its place in it."""


class Root(NamedTuple):
    """One that waits, or is about to leave."""

    key: Key
    span_id: bytes
    metadata: Metadata
    body: bytes  # a request of this span alone
    until: int
    items: int = 1  # more only where a frame could not be taken apart

    @property
    def size(self) -> int:
        """Estimated bytes."""
        return len(self.body) + _OVERHEAD


WithTotals = Callable[[bytes, TraceTotals], bytes]
"""A request with the totals of its trace on every span."""


def apart(frame: Frame) -> list[Frame]:
    """The frame in two if it holds roots: what may leave at once, and the roots.

    Calls are told first where they are: neither half shows it. Raises Undecodable, ValueError.
    """
    parts = set_apart(frame.body)
    if parts is None:
        return [frame]
    held = len(parts.ordinals)
    if not parts.rest:
        return [frame._replace(signal=HELD_ROOTS)]
    calls = decode_calls(frame.calls)
    if calls:
        place(calls, heads(frame.body))
    own, others = _divided(calls, parts.ordinals)
    return [
        frame._replace(body=parts.rest, calls=encode_calls(others), items=frame.items - held),
        frame._replace(signal=HELD_ROOTS, body=parts.roots, calls=encode_calls(own), items=held),
    ]


def _divided(
    calls: Iterable[LlmCall], ordinals: Sequence[int]
) -> tuple[list[LlmCall], list[LlmCall]]:
    """The calls of the spans at `ordinals`, and the others; each counted within its half."""
    own: list[LlmCall] = []
    others: list[LlmCall] = []
    for call in calls:
        before = bisect_left(ordinals, call.ordinal)
        if before < len(ordinals) and ordinals[before] == call.ordinal:
            call.ordinal = before
            own.append(call)
        else:
            call.ordinal -= before
            others.append(call)
    return own, others


class Roots:
    """Call it from the ledger's thread; times in ns of one clock that does not step back."""

    def __init__(self, max_bytes: int, with_totals: WithTotals, telemetry: Telemetry) -> None:
        """`max_bytes`: of those that wait."""
        self._max = max_bytes
        self._with_totals = with_totals
        self._let_go = telemetry.root_spans
        self._waiting: OrderedDict[bytes, list[Root]] = OrderedDict()  # by trace, oldest first
        self._bytes = 0
        self.leaving: deque[Root] = deque()
        self._unsent: OrderedDict[int, int] = OrderedDict()  # seq -> roots that have not left
        self._newest = 0
        self._gauges = (telemetry.held_roots, telemetry.held_root_bytes)
        telemetry.watch(self._watch)

    def __len__(self) -> int:
        """Those that wait, and those that are about to leave."""
        return sum(map(len, self._waiting.values())) + len(self.leaving)

    @property
    def left(self) -> int:
        """Every root up to this seq has left."""
        return next(iter(self._unsent)) - 1 if self._unsent else self._newest

    def hold(self, frame: Frame, now: int) -> set[bytes]:
        """Take a frame of roots. Return the traces for which any of them waits.

        A frame that can't be taken apart leaves as it is.
        """
        if frame.seq <= self._newest:
            return set()  # read again after a fault
        self._newest = frame.seq
        try:
            spans = list(zip(unpack_heads(heads(frame.body)), each(frame.body), strict=True))
        except (Undecodable, ValueError):
            self._unsent[frame.seq] = 1
            whole = Root((frame.seq, 0), b"", frame.metadata, frame.body, now, frame.items)
            self._leave([whole], "unreadable")
            return set()
        self._unsent[frame.seq] = len(spans)
        until = now + _MOST_SECONDS * 10**9
        for index, (head, body) in enumerate(spans):
            root = Root((frame.seq, index), head.span_id, frame.metadata, body, until)
            self._wait(head, root)
        return {head.trace_id for head, _ in spans if head.trace_id in self._waiting}

    def _wait(self, head: Head, root: Root) -> None:
        """Copies of a root wait together; a second root of a trace does not wait."""
        others = self._waiting.get(head.trace_id)
        if others and others[0].span_id != root.span_id:
            self._leave([root], "second_root")
        elif self._bytes + root.size > self._max:
            self._leave([root], "limit")
        else:
            self._waiting.setdefault(head.trace_id, []).append(root)
            self._bytes += root.size

    def close(self, trace_id: bytes, total: TraceTotals | None) -> None:
        """The trace is closed; its roots leave. None: there is nothing to say of it."""
        roots = self._waiting.pop(trace_id, None)
        if roots is None:
            return
        self._bytes -= sum(root.size for root in roots)
        if total is None:
            self._leave(roots, "no_totals")
            return
        told = [root._replace(body=self._with_totals(root.body, total)) for root in roots]
        self._leave(told, "totals")

    def expire(self, now: int) -> None:
        """Those that have waited for too long leave."""
        while self._waiting:
            trace_id, roots = next(iter(self._waiting.items()))
            if roots[0].until > now:
                return
            self._give_up([trace_id], "timeout")

    def make_room(self) -> None:
        """The older half leaves: the journal needs the room that it takes."""
        older = list(self._waiting)[: (len(self._waiting) + 1) // 2]
        self._give_up(older, "limit")

    def end(self) -> None:
        """All leave."""
        self._give_up(list(self._waiting), "shutdown")

    def late(self, trace_ids: Iterable[bytes]) -> None:
        """Nobody will close these traces: their roots leave."""
        self._give_up(trace_ids, "late")

    def sent(self, roots: Iterable[Root]) -> None:
        """They are in the journal."""
        for root in roots:
            seq = root.key[0]
            self._unsent[seq] -= 1
            if not self._unsent[seq]:
                del self._unsent[seq]

    def _give_up(self, trace_ids: Iterable[bytes], outcome: str) -> None:
        for trace_id in trace_ids:
            roots = self._waiting.pop(trace_id, [])
            self._bytes -= sum(root.size for root in roots)
            self._leave(roots, outcome)

    def _leave(self, roots: list[Root], outcome: str) -> None:
        self.leaving.extend(roots)
        self._let_go.add(sum(root.items for root in roots), outcome)

    def _watch(self) -> Mapping[Gauge, Mapping[Labels, float]]:
        waiting, size = self._gauges
        return {waiting: {(): len(self)}, size: {(): self._bytes}}
