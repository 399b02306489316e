"""The loop of one destination: read a round, plan it, have it delivered, commit, count.

What becomes of the parts of a round is `delivery.py`'s. Rules:

- The cursor moves when everything that was read has a verdict, and only then its items are counted.
  So a crash re-sends at most one round, and what it re-sends was not counted.
- Every item ends in exactly one counter: sent, rejected, dead_lettered or dropped.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence

from costspan.clock import Clock
from costspan.exporter.contact import Contact
from costspan.exporter.dead_letters import DeadLetters
from costspan.exporter.delivery import Delivery
from costspan.exporter.destination import Destination
from costspan.exporter.drain import Drain
from costspan.exporter.retry import RetryPolicy
from costspan.exporter.round import DEAD, DROPPED, REJECTED, SENT, Round
from costspan.model import Frame, Journal, in_words
from costspan.telemetry import Telemetry

_log = logging.getLogger(__name__)

# An idle reader looks up this often to see whether it shall drain.
_IDLE_SECONDS = 0.5
_CLOSED_SECONDS = 0.01
_LOOK_SECONDS = 0.2  # a signal does not end a wait if the kernel hands it to another thread
# After the deadline a delivery in flight is cancelled; this long it may take to notice.
_CANCEL_SECONDS = 2.0


class Runner:
    """One destination's threads. `start`, `drain`, then `join_all` once each.

    `consumers` deliveries may be in flight at once. `durable`: what the drain leaves behind stays
    in the journal for the next process, so it is not counted as dropped. Without `dead_letters`
    what is refused for good is only counted.
    """

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
        consumers: int = 1,
        durable: bool = False,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self.name = destination.name
        self._destination = destination
        self._journal = journal
        self._telemetry = telemetry
        self._retry = retry or RetryPolicy()
        self._max_bytes = max_batch_bytes * consumers
        self._linger = linger
        self._durable = durable
        self._drain = Drain(clock)
        self._hurried = threading.Event()  # ends a wait for more
        self._contact = Contact(self.name, telemetry, clock)
        self._delivery = Delivery(
            *(destination, self._contact, self._drain, clock),
            retry=self._retry,
            consumers=consumers,
            dead_letters=dead_letters,
        )
        self._round: Round | None = None
        self._thread = threading.Thread(target=self._run, name=f"exporter-{self.name}", daemon=True)

    @property
    def last_error(self) -> str:
        """Of the latest attempt; "" = it succeeded."""
        return self._contact.last_error

    def start(self) -> None:
        self._thread.start()

    def hurry(self) -> None:
        """What is in the journal leaves without waiting for more. From any thread."""
        self._hurried.set()

    def drain(self, deadline: int) -> None:
        """Deliver what is in the journal until `deadline` (of `clock.monotonic()`), then end.

        Returns at once, so that several destinations drain side by side; `join_all` waits. Call it
        when nothing is appended any more: an empty journal ends the thread.
        """
        self._drain.begin(deadline)
        self.hurry()

    def wait(self, seconds: float) -> None:
        """Wait for the end of the thread, but not for ever."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, seconds))

    @property
    def draining(self) -> bool:
        """Whether it is still at it, and there is time left."""
        return self._thread.is_alive() and self._drain.remaining > 0

    def cancel(self) -> None:
        """The deadline has passed: a delivery that is still in flight is given up."""
        self._drain.give_up()
        self._destination.close()

    def count_left(self) -> int:
        """Items that the drain left behind. A journal in memory takes them along: dropped."""
        if self._durable:
            kept = self._journal.backlog(self.name).items
            if kept:
                _log.info("exporter %s: %d items wait for the next start", self.name, kept)
            return kept
        if self._round is not None:
            self._count(self._round)
        left = self._left()
        for signal, items in left.items():
            self._telemetry.dropped.add(items, self.name, signal, "shutdown")
            lost = items, in_words(signal)
            _log.warning("exporter %s: lost by the end: %d items of %s", self.name, *lost)
        return left.total()

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        self._open()
        while not self._drain.over:
            try:
                if not self._step():
                    return
            except Exception as fault:  # noqa: BLE001 (the boundary of the thread: it must not end)
                _log.exception("exporter %s: the round failed and is repeated", self.name)
                self._contact.failed(fault)
                self._drain.pause(self._retry.delay(1))

    def _open(self) -> None:
        """Meet the destination early: its tables should be there before the first span is."""
        try:
            self._destination.open()
        except Exception as fault:  # noqa: BLE001 (it may be down at the start: deliver tries again)
            self._contact.failed(fault)

    def _step(self) -> bool:
        """Settle one round. Return False when a drain is complete."""
        draining = self._drain.begun  # asked first: what is appended before it is still read
        round_ = self._round or self._begin(draining=draining)
        if round_ is None:
            # a journal that is closed answers at once: do not spin until the drain begins
            self._drain.idle(_CLOSED_SECONDS)
            return not draining
        self._delivery.work(round_)
        if round_.complete:
            self._journal.commit(self.name, round_.last_seq)
            self._round = None
            self._count(round_)
        return True

    def _begin(self, *, draining: bool) -> Round | None:
        """Read a round and group it; None if there is nothing to read."""
        frames = self._read(draining=draining)
        if not frames:
            return None
        last_seq = frames[-1].seq
        self._journal.plan(self.name, last_seq)
        self._round = Round(self._destination.group(frames), last_seq)
        return self._round

    def _read(self, *, draining: bool) -> list[Frame]:
        """Frames for one round. Little waits a moment for more, so that it leaves joined."""
        timeout = 0.0 if draining else _IDLE_SECONDS
        frames = self._journal.read(self.name, self._max_bytes, timeout)
        if not frames or draining or self._linger <= 0:
            return frames
        if self._journal.backlog(self.name).frames > len(frames):
            return frames  # more is there already than one round takes
        self._hurried.wait(self._linger)
        self._hurried.clear()
        # reading does not move the cursor: the same frames come again, and what arrived since
        return self._journal.read(self.name, self._max_bytes, 0.0)

    # --- counting -----------------------------------------------------------------------------

    def _count(self, round_: Round) -> None:
        telemetry = self._telemetry
        for (fate, signal, why), items in round_.fates.items():
            if fate == SENT:
                telemetry.sent.add(items, self.name, signal)
            elif fate == REJECTED:
                telemetry.rejected.add(items, self.name, signal)
            elif fate == DEAD:
                telemetry.dead_lettered.add(items, self.name, signal, why)
            elif fate == DROPPED:
                telemetry.dropped.add(items, self.name, signal, why)

    def _left(self) -> Counter[str]:
        """Items without a verdict, by signal: what was read and what was not. Reading only."""
        round_ = self._round
        left = round_.open() if round_ else Counter[str]()
        last_seq = round_.last_seq if round_ else 0
        for frame in self._journal.read(self.name, sys.maxsize, 0.0):
            if frame.seq > last_seq:
                left[frame.signal] += frame.items
        return left


def join_all(runners: Sequence[Runner], hurry: threading.Event | None = None) -> int:
    """Wait for the end of every drain, side by side. Return the items that were left.

    `hurry`: once it is set nothing is waited for any more.
    """
    for runner in runners:
        while runner.draining and not (hurry and hurry.is_set()):
            runner.wait(_LOOK_SECONDS)
    for runner in runners:
        runner.cancel()
    give_up = time.monotonic() + _CANCEL_SECONDS
    for runner in runners:
        runner.wait(give_up - time.monotonic())
    return sum(runner.count_left() for runner in runners)
