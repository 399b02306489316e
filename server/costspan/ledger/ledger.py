"""The state machine over open traces. It is told the time and the frames; it does no I/O.

Open -> closed (a row goes out) -> forgotten (a grave stays). A span of a closed trace amends it; a
span of a forgotten one starts a new generation. The rows of all generations add up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from costspan.ledger.agents import agent_spans
from costspan.ledger.alarms import Limits, Watched, watch
from costspan.ledger.forest import span_key
from costspan.ledger.graveyard import Graveyard
from costspan.ledger.meter import Meter
from costspan.ledger.published import RANKS, Published
from costspan.ledger.rollup import Rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.ledger.timers import (
    AMEND,
    CHECKPOINT,
    EVICT_COUNT,
    EVICT_MEMORY,
    IDLE_NO_ROOT,
    INTERRUPTED,
    LOCAL_ROOT_QUIET,
    ROOT_QUIET,
    SHUTDOWN,
    Calendar,
    LedgerSettings,
    Rules,
)
from costspan.ledger.trace import Held, Trace, group, take_announcements
from costspan.model import (
    ALREADY_METERED,
    PENDING,
    WITNESS,
    AgentTotals,
    Frame,
    LlmCall,
    Signal,
    TraceTotals,
    decode_calls,
    encode_calls,
    encode_totals,
)
from costspan.telemetry import Gauge, Labels, Telemetry
from costspan.wire import place

__all__ = ["Closing", "LedgerSettings", "TraceLedger"]

# Two versions of a row never tie: the last seq of the trace, then what was written after it.
_RANK = {CHECKPOINT: 0, SHUTDOWN: 1, AMEND: 3}
_RANK_CLOSE = 2
_ENDED = frozenset({ROOT_QUIET, LOCAL_ROOT_QUIET, AMEND})  # what a trace ends with when all is well
_WAITING = _ENDED | {IDLE_NO_ROOT}  # with these it may wait for a span that has to come
_GRAVE_SHARE = 4  # a quarter of the memory remembers closed traces
_CANDIDATES = 32  # oldest open traces among which a victim is chosen


class Closing(NamedTuple):
    """What goes out when a trace is closed or amended."""

    totals: TraceTotals
    corrections: list[LlmCall]  # rows that say something else than what arrived


Observer = Callable[[bytes, Rollup], None]
"""Told of each trace when it is closed, by its id; never of amendments. It must not raise."""
Ended = Callable[[bytes, TraceTotals | None, Mapping[bytes, AgentTotals]], None]
"""Told of each trace that is closed, amended or written at the end, what it came to, and what each
outermost span of an agent; None if that is nothing, or not known whole. It must not raise."""


def _nobody(_trace: Trace) -> None:
    """Is told of changes while no state is taken."""


class LedgerState(NamedTuple):
    """What has to outlive a restart. The traces are those of the ledger, not copies."""

    last_seq: int
    doubtful_before: int
    traces: list[Trace]  # open and closed, each in the order of the ledger
    graves: list[tuple[bytes, bytes]]  # as `Graveyard.packed` has them


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
        limits: Limits | None = None,
        ended: Ended | None = None,
    ) -> None:
        """`limits`: what an open trace is watched for; None: for nothing."""
        self._rows = rows
        self._ended = ended
        self._limits = limits
        self._signals: list[Signal] = []
        self._observe = observe
        self._rules = Rules(settings)
        self._writer = writer
        self._meter = Meter(telemetry)
        self._entries = settings.local_roots
        self._max_traces = settings.max_traces
        self._max_spans = settings.max_spans
        graves = settings.max_bytes // _GRAVE_SHARE
        self._max_bytes = settings.max_bytes - graves
        self._graves = Graveyard(graves)
        self._open: OrderedDict[bytes, Trace] = OrderedDict()  # oldest first
        self._closed: OrderedDict[bytes, Trace] = OrderedDict()  # first closed first
        self._calendar = Calendar()
        self._bytes = 0
        self.last_seq = 0  # of the frames that were added
        self._past = Published()  # only while the frames of an earlier process are read again
        self._doubtful_before = 0  # wall clock: of a trace that began earlier spans may be lost
        self._closings: list[Closing] = []
        self._keep: Callable[[Trace], None] = _nobody
        self._gauges = (telemetry.open_traces, telemetry.ledger_bytes)
        telemetry.watch(self._watch)

    def add(self, frame: Frame, heads: bytes, now: int) -> None:
        """Take one frame of spans; `heads` are those of its body. A seq seen before is skipped.

        Raises ValueError (msgspec.DecodeError is one) before anything has changed.
        """
        if frame.seq <= self.last_seq:
            return
        calls = decode_calls(frame.calls)
        groups = group(heads)
        announced = take_announcements(groups, calls)
        if self._rows and calls:
            place(calls, heads)  # as in the rows that the store has of them
        self.last_seq = frame.seq
        touched: dict[bytes, Trace] = {}
        for trace_id, records in groups.items():
            trace = touched[trace_id] = self._visit(trace_id, frame, now)
            if trace_id in announced:
                trace.announced |= announced[trace_id]
                self._meter.announced(len(announced[trace_id]))
            spans = trace.add_heads(records, frame.seq, now, entries=self._entries)
            self._note_late(trace, spans, now)
        for call in calls:
            owner = touched.get(call.trace_id[:16].ljust(16, b"\0"))
            if owner is not None and call.role != PENDING:
                self._take(owner, call, frame.received_ns)
        for trace in touched.values():
            self._account(trace)
            if trace.unwritten and trace.checkpoint_at is None and self._rows:
                trace.checkpoint_at = self._rules.checkpoint_at(trace, now)
            self._calendar.arm(trace, self._rules.due(trace).at)
            if trace.spans > self._max_spans:
                self._evict(trace, EVICT_MEMORY)
        self._enforce_limits()
        self._meter.flush()

    def expire(self, now: int, most: int | None = None) -> list[Closing]:
        """Write, close, amend and forget what is due. Return what goes out, in that order.

        After `most` traces the others are left for another call: each may take a roll-up.
        """
        done = 0
        while done != most and (trace := self._calendar.pop(now)) is not None:
            self._keep(trace)
            due = self._rules.due(trace)
            if due.at > now or self._waits_for_spans(trace, due.reason):
                self._calendar.arm(trace, self._rules.due(trace).at)
                continue
            done += 1
            if due.reason == CHECKPOINT:
                self._checkpoint(trace)
            elif due.reason:
                self._close(trace, due.reason)
            else:
                self._revisit(trace, now)
        return self._hand_over()

    def shutdown(self, now: int) -> list[Closing]:
        """Close everything that is open, amend what is due, forget all."""
        closings = self.expire(now)
        self._end_all(SHUTDOWN)
        return closings + self._hand_over()

    def suspend(self, now: int) -> list[Closing]:
        """As `shutdown`, for a ledger that will be resumed: what is open is written and goes on."""
        closings = self.expire(now)
        for trace in self._open.values():
            if trace.usage:
                self._emit(trace, trace.rollup(), SHUTDOWN)
        for trace in self._closed.values():
            self._amend(trace)
        return closings + self._hand_over()

    def state(self) -> LedgerState:
        """Everything that `resume` needs."""
        traces = [*self._open.values(), *self._closed.values()]
        graves = self._graves.packed()
        return LedgerState(self.last_seq, self._doubtful_before, traces, graves)

    def watch_changes(self, keep: Callable[[Trace], None] | None) -> None:
        """From now on hand `keep` each trace of `state` before it changes. None: nobody asks."""
        self._keep = keep or _nobody

    def resume(self, state: LedgerState | None, past: Published) -> None:
        """Go on where another ledger stood; before anything is added.

        `past` is what has been published since: until `caught_up` frames come that were read
        before, and their spans must not end up in a second row.
        """
        self._past = past
        if state is None:
            return
        self.last_seq, self._doubtful_before = state.last_seq, state.doubtful_before
        for trace_id, packed in state.graves:
            self._graves.put(trace_id, packed)
        for trace in state.traces:
            trace.published = past.version(trace.trace_id, trace.generation)
            for span_id, held in trace.calls.items():
                self._doubt_row(trace, span_id, held)
            (self._closed if trace.closed else self._open)[trace.trace_id] = trace
            self._account(trace)
            self._calendar.arm(trace, self._rules.due(trace).at)

    def interrupt(self, doubtful_before: int) -> list[Closing]:
        """Frames are lost between what is held and what comes next: end everything as it is.

        The versions say how far that goes, so a row that an earlier process took further stands.
        A trace with spans from before `doubtful_before` (wall clock) is graded forced.
        """
        self._doubtful_before = doubtful_before
        self._end_all(INTERRUPTED)
        return self._hand_over()

    def caught_up(self) -> None:
        """The frames of the earlier process have all been added."""
        self._past = Published()

    def look(self, trace_id: bytes) -> tuple[str, bytes, bytes] | None:
        """(open or closed, its records, its heads) of a trace that is held."""
        trace = self._open.get(trace_id) or self._closed.get(trace_id)
        if trace is None:
            return None
        calls = encode_calls([held.call for held in trace.calls.values()])
        return "closed" if trace.closed else "open", calls, trace.packed_heads()

    def take_signals(self) -> list[Signal]:
        """The limits that open traces have passed since the last call."""
        signals, self._signals = self._signals, []
        return signals

    def will_tell(self, trace_id: bytes) -> bool:
        """Whether the trace is open, and its totals will be told when it is closed."""
        trace = self._open.get(trace_id)
        return trace is not None and self._is_whole(trace)

    def agents_so_far(self, trace_id: bytes) -> Mapping[bytes, AgentTotals]:
        """What each outermost span of an agent has come to, if the trace is open and whole here."""
        if not self.will_tell(trace_id):
            return {}
        return agent_spans(self._open[trace_id].rollup(), "forced")

    def next_deadline(self) -> int | None:
        """When `expire` may have something to do (or find that it has not), None if never."""
        return self._calendar.next()

    def _visit(self, trace_id: bytes, frame: Frame, now: int) -> Trace:
        """The trace's generation that takes spans now; a new one if there is none.

        In a replay the generations are those of the rows that are there: a frame goes into the one
        that an earlier process put it into. If that one is not whole here, it is not written again.
        """
        trace = self._open.get(trace_id) or self._closed.get(trace_id)
        row = self._past.row(trace_id, frame.seq)
        if trace is not None:
            self._keep(trace)
            same = trace.generation == row.generation if row else not trace.partial
            if same:
                return trace
            self._end(trace, INTERRUPTED)
        generation = row.generation if row else frame.seq
        grave = self._graves.exhume(trace_id)
        trace = Trace(trace_id, generation, frame.received_ns, now, grave)
        trace.partial = generation != frame.seq
        trace.published = row.version if row else 0
        self._open[trace_id] = trace
        return trace

    def _note_late(self, trace: Trace, spans: int, now: int) -> None:
        if trace.closed:
            self._meter.late(spans, "warm")
            if trace.amend_at is None:
                trace.amend_at = self._rules.amend_at(trace, now)
        elif trace.grave is not None:
            self._meter.late(spans, "cold")

    def _take(self, trace: Trace, call: LlmCall, arrived: int) -> None:
        """Count a record once per span, whatever is sent again."""
        call.ordinal = 0  # its place in the frame: two copies of a span may differ in nothing else
        span_id = span_key(call.span_id)
        if trace.grave is not None and span_id in trace.grave.spans:
            self._meter.duplicate()
            return
        held = trace.calls.get(span_id)
        if held is None or (held.witness and call.role != WITNESS):
            held = Held.of(call)  # a state of the span without usage is no copy of it
            trace.hold(span_id, held)
            trace.unwritten = not trace.closed
            self._doubt_row(trace, span_id, held)
            if call.role != WITNESS:
                self._meter.arrive(call)
            if (held.counted or call.arguments) and self._limits is not None:
                self._look_out(trace, call, self._limits, arrived)
            return
        if call.role != WITNESS:
            self._meter.duplicate()
        elif not held.witness:
            return
        replaced = held.merge(call)
        if replaced and held.counted:
            self._meter.replace(*replaced)

    def _look_out(self, trace: Trace, call: LlmCall, limits: Limits, arrived: int) -> None:
        """Whether the open trace has passed a limit with this call."""

        def confirm() -> tuple[int, int]:
            total = trace.rollup().total
            return total.cost, total.calls

        if trace.watched is None:
            trace.watched = Watched()
        signals = list(watch(trace.watched, call, limits, confirm, arrived))
        if signals:
            self._signals += signals
            trace.checkpoint_at = 0  # whoever is told wants to see the trace

    def _doubt_row(self, trace: Trace, span_id: bytes, held: Held) -> None:
        """What an earlier process said last of a call is not known here: it is said again."""
        if self._past.corrected(trace.trace_id, span_id):
            held.shown = None

    @staticmethod
    def _waits_for_spans(trace: Trace, reason: str) -> bool:
        """Whether a trace that could be closed lacks a span: asked once after every one."""
        if trace.lacking is not None or reason not in _WAITING:
            return False
        return (trace.usage or bool(trace.announced)) and trace.look_for_spans()

    def _checkpoint(self, trace: Trace) -> None:
        """A row of an open trace, for whoever watches it. The rows of its calls wait for its end.

        Nothing else of the trace changes, so its close writes what it would have written.
        """
        trace.checkpoint_at, trace.unwritten = None, False
        version = trace.last_seq * RANKS + _RANK[CHECKPOINT]
        if self._wants_row(trace, version):
            rolled = trace.rollup()
            if rolled.counts:
                row = self._row(trace, rolled, "open")
                row.version, row.reason = version, CHECKPOINT
                self._closings.append(Closing(row, []))
        self._calendar.arm(trace, self._rules.due(trace).at)

    def _close(self, trace: Trace, reason: str) -> None:
        """Open -> closed, or gone without a word if none of its spans carries usage."""
        del self._open[trace.trace_id]
        if not trace.usage:
            self._bury(trace)
            if self._ended is not None:
                self._ended(trace.trace_id, None, {})
            return
        self._closed[trace.trace_id] = trace
        trace.closed = True
        rolled = trace.rollup()
        if self._observe is not None:
            self._observe(trace.trace_id, rolled)
        self._emit(trace, rolled, reason)
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
            self._emit(trace, trace.rollup(), AMEND)

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
        self._calendar.disarm(trace)
        trace.release()

    def _emit(self, trace: Trace, rolled: Rollup, reason: str) -> None:
        """Bring the counters up to the roll-up, and hand out a row if it says anything new.

        A trace that another costspan metered whole has its row from there.
        """
        grade = self._grade(trace, rolled, reason)
        if rolled.counts and trace.outcome is None and not trace.partial:
            self._meter.close(rolled.service, reason, grade)
        trace.conclude(rolled)
        trace.checkpoint_at, trace.unwritten = None, False
        version = trace.last_seq * RANKS + _RANK.get(reason, _RANK_CLOSE)
        corrections = self._correct(trace, rolled, version)
        wanted = self._wants_row(trace, version)
        row: TraceTotals | None = None
        if rolled.counts and (wanted or self._ended is not None):
            row = self._row(trace, rolled, grade)
        if self._ended is not None:
            whole = row if self._is_whole(trace) else None
            agents = agent_spans(rolled, grade) if whole is not None else {}
            self._ended(trace.trace_id, whole, agents)
        if row is None or not wanted:
            return
        digest = blake2b(encode_totals([row]), digest_size=8).digest()  # the same in every process
        if corrections or digest != trace.digest:
            trace.digest = digest
            row.version, row.reason = version, reason
            self._closings.append(Closing(row, corrections))

    def _wants_row(self, trace: Trace, version: int) -> bool:
        return self._rows and not trace.partial and version > trace.published

    def _row(self, trace: Trace, rolled: Rollup, grade: str) -> TraceTotals:
        """Without version and reason: what it says does not depend on them."""
        key = (trace.trace_id, self._writer, trace.generation)
        return totals(rolled, Stamp(*key, 0, "", grade, trace.arrived_ns))

    @staticmethod
    def _is_whole(trace: Trace) -> bool:
        """Whether all that is known of the trace's id is in this generation."""
        return trace.grave is None and not trace.partial

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
                self._end(next(iter(self._closed.values())), "")
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
        self._end(trace, reason)

    def _end(self, trace: Trace, reason: str) -> None:
        """Close it, unless it is closed, and forget it."""
        self._keep(trace)
        if not trace.closed:
            self._close(trace, reason)
        if trace.closed:
            self._forget(trace)

    def _end_all(self, reason: str) -> None:
        for trace in (*self._open.values(), *self._closed.values()):
            self._end(trace, reason)

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

    def _grade(self, trace: Trace, rolled: Rollup, reason: str) -> str:
        """How sure it is that nothing is missing: a label, no promise."""
        if reason not in _ENDED or rolled.start_ns < self._doubtful_before:
            return "forced"
        if rolled.rooted:
            here = trace.announced <= rolled.forest.links.keys()
            return "verified" if rolled.whole and here else "quiet"
        return "quiet" if trace.entry_seen is not None else "forced"
