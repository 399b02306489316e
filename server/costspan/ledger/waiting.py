"""Spans that wait for totals, roots and agents' runs: who waits, and who is let go. No journal.

They leave with what the ledger says when it has closed their trace, else without. Nothing here can
keep one for longer than `_MOST`, whatever becomes of the trace.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from costspan.errors import Undecodable
from costspan.ledger.forest import span_key
from costspan.model import (
    HELD,
    AgentTotals,
    Frame,
    LlmCall,
    Metadata,
    TraceTotals,
    decode_calls,
    encode_calls,
)
from costspan.telemetry import Gauge, Labels, Telemetry
from costspan.wire import Head, each, heads, place, set_apart, unpack_heads

WAITING_READER = "held_spans"  # of the journal: what it has before it has not been let go
_SECOND = 10**9
# Above what a trace with a root may take to close (LedgerSettings.quiesce_max).
_MOST = 75 * _SECOND
# With a span that has waited for so long, others of its trace leave a little early: a roll-up of
# the open trace tells all of them, and there is one in ten seconds at most.
_EARLY = 10 * _SECOND
_LOOK = _SECOND  # between two looks at how long they have waited
_OVERHEAD = 450  # bytes of a span that waits beside its body, measured with tracemalloc
_AGENTS_SHARE = 2  # agents' runs, of which there may be many, leave half of the room to roots
_log = logging.getLogger(__name__)
Key = tuple[int, int]
"""Of a span: seq of the frame in which it came, and its place in it."""


class Waiter(NamedTuple):
    """A span that waits, or is about to leave."""

    key: Key
    span_id: bytes
    metadata: Metadata
    body: bytes  # a request of this span alone
    since: int
    items: int = 1  # more only where a frame could not be taken apart

    @property
    def size(self) -> int:
        """Estimated bytes."""
        return len(self.body) + _OVERHEAD


Agents = Mapping[bytes, AgentTotals]
"""What runs of agents came to, by the id of their span."""
WithTotals = Callable[[bytes, TraceTotals | None, AgentTotals | None], bytes]
"""A request of one span, with the totals of its trace and of its agent on it."""


def apart(frame: Frame, runs: Sequence[int]) -> list[Frame]:
    """The frame in two if spans of it wait: what may leave at once, and roots and agents' runs.

    `runs`: ordinals of the latter. Calls are told first where they are: neither half shows it.
    Raises Undecodable, ValueError.
    """
    parts = set_apart(frame.body, frozenset(runs))
    if parts is None:
        return [frame]
    held = len(parts.ordinals)
    if not parts.rest:
        return [frame._replace(signal=HELD)]
    calls = decode_calls(frame.calls)
    if calls:
        place(calls, heads(frame.body))
    own, others = _divided(calls, parts.ordinals)
    return [
        frame._replace(body=parts.rest, calls=encode_calls(others), items=frame.items - held),
        frame._replace(signal=HELD, body=parts.apart, calls=encode_calls(own), items=held),
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


class Waiting:
    """Call it from the ledger's thread; times in ns of one clock that does not step back."""

    def __init__(self, max_bytes: int, with_totals: WithTotals, telemetry: Telemetry) -> None:
        """`max_bytes`: of those that wait."""
        self._max = max_bytes
        self._with_totals = with_totals
        self._faults = telemetry.intake_errors
        self._let_go = telemetry.released_spans
        self._waiting: dict[bytes, list[Waiter]] = {}  # by trace, oldest first
        self._bytes = 0
        self._look_at = 0
        self.leaving: deque[Waiter] = deque()
        self._unsent: OrderedDict[int, int] = OrderedDict()  # seq -> spans that have not left
        self._newest = 0
        self._gauges = (telemetry.held_spans, telemetry.held_span_bytes)
        telemetry.watch(self._watch)

    def __len__(self) -> int:
        """Those that wait, and those that are about to leave."""
        return sum(map(len, self._waiting.values())) + len(self.leaving)

    @property
    def left(self) -> int:
        """Every span up to this seq has left."""
        return next(iter(self._unsent)) - 1 if self._unsent else self._newest

    def hold(self, frame: Frame, now: int) -> set[bytes]:
        """Take a frame of spans that wait. Return the traces for which any of them does.

        A frame that can't be taken apart leaves as it is.
        """
        if frame.seq <= self._newest:
            return set()  # read again after a fault
        self._newest = frame.seq
        try:
            spans = list(zip(unpack_heads(heads(frame.body)), each(frame.body), strict=True))
        except (Undecodable, ValueError):
            self._unsent[frame.seq] = 1
            whole = Waiter((frame.seq, 0), b"", frame.metadata, frame.body, now, frame.items)
            self._leave([whole], "unreadable")
            return set()
        self._unsent[frame.seq] = len(spans)
        for index, (head, body) in enumerate(spans):
            key = (frame.seq, index)
            self._wait(head, Waiter(key, span_key(head.span_id), frame.metadata, body, now))
        return {head.trace_id for head, _ in spans if head.trace_id in self._waiting}

    def _wait(self, head: Head, one: Waiter) -> None:
        root = not any(head.parent_span_id)
        if self._bytes + one.size > (self._max if root else self._max // _AGENTS_SHARE):
            self._leave([one], "limit")
        else:
            self._waiting.setdefault(head.trace_id, []).append(one)
            self._bytes += one.size

    def close(self, trace_id: bytes, total: TraceTotals | None, agents: Agents) -> None:
        """The trace is closed; its spans leave. None: there is nothing to say of it."""
        for one in self._taken(trace_id):
            root = total if total is not None and total.root_span_id == one.span_id else None
            self._tell(one, root, agents.get(one.span_id), ("totals", "no_totals"))

    def expire(self, now: int, ask: Callable[[bytes], Agents]) -> None:
        """Those that have waited for too long leave.

        `ask`: what agents have come to in a trace that is still open.
        """
        if now < self._look_at:
            return
        self._look_at = now + _LOOK
        overdue = [i for i, waiters in self._waiting.items() if waiters[0].since + _MOST <= now]
        for trace_id in overdue:
            agents = ask(trace_id)
            for one in self._taken(trace_id, now - _MOST + _EARLY):
                self._tell(one, None, agents.get(one.span_id), ("early", "timeout"))

    def make_room(self) -> None:
        """The older half leaves: the journal needs the room that it takes."""
        older = sorted(self._waiting, key=lambda trace_id: self._waiting[trace_id][0].key)
        self._give_up(older[: (len(older) + 1) // 2], "limit")

    def end(self) -> None:
        """All leave."""
        self._give_up(list(self._waiting), "shutdown")

    def late(self, trace_ids: Iterable[bytes]) -> None:
        """Nobody will close these traces: their spans leave."""
        self._give_up(trace_ids, "late")

    def sent(self, waiters: Iterable[Waiter]) -> None:
        """They are in the journal."""
        for one in waiters:
            seq = one.key[0]
            self._unsent[seq] -= 1
            if not self._unsent[seq]:
                del self._unsent[seq]

    def _taken(self, trace_id: bytes, until: int | None = None) -> list[Waiter]:
        """The spans of a trace, which wait no more: those that came by `until`, or all."""
        taken = self._waiting.pop(trace_id, [])
        if until is not None:
            left = [one for one in taken if one.since > until]
            taken = [one for one in taken if one.since <= until]
            if left:
                self._waiting[trace_id] = left
        self._bytes -= sum(one.size for one in taken)
        return taken

    def _give_up(self, trace_ids: Iterable[bytes], outcome: str) -> None:
        for trace_id in trace_ids:
            self._leave(self._taken(trace_id), outcome)

    def _tell(
        self,
        one: Waiter,
        total: TraceTotals | None,
        agent: AgentTotals | None,
        outcomes: tuple[str, str],
    ) -> None:
        """It leaves with what there is to say; `outcomes`: with that, and without."""
        if total is None and agent is None:
            self._leave([one], outcomes[1])
            return
        try:
            one = one._replace(body=self._with_totals(one.body, total, agent))
        except Exception:  # noqa: BLE001  a fault in totals must never cost a span
            _log.exception("the totals of a span that waited could not be written")
            self._faults.add(1, "totals")
        self._leave([one], outcomes[0])

    def _leave(self, waiters: list[Waiter], outcome: str) -> None:
        self.leaving.extend(waiters)
        self._let_go.add(sum(one.items for one in waiters), outcome)

    def _watch(self) -> Mapping[Gauge, Mapping[Labels, float]]:
        waiting, size = self._gauges
        return {waiting: {(): len(self)}, size: {(): self._bytes}}
