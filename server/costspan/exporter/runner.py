"""The loop of one destination: read, group, deliver until there is a verdict, commit.

What a delivery is and how it travels is the destination's business (`destination.py`); how long to
wait is `retry.py`'s. Rules:

- A group is tried for ever until it has a verdict. Its failure never re-sends an earlier group.
- The cursor moves when every group of what was read has a verdict. So a crash re-sends at most
  one batch, and a shutdown counts as lost only what really had no verdict.
- Every item ends in exactly one counter: sent, rejected, dead_lettered or dropped.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from collections.abc import Sequence

from costspan.clock import Clock
from costspan.errors import Permanent, Refused, Retryable, TooLarge, Unreachable
from costspan.exporter.destination import Delivered, Destination
from costspan.exporter.retry import RetryPolicy
from costspan.model import Frame, Journal
from costspan.telemetry import Telemetry

_log = logging.getLogger(__name__)

# An idle reader looks up this often to see whether it shall drain.
_IDLE_SECONDS = 0.5
_CLOSED_SECONDS = 0.01
# While draining, an attempt a second: back-off and hints are for those who have time.
_DRAIN_WAIT_SECONDS = 1.0
# After the deadline a delivery in flight is cancelled; this long it may take to notice.
_CANCEL_SECONDS = 2.0
_SECOND = 1_000_000_000

# These refuse the sender, not the content: halving the group would only repeat the refusal.
_REFUSES_SENDER = frozenset({"unauthenticated", "permission_denied", "unimplemented", "not_found"})


class _DeadlinePassed(Exception):
    """The drain's deadline came before the verdict."""


