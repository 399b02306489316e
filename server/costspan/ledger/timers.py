"""When a trace is closed, amended and forgotten: the rules and a lazy queue of deadlines.

No OTLP field says that a trace is finished, so a deadline is a guess; being wrong costs one more
version of its row. Why 6 s and 5 s: SDKs send every 5 s by default, each process in its own phase
(OTEL_BSP_SCHEDULE_DELAY, opentelemetry specification, sdk-environment-variables).
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from costspan.ledger.trace import Trace

_SECOND = 1_000_000_000
_MOST_STALE = 1000  # entries that count no more
_SPANS_PER_CHECKPOINT = 1000
ROOT_QUIET, ROOT_QUIESCE_MAX = "root_quiet", "root_quiesce_max"
LOCAL_ROOT_QUIET, CHECKPOINT = "local_root_quiet", "checkpoint"
LATE_FRAGMENT, IDLE_NO_ROOT, MAX_AGE = "late_fragment", "idle_no_root", "max_age"
EVICT_MEMORY, EVICT_COUNT, SHUTDOWN, AMEND = "evict_memory", "evict_count", "shutdown", "amend"
INTERRUPTED = "interrupted"  # after a restart: frames between it and the next are lost


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Times in seconds, limits in traces and bytes. The defaults fit a sidecar."""

    root_grace: float = 6.0
    quiet: float = 5.0
    quiesce_max: float = 60.0  # after the root, however busy the trace still is
    # after the last span, while a parent is missing that this process's own exporter has to bring
    orphan_wait: float = 30.0
    idle: float = 300.0  # without a root: spans arrive when they end, and agents think long
    pending: float = 900.0  # the same, while a span is known to have begun that has not come
    max_age: float = 3600.0
    late_window: float = 15.0  # after the last span
    amend_debounce: float = 5.0  # doubles with every amendment
    # between two rows of a trace that is still open, longer for a large one; 0 = none
    checkpoint: float = 60.0
    local_roots: bool = False  # an entry span ends what one process sees of a trace, as a root does
    max_traces: int = 20_000
    max_bytes: int = 16 * 1024 * 1024
    max_spans: int = 50_000  # of one trace, which is closed and goes on as a new generation


class Due(NamedTuple):
    """The next thing that happens to a trace if no more of its spans arrive."""

    at: int
    reason: str  # of a close; "" = a closed trace is amended or forgotten


class Rules:
    """The settings in nanoseconds, and what follows from them."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._grace = _ns(settings.root_grace)
        self._quiet = _ns(settings.quiet)
        self._quiesce_max = _ns(settings.quiesce_max)
        self._idle = _ns(settings.idle)
        self._pending = max(self._idle, _ns(settings.pending))
        self._max_age = _ns(settings.max_age)
        self._late = _ns(settings.late_window)
        self._debounce = _ns(settings.amend_debounce)
        self._orphan_wait = max(self._quiet, _ns(settings.orphan_wait))
        self._checkpoint = _ns(settings.checkpoint)

    def due(self, trace: Trace) -> Due:
        """What the timers say of a trace, as far as its spans are known."""
        if trace.closed:
            gone = self.gone_at(trace)
            return Due(gone if trace.amend_at is None else min(gone, trace.amend_at), "")
        ends = min(self._finish(trace), Due(trace.first_seen + self._max_age, MAX_AGE))
        if trace.checkpoint_at is not None and trace.checkpoint_at < ends.at:
            return Due(trace.checkpoint_at, CHECKPOINT)
        return ends

    def gone_at(self, trace: Trace) -> int:
        """When a closed trace is forgotten; re-sends cannot keep it for ever."""
        return min(trace.last_seen, trace.first_seen + self._max_age) + self._late

    def amend_at(self, trace: Trace, now: int) -> int:
        """When a closed trace that got a span is written again."""
        return now + (self._debounce << min(trace.amendments, 6))

    def checkpoint_at(self, trace: Trace, now: int) -> int | None:
        """When an open trace that got a record is written.

        A row takes a roll-up of the whole trace, so that of a large one is written less often: what
        a trace costs in rows does not grow with its size.
        """
        if not self._checkpoint:
            return None
        return now + self._checkpoint * (1 + trace.spans // _SPANS_PER_CHECKPOINT)

    def _finish(self, trace: Trace) -> Due:
        root, reason = self._root(trace)
        if root is None:
            awaited = trace.announced and trace.lacking is not None  # somebody has looked
            idle = self._pending if awaited else self._idle
            return Due(trace.last_seen + idle, IDLE_NO_ROOT)
        quiet = self._orphan_wait if trace.lacking else self._quiet
        done = Due(max(root + self._grace, trace.last_seen + quiet), reason)
        return min(done, Due(root + self._quiesce_max, ROOT_QUIESCE_MAX), key=lambda due: due.at)

    @staticmethod
    def _root(trace: Trace) -> tuple[int | None, str]:
        """When what ends the trace came, and what it was."""
        if trace.root_seen is not None:
            return trace.root_seen, ROOT_QUIET
        if trace.grave is not None and trace.grave.rooted:
            return trace.first_seen, LATE_FRAGMENT  # its root was in a generation before
        return trace.entry_seen, LOCAL_ROOT_QUIET


class Calendar:
    """One entry per trace, re-armed when it goes off early: a push per span costs 4 us.

    An entry counts only while the trace's `armed` names its time. When most do not, they are thrown
    away: a trace that is gone would be held until the last of its timers.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Trace]] = []
        self._pushed = 0  # breaks ties, oldest first
        self._armed = 0  # traces

    def arm(self, trace: Trace, at: int) -> None:
        """Make sure that the trace comes up at `at` or before."""
        if trace.armed is not None and at >= trace.armed:
            return
        self._armed += trace.armed is None
        trace.armed = at
        self._pushed += 1
        heappush(self._heap, (at, self._pushed, trace))
        if len(self._heap) > 2 * self._armed + _MOST_STALE:
            self._clear_away()

    def disarm(self, trace: Trace) -> None:
        """It comes up no more."""
        self._armed -= trace.armed is not None
        trace.armed = None

    def pop(self, now: int) -> Trace | None:
        """A trace whose timer went off, perhaps early; None when no more are due."""
        while self._heap and self._heap[0][0] <= now:
            at, _, trace = heappop(self._heap)
            if trace.armed == at:
                self.disarm(trace)
                return trace
        return None

    def next(self) -> int | None:
        """The earliest time at which `pop` may have something."""
        return self._heap[0][0] if self._heap else None

    def _clear_away(self) -> None:
        counts = {entry[2]: entry for entry in self._heap if entry[2].armed == entry[0]}
        self._heap = list(counts.values())
        heapify(self._heap)


def _ns(seconds: float) -> int:
    return round(seconds * _SECOND)
