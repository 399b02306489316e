"""The loop of one destination: read, group, deliver until there is a verdict, commit.

What a delivery is and how it travels is the destination's business (`destination.py`); how long to
wait is `retry.py`'s; what has become of each part is in `round.py`. Rules:

- A part is tried for ever until it has a verdict. Its failure never re-sends another one.
- What is refused for its content is halved, down to one item: one bad span takes nobody along.
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
from costspan.errors import Permanent, Refused, Retryable, TooLarge
from costspan.exporter.contact import Contact, reason
from costspan.exporter.dead_letters import DeadLetters
from costspan.exporter.destination import Delivered, Destination
from costspan.exporter.letter import Letter
from costspan.exporter.retry import RetryPolicy
from costspan.exporter.round import DEAD, REJECTED, SENT, Part, Round
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
# A refusal that may be the destination's own fault is believed at this attempt.
_BELIEVED = 3
# A limit that is only inferred never falls below: every batch would fall apart into crumbs.
_LEAST_LIMIT = 64 << 10


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
        self._clock = clock
        self._retry = retry or RetryPolicy()
        self._max_batch_bytes = max_batch_bytes
        self._linger = linger
        self._consumers = consumers
        self._durable = durable
        self._dead_letters = dead_letters
        self._contact = Contact(self.name, telemetry, clock)
        self._limit: int | None = None  # bytes of a request, once the destination has shown one
        self._round: Round | None = None
        self._draining = threading.Event()
        self._given_up = threading.Event()
        self._deadline = 0  # clock.monotonic(), once draining
        self._thread = threading.Thread(target=self._run, name=f"exporter-{self.name}", daemon=True)

    @property
    def last_error(self) -> str:
        """Of the latest attempt; "" = it succeeded."""
        return self._contact.last_error

    def start(self) -> None:
        self._thread.start()

    def drain(self, deadline: int) -> None:
        """Deliver what is in the journal until `deadline` (of `clock.monotonic()`), then end.

        Returns at once, so that several destinations drain side by side; `join_all` waits. Call it
        when nothing is appended any more: an empty journal ends the thread.
        """
        self._deadline = deadline
        self._draining.set()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of the thread: until the drain's deadline unless told otherwise."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, self._remaining() if seconds is None else seconds))

    def cancel(self) -> None:
        """The deadline has passed: a delivery that is still in flight is given up."""
        self._given_up.set()
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
            _log.warning("exporter %s: lost by the end: %d items of %s", self.name, items, signal)
        return left.total()

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        self._open()
        while not self._expired():
            try:
                if not self._step():
                    return
            except Exception as fault:  # noqa: BLE001 (the boundary of the thread: it must not end)
                _log.exception("exporter %s: the round failed and is repeated", self.name)
                self._contact.failed(fault)
                self._wait(self._retry.delay(1))

    def _open(self) -> None:
        """Meet the destination early: its tables should be there before the first span is."""
        try:
            self._destination.open()
        except Exception as fault:  # noqa: BLE001 (it may be down at the start: deliver tries again)
            self._contact.failed(fault)

    def _step(self) -> bool:
        """Settle one round. Return False when a drain is complete."""
        draining = self._draining.is_set()  # asked first: what is appended before it is still read
        round_ = self._round or self._begin(draining=draining)
        if round_ is None:
            # a journal that is closed answers at once: do not spin until the drain begins
            self._draining.wait(_CLOSED_SECONDS)
            return not draining
        self._deliver_all(round_)
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
        most = self._max_batch_bytes * self._consumers
        frames = self._journal.read(self.name, most, timeout)
        if not frames or draining or self._linger <= 0:
            return frames
        if self._journal.backlog(self.name).frames > len(frames):
            return frames  # more is there already than one round takes
        self._draining.wait(self._linger)
        # reading does not move the cursor: the same frames come again, and what arrived since
        return self._journal.read(self.name, most, 0.0)

    # --- deliveries ---------------------------------------------------------------------------

    def _deliver_all(self, round_: Round) -> None:
        """Bring every part to a verdict, several at once if there are several consumers."""
        if self._consumers == 1:
            self._work(round_)
            return
        extra = [
            threading.Thread(target=self._work, args=(round_,), name=self._thread.name, daemon=True)
            for _ in range(min(self._consumers, round_.waiting) - 1)
        ]
        for thread in extra:
            thread.start()
        self._work(round_)
        for thread in extra:
            thread.join()

    def _work(self, round_: Round) -> None:
        """Take part after part until none waits, or the drain's deadline has passed."""
        while not self._expired() and (part := round_.take()):
            try:
                self._settle(part, round_)
            except Exception as fault:  # noqa: BLE001 (as above: a part must not get lost)
                _log.exception("exporter %s: a delivery failed and is repeated", self.name)
                round_.give_back(part)
                self._contact.failed(fault)
                self._wait(self._retry.delay(1))

    def _settle(self, part: Part, round_: Round) -> None:
        """One attempt: a verdict, two halves in the place of the part, or a wait."""
        if self._limit and part.size > self._limit and (halves := part.halves()):
            round_.replace(part, halves)
            return
        try:
            delivered = self._destination.deliver(part.frames)
        except Permanent as refusal:
            self._refused(part, refusal, round_)
        except Exception as fault:  # noqa: BLE001 (a fault of ours is no verdict on the data)
            if not isinstance(fault, Retryable) and not part.failures:
                _log.exception("exporter %s: a delivery failed unexpectedly", self.name)
            self._again(part, fault, round_)
        else:
            self._contact.succeeded()
            self._delivered(part, delivered, round_)

    def _again(self, part: Part, fault: Exception, round_: Round) -> None:
        """Put a part back and wait before anybody takes it."""
        part.failures += 1
        self._contact.failed(fault)
        after = fault.after if isinstance(fault, Retryable) else 0.0
        self._wait(self._retry.delay(part.failures, after))
        round_.give_back(part)

    def _delivered(self, part: Part, delivered: Delivered, round_: Round) -> None:
        if delivered.rejected or delivered.message:
            told = delivered.message or "no reason given"
            self._contact.say(
                *(logging.WARNING, ("partial", part.signal), "%d of %d items were rejected: %s"),
                *(delivered.rejected, part.items, told),
            )
        round_.settle(part, ((SENT, "", delivered.sent), (REJECTED, "", delivered.rejected)))

    # --- refusals -----------------------------------------------------------------------------

    def _refused(self, part: Part, refusal: Permanent, round_: Round) -> None:
        """Look for what is at fault in halves; what can't be cut is a dead letter."""
        doubtful = isinstance(refusal, Refused) and refusal.scope == Refused.DOUBTFUL
        if doubtful and part.failures + 1 < _BELIEVED:
            self._again(part, refusal, round_)
            return
        self._contact.refused(refusal)
        halves = part.halves() if _smaller_may_pass(part, refusal) else None
        if halves is None:
            self._dead_letter(part, refusal)
            round_.settle(part, ((DEAD, reason(refusal), part.items),))
            return
        if isinstance(refusal, TooLarge):
            self._learn(refusal.limit, part.size)
        round_.replace(part, halves)

    def _learn(self, limit: int, refused: int) -> None:
        """Keep to the limit that was shown: not every batch shall be refused once first."""
        shown = limit if 0 < limit < refused else max(refused // 2, _LEAST_LIMIT)
        if self._limit is None or shown < self._limit:
            self._limit = shown
            _log.info("exporter %s: requests are kept below %d bytes", self.name, shown)

    def _dead_letter(self, part: Part, refusal: Permanent) -> None:
        part.search.found += 1
        if self._dead_letters is not None:
            letter = Letter(self._clock.now(), reason(refusal), str(refusal), part.frames)
            self._dead_letters.keep(letter)
        self._contact.say(
            *(logging.ERROR, (part.signal, reason(refusal))),
            "%d items of %s were refused for good (%s): %s",
            *(part.items, part.signal, reason(refusal), refusal),
        )

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

    def _count(self, round_: Round) -> None:
        telemetry = self._telemetry
        for (fate, signal, why), items in round_.fates.items():
            if fate == SENT:
                telemetry.sent.add(items, self.name, signal)
            elif fate == REJECTED:
                telemetry.rejected.add(items, self.name, signal)
            elif fate == DEAD:
                telemetry.dead_lettered.add(items, self.name, signal, why)

    def _left(self) -> Counter[str]:
        """Items without a verdict, by signal: what was read and what was not. Reading only."""
        round_ = self._round
        left = round_.open() if round_ else Counter[str]()
        last_seq = round_.last_seq if round_ else 0
        for frame in self._journal.read(self.name, sys.maxsize, 0.0):
            if frame.seq > last_seq:
                left[frame.signal] += frame.items
        return left


def join_all(runners: Sequence[Runner]) -> int:
    """Wait for the end of every drain, side by side. Return the items that were left."""
    for runner in runners:
        runner.wait()
    for runner in runners:
        runner.cancel()
    give_up = time.monotonic() + _CANCEL_SECONDS
    for runner in runners:
        runner.wait(give_up - time.monotonic())
    return sum(runner.count_left() for runner in runners)


def _smaller_may_pass(part: Part, refusal: Permanent) -> bool:
    """Whether a half of what was refused may be accepted."""
    if isinstance(refusal, Refused):
        return refusal.scope != Refused.SENDER and not part.search.over
    return isinstance(refusal, TooLarge) or not part.search.over