class Runner:
    """One destination's thread. `start`, then `drain` and `join` once each."""

    def __init__(
        self,
        destination: Destination,
        journal: Journal,
        telemetry: Telemetry,
        clock: Clock,
        *,
        retry: RetryPolicy | None = None,
        max_batch_bytes: int = 4 << 20,
        linger: float = 0.2,
    ) -> None:
        self.name = destination.name
        self.last_error = ""  # of the latest attempt; "" = it succeeded
        self._destination = destination
        self._journal = journal
        self._telemetry = telemetry
        self._clock = clock
        self._retry = retry or RetryPolicy()
        self._max_batch_bytes = max_batch_bytes
        self._linger = linger
        self._failures = 0  # in a row
        self._settled: set[int] = set()  # seqs with a verdict, above the cursor
        self._reported: set[tuple[str, str]] = set()  # (signal, reason) of logged dead letters
        self._draining = threading.Event()
        self._given_up = threading.Event()
        self._deadline = 0  # clock.monotonic(), once draining
        self._thread = threading.Thread(target=self._run, name=f"exporter-{self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def drain(self, deadline: int) -> None:
        """Deliver what is in the journal until `deadline` (of `clock.monotonic()`), then end.

        Returns at once, so that several destinations drain side by side; `join` waits. Call it
        when nothing is appended any more: an empty journal ends the thread.
        """
        self._deadline = deadline
        self._draining.set()

    def join(self) -> int:
        """Wait for the end of the drain. Return the items that were left, counted as dropped."""
        if self._thread.ident is not None:
            self._thread.join(self._remaining())
        self._given_up.set()
        self._destination.close()  # cancels a delivery that is still in flight
        if self._thread.ident is not None:
            self._thread.join(_CANCEL_SECONDS)
        return self._count_left()

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        self._open()
        while not self._expired():
            try:
                if not self._round():
                    return
            except _DeadlinePassed:
                return
            except Exception as fault:  # noqa: BLE001 (the boundary of the thread: it must not end)
                _log.exception("exporter %s: the round failed and is repeated", self.name)
                self._wait(self._failed(fault))

    def _open(self) -> None:
        """Meet the destination early: its tables should be there before the first span is."""
        try:
            self._destination.open()
        except Exception as fault:  # noqa: BLE001 (it may be down at the start: deliver tries again)
            self._failed(fault)

    def _round(self) -> bool:
        """Read once and settle what was read. Return False when a drain is complete."""
        draining = self._draining.is_set()  # asked first: what is appended before it is still read
        frames = self._read(draining=draining)
        if not frames:
            # a journal that is closed answers at once: do not spin until the drain begins
            self._draining.wait(_CLOSED_SECONDS)
            return not draining
        for group in self._destination.group(frames):
            self._settle([frame for frame in group if frame.seq not in self._settled])
        self._journal.commit(self.name, frames[-1].seq)
        self._settled.clear()
        return True

    def _read(self, *, draining: bool) -> list[Frame]:
        """Frames for one round. Little waits a moment for more, so that it leaves joined."""
        timeout = 0.0 if draining else _IDLE_SECONDS
        frames = self._journal.read(self.name, self._max_batch_bytes, timeout)
        if not frames or draining or self._settled or self._linger <= 0:
            return frames
        if self._journal.backlog(self.name).frames > len(frames):
            return frames  # more is there already than one round takes
        self._draining.wait(self._linger)
        # reading does not move the cursor: the same frames come again, and what arrived since
        return self._journal.read(self.name, self._max_batch_bytes, 0.0)

    def _settle(self, frames: Sequence[Frame]) -> None:
        """Bring every frame to a verdict, halving a group that is refused for its content."""
        waiting = [frames] if frames else []
        while waiting:
            part = waiting.pop()
            try:
                delivered = self._deliver(part)
            except Permanent as refusal:
                self._refused(refusal)
                if len(part) > 1 and _reason(refusal) not in _REFUSES_SENDER:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                    continue
                self._dead_letter(part, refusal)
            else:
                self._count_delivered(part, delivered)
            self._settled.update(frame.seq for frame in part)

    def _deliver(self, frames: Sequence[Frame]) -> Delivered:
        """Try until the destination accepts or raises Permanent."""
        while not self._expired():
            try:
                return self._destination.deliver(frames)
            except Permanent:
                raise
            except Retryable as fault:
                delay = self._failed(fault)
            except Exception as fault:  # noqa: BLE001 (a fault of ours is no verdict on the data)
                if not self._failures:
                    _log.exception("exporter %s: a delivery failed unexpectedly", self.name)
                delay = self._failed(fault)
            self._wait(delay)
        raise _DeadlinePassed

    # --- waiting ------------------------------------------------------------------------------

    def _wait(self, delay: float) -> None:
        """Wait before the next attempt. A drain cuts the wait short: it has no time to spare."""
        if self._draining.is_set():
            self._given_up.wait(min(delay, self._remaining(), _DRAIN_WAIT_SECONDS))
        else:
            self._draining.wait(delay)

    def _expired(self) -> bool:
        return self._draining.is_set() and self._remaining() <= 0

    def _remaining(self) -> float:
        """Seconds until the deadline of the drain, never negative."""
        return max(0.0, (self._deadline - self._clock.monotonic()) / _SECOND)

    # --- counting -----------------------------------------------------------------------------

    def _count_delivered(self, frames: Sequence[Frame], delivered: Delivered) -> None:
        if self._failures:
            _log.info("exporter %s: delivers again after %d failures", self.name, self._failures)
        self._failures, self.last_error = 0, ""
        signal, telemetry = frames[0].signal, self._telemetry
        telemetry.exporter_up.set(1, self.name)
        telemetry.export_requests.add(1, self.name)
        if delivered.sent:
            telemetry.sent.add(delivered.sent, self.name, signal)
        if delivered.rejected:
            telemetry.rejected.add(delivered.rejected, self.name, signal)

    def _failed(self, fault: Exception) -> float:
        """Note a failed attempt; return how long to wait if it is tried again."""
        self._failures += 1
        self._telemetry.exporter_up.set(0, self.name)
        self._telemetry.send_failures.add(1, self.name, _reason(fault))
        after = fault.after if isinstance(fault, Retryable) else 0.0
        delay = self._retry.delay(self._failures, after)
        if self._failures == 1:
            _log.warning("exporter %s: %s; trying again until it succeeds", self.name, fault)
        self.last_error = str(fault) or type(fault).__name__
        return delay

    def _refused(self, refusal: Permanent) -> None:
        """Note an answer that is final: it was reached, and it said no."""
        self._failures, self.last_error = 0, str(refusal)
        self._telemetry.exporter_up.set(0, self.name)

    def _dead_letter(self, frames: Sequence[Frame], refusal: Permanent) -> None:
        """Count what will never be accepted; log each kind once."""
        reason = _reason(refusal)
        for signal, items in _items_by_signal(frames).items():
            self._telemetry.dead_lettered.add(items, self.name, signal, reason)
            if (signal, reason) in self._reported:
                continue
            self._reported.add((signal, reason))
            _log.error(
                "exporter %s: %d items of %s were refused for good (%s): %s; more of this kind"
                " are only counted",
                *(self.name, items, signal, reason, refusal),
            )

    def _count_left(self) -> int:
        """Count what the drain left behind. Reading only: a durable journal keeps it."""
        frames = self._journal.read(self.name, sys.maxsize, 0.0)
        left = _items_by_signal([frame for frame in frames if frame.seq not in self._settled])
        for signal, items in left.items():
            self._telemetry.dropped.add(items, self.name, signal, "shutdown")
        if left:
            _log.warning(
                "exporter %s: the deadline came first; left behind: %s",
                self.name,
                ", ".join(f"{items} {signal}" for signal, items in left.items()),
            )
        return sum(left.values())


def _items_by_signal(frames: Sequence[Frame]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for frame in frames:
        counts[frame.signal] += frame.items
    return counts


def _reason(fault: Exception) -> str:
    """The label of a failure: a closed set per destination."""
    match fault:
        case Refused() | Unreachable():
            return fault.reason
        case TooLarge():
            return "too_large"
        case Permanent():
            return "refused"
        case Retryable():
            return "retryable"
        case _:
            return "internal"
