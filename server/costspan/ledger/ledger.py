"""The state machine over open traces. It is told the time and the frames; it does no I/O.

Open -> closed (a row goes out) -> forgotten (a grave stays). A span of a closed trace amends it; a
span of a forgotten one starts a new generation. The rows of all generations add up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import islice
from typing import NamedTuple

from costspan.ledger.forest import span_key
from costspan.ledger.graveyard import Graveyard
from costspan.ledger.meter import Meter
from costspan.ledger.rollup import Rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.ledger.timers import (
    AMEND,
    EVICT_COUNT,
    EVICT_MEMORY,
    ROOT_QUIET,
    SHUTDOWN,
    Calendar,
    LedgerSettings,
    Rules,
)
from costspan.ledger.trace import Trace, group
from costspan.model import (
    ALREADY_METERED,
    WITNESS,
    Frame,
    LlmCall,
    TraceTotals,
    decode_calls,
    encode_totals,
)
from costspan.telemetry import Gauge, Labels, Telemetry

__all__ = ["Closing", "LedgerSettings", "TraceLedger"]

# Two versions of a row never tie: the last seq of the trace, then what was written after it.
_RANK = {SHUTDOWN: 1, AMEND: 3}
_RANK_CLOSE = 2
_RANKS = 8
_GRAVE_SHARE = 4  # a quarter of the memory remembers closed traces
_CANDIDATES = 32  # oldest open traces among which a victim is chosen


class Closing(NamedTuple):
    """What goes out when a trace is closed or amended."""

    totals: TraceTotals
    corrections: list[LlmCall]  # rows that say something else than what arrived


Observer = Callable[[bytes, Rollup], None]
"""Told of each trace when it is closed, by its id; never of amendments. It must not raise."""


class TraceLedger:
    """Holds every trace until it is closed. Call it from one thread; all times in ns.

    `now` may be any clock that is the same in every call and does not step back. Without `rows`
    it keeps the metrics, and no closing goes out.
    """

    def __init__(
        self,
        settings: LedgerSettings,
        writer: str,
        telemetry: Telemetry,
        *,
        rows: bool = True,
        observe: Observer | None = None,
    ) -> None:
        self._rows = rows
        self._observe = observe
        self._rules = Rules(settings)
        self._writer = writer
        self._meter = Meter(telemetry)
        self._max_traces = settings.max_traces
        self._max_spans = settings.max_spans
        graves = settings.max_bytes // _GRAVE_SHARE
        self._max_bytes = settings.max_bytes - graves
        self._graves = Graveyard(graves)
        self._open: OrderedDict[bytes, Trace] = OrderedDict()  # oldest first
        self._closed: OrderedDict[bytes, Trace] = OrderedDict()  # first closed first
        self._calendar = Calendar()
        self._bytes = 0
        self._last_seq = 0
        self._closings: list[Closing] = []
        self._gauges = (telemetry.open_traces, telemetry.ledger_bytes)
        telemetry.watch(self._watch)

    def add(self, frame: Frame, heads: bytes, now: int) -> None:
        """Take one frame of spans; `heads` are those of its body. A seq seen before is skipped.

        Raises ValueError (msgspec.DecodeError is one) before anything has changed.
        """
        if frame.seq <= self._last_seq:
            return
        calls = decode_calls(frame.calls)
        groups = group(heads)
        self._last_seq = frame.seq
        touched: dict[bytes, Trace] = {}
        for trace_id, records in groups.items():
            trace = touched[trace_id] = self._visit(trace_id, frame, now)
            spans = trace.add_heads(records, frame.seq, now)
            self._note_late(trace, spans, now)
        for call in calls:
            owner = touched.get(call.trace_id[:16].ljust(16, b"\0"))
            if owner is not None:
                self._take(owner, call)
        for trace in touched.values():
            self._account(trace)
            self._calendar.arm(trace, self._rules.due(trace).at)
            if trace.spans > self._max_spans:
                self._evict(trace, EVICT_MEMORY)
        self._enforce_limits()
        self._meter.flush()

    def expire(self, now: int) -> list[Closing]:
        """Close, amend and forget what is due. Return what goes out, in that order."""
        while (trace := self._calendar.pop(now)) is not None:
            due = self._rules.due(trace)
            if due.at > now:
                self._calendar.arm(trace, due.at)
            elif due.reason:
                self._close(trace, due.reason)
            else:
                self._revisit(trace, now)
        return self._hand_over()

    def shutdown(self, now: int) -> list[Closing]:
        """Close everything that is open, amend what is due, forget all."""
        closings = self.expire(now)
        for trace in list(self._open.values()):
            self._close(trace, SHUTDOWN)
        for trace in list(self._closed.values()):
            self._forget(trace)
        return closings + self._hand_over()

    def next_deadline(self) -> int | None:
        """When `expire` may have something to do (or find that it has not), None if never."""
        return self._calendar.next()

    def _visit(self, trace_id: bytes, frame: Frame, now: int) -> Trace:
        """The trace's generation that takes spans now; a new one if there is none."""
        trace = self._open.get(trace_id) or self._closed.get(trace_id)
        if trace is None:
            grave = self._graves.exhume(trace_id)
            trace = Trace(trace_id, frame.seq, frame.received_ns, now, grave)
            self._open[trace_id] = trace
        return trace

    def _note_late(self, trace: Trace, spans: int, now: int) -> None:
        if trace.closed:
            self._meter.late(spans, "warm")
            if trace.amend_at is None:
                trace.amend_at = self._rules.amend_at(trace, now)
        elif trace.grave is not None:
            self._meter.late(spans, "cold")

    def _take(self, trace: Trace, call: LlmCall) -> None:
        """Count a record once per span, whatever is sent again."""
        call.ordinal = 0  # its place in the frame: two copies of a span may differ in nothing else
        span_id = span_key(call.span_id)
        if trace.grave is not None and span_id in trace.grave.spans:
            self._meter.duplicate()
            return
        held = trace.calls.get(span_id)
        if held is None:
            trace.hold(span_id, call)
            if call.role != WITNESS:
                self._meter.arrive(call)
            return
        if call.role != WITNESS:
            self._meter.duplicate()
        replaced = held.merge(call)
        if replaced and held.counted:
            self._meter.replace(*replaced)

    def _close(self, trace: Trace, reason: str) -> None:
        """Open -> closed, or gone without a word if none of its spans carries usage."""
        del self._open[trace.trace_id]
        if not trace.usage:
            self._bury(trace)
            return
        self._closed[trace.trace_id] = trace
        rolled = trace.rollup()
        if self._observe is not None:
            self._observe(trace.trace_id, rolled)
        self._emit(trace, rolled, reason, _grade(rolled, reason))
        self._calendar.arm(trace, self._rules.due(trace).at)

    def _revisit(self, trace: Trace, now: int) -> None:
        """A closed trace's timer went off: late spans are written, or the trace is forgotten."""
        if self._rules.gone_at(trace) <= now:
            self._forget(trace)
        else:
            self._amend(trace)
            self._calendar.arm(trace, self._rules.due(trace).at)

    def _amend(self, trace: Trace) -> None:
        if trace.amend_at is not None:
            trace.amend_at = None
            trace.amendments += 1
            rolled = trace.rollup()
            self._emit(trace, rolled, AMEND, _grade(rolled, ROOT_QUIET))

    def _forget(self, trace: Trace) -> None:
        """Closed -> a grave. What it came to is final now."""
        self._amend(trace)
        del self._closed[trace.trace_id]
        if trace.outcome is not None:
            self._meter.settle(trace.outcome)
        self._bury(trace)

    def _bury(self, trace: Trace) -> None:
        grave = trace.bury()
        if grave is not None:
            self._graves.bury(trace.trace_id, grave)
        self._bytes -= trace.size
        trace.release()

    def _emit(self, trace: Trace, rolled: Rollup, reason: str, grade: str) -> None:
        """Bring the counters up to the roll-up, and hand out a row if it says anything new.

        A trace that another costspan metered whole has its row from there.
        """
        if rolled.counts and trace.outcome is None:
            self._meter.close(rolled.service, reason, grade)
        trace.conclude(rolled)
        version = trace.last_seq * _RANKS + _RANK.get(reason, _RANK_CLOSE)
        corrections = self._correct(trace, rolled, version)
        if not (rolled.counts and self._rows):
            return
        key = (trace.trace_id, self._writer, trace.generation)
        row = totals(rolled, Stamp(*key, 0, "", grade, trace.arrived_ns))
        digest = hash(encode_totals([row]))
        if corrections or digest != trace.digest:
            trace.digest = digest
            row.version, row.reason = version, reason
            self._closings.append(Closing(row, corrections))

    def _correct(self, trace: Trace, rolled: Rollup, version: int) -> list[LlmCall]:
        corrections: list[LlmCall] = []
        for span_id, decision in rolled.decisions.items():
            held = trace.calls[span_id]
            if decision.billed != held.counted:
                self._meter.change(decision.call, billed=decision.billed, again=held.metered)
                held.counted = decision.billed
                held.metered |= decision.billed
            if decision.reason != ALREADY_METERED and held.correct(decision):
                corrections.append(decision.corrected(version))
        return corrections

    def _account(self, trace: Trace) -> None:
        size = trace.estimate()
        self._bytes += size - trace.size
        trace.size = size

    def _enforce_limits(self) -> None:
        """Closed traces go first, they are written; then the open ones that cost the most."""
        while True:
            too_many = len(self._open) + len(self._closed) > self._max_traces
            if not too_many and self._bytes <= self._max_bytes:
                return
            if self._closed:
                self._forget(next(iter(self._closed.values())))
            elif self._open:
                self._evict(self._victim(), EVICT_COUNT if too_many else EVICT_MEMORY)
            else:
                return

    def _victim(self) -> Trace:
        """The one of the oldest that held the most bytes for the longest."""
        newest = next(reversed(self._open.values())).first_seen
        return max(
            islice(self._open.values(), _CANDIDATES),
            key=lambda trace: trace.size * (newest - trace.first_seen + 1),
        )

    def _evict(self, trace: Trace, reason: str) -> None:
        """Write what is known and let it go; its next span starts a new generation."""
        if not trace.closed:
            self._meter.evict(reason)
            self._close(trace, reason)
        if trace.closed:
            self._forget(trace)

    def _hand_over(self) -> list[Closing]:
        self._meter.flush()
        closings, self._closings = self._closings, []
        return closings

    def _watch(self) -> Mapping[Gauge, Mapping[Labels, float]]:
        open_traces, ledger_bytes = self._gauges
        return {
            open_traces: {(): len(self._open)},
            ledger_bytes: {(): self._bytes + self._graves.bytes},
        }


def _grade(rolled: Rollup, reason: str) -> str:
    """How sure it is that nothing is missing: a label, no promise."""
    if reason != ROOT_QUIET or not rolled.rooted:
        return "forced"
    return "verified" if rolled.whole else "quiet"
