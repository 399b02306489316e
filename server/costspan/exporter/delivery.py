"""What becomes of the parts of a round: attempts, verdicts, halves, dead letters. No journal here.

What a delivery is and how it travels is the destination's business (`destination.py`); how long to
wait is `retry.py`'s. Rules:

- A part is tried for ever until it has a verdict. Its failure never re-sends another one.
- What is refused for its content is halved, down to one item: one bad span takes nobody along.
- What is refused for good is written down before it counts as settled.
"""

from __future__ import annotations

import logging
import threading

from costspan.clock import Clock
from costspan.errors import Permanent, Refused, Retryable, TooLarge
from costspan.exporter.contact import Contact, reason
from costspan.exporter.dead_letters import DeadLetters
from costspan.exporter.destination import Delivered, Destination
from costspan.exporter.drain import Drain
from costspan.exporter.letter import Letter
from costspan.exporter.retry import RetryPolicy
from costspan.exporter.round import DEAD, DROPPED, REJECTED, SENT, Part, Round
from costspan.model import in_words

_log = logging.getLogger(__name__)

# A refusal that may be the destination's own fault is believed the fifth time: with the default
# back-off that is 15 s later at most, which a server that starts mostly needs no longer.
_BELIEVED = 5
# A limit that is only inferred never falls below: every batch would fall apart into crumbs.
_LEAST_LIMIT = 64 << 10


_UNSERVED = frozenset({"unimplemented", "not_found"})
_NOT_TAKEN = "not_taken"


class Delivery:
    """How rounds get to one destination, `consumers` parts at once."""

    def __init__(
        self,
        destination: Destination,
        contact: Contact,
        drain: Drain,
        clock: Clock,
        *,
        retry: RetryPolicy,
        consumers: int,
        dead_letters: DeadLetters | None,
    ) -> None:
        self._name = destination.name
        self._destination = destination
        self._contact = contact
        self._drain = drain
        self._clock = clock
        self._retry = retry
        self._consumers = consumers
        self._dead_letters = dead_letters
        self._unserved: set[str] = set()  # signals of ours that the destination does not take
        self._limit: int | None = None  # bytes of a request, once the destination has shown one

    def work(self, round_: Round) -> None:
        """Bring every part to a verdict; return early only when the drain's deadline has passed."""
        extra = [
            threading.Thread(
                target=self._consume, args=(round_,), name=f"exporter-{self._name}", daemon=True
            )
            for _ in range(min(self._consumers, round_.waiting) - 1)
        ]
        for thread in extra:
            thread.start()
        self._consume(round_)
        for thread in extra:
            thread.join()

    def _consume(self, round_: Round) -> None:
        while not self._drain.over and (part := round_.take()):
            try:
                self._attempt(part, round_)
            except Exception as fault:  # noqa: BLE001 (a fault of ours is no verdict on the data)
                if not part.failures:
                    _log.exception("exporter %s: a delivery failed unexpectedly", self._name)
                self._again(part, fault, round_)

    def _attempt(self, part: Part, round_: Round) -> None:
        """A verdict, two halves in the place of the part, or a wait."""
        if part.ours and part.signal in self._unserved:
            round_.settle(part, ((DROPPED, _NOT_TAKEN, part.items),))
            return
        if self._limit and part.size > self._limit and (halves := part.halves()):
            round_.replace(part, halves)
            return
        try:
            delivered = self._destination.deliver(part.frames)
        except Permanent as refusal:
            self._refused(part, refusal, round_)
        except Retryable as fault:
            self._again(part, fault, round_)
        else:
            self._contact.succeeded()
            self._delivered(part, delivered, round_)

    def _again(self, part: Part, fault: Exception, round_: Round) -> None:
        """Put a part back, and wait before anybody takes it."""
        part.failures += 1
        self._contact.failed(fault)
        after = fault.after if isinstance(fault, Retryable) else 0.0
        self._drain.pause(self._retry.delay(part.failures, after))
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
        if doubtful and part.doubts + 1 < _BELIEVED:
            part.doubts += 1
            self._again(part, refusal, round_)
            return
        if part.ours and reason(refusal) in _UNSERVED:
            self._leave_alone(part, round_)
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

    def _leave_alone(self, part: Part, round_: Round) -> None:
        """It takes none of what we add to this signal: said once, and not tried again."""
        self._unserved.add(part.signal)
        self._contact.say(
            *(logging.INFO, (part.signal, _NOT_TAKEN)),
            "%s are not served there: events of costspan's own are left out from now on",
            in_words(part.signal),
        )
        round_.settle(part, ((DROPPED, _NOT_TAKEN, part.items),))

    def _learn(self, limit: int, refused: int) -> None:
        """Keep to the limit that was shown: not every batch shall be refused once first."""
        shown = limit if 0 < limit < refused else max(refused // 2, _LEAST_LIMIT)
        if self._limit is None or shown < self._limit:
            self._limit = shown
            _log.info("exporter %s: requests are kept below %d bytes", self._name, shown)

    def _dead_letter(self, part: Part, refusal: Permanent) -> None:
        part.search.found += 1
        if self._dead_letters is not None:
            letter = Letter(self._clock.now(), reason(refusal), str(refusal), part.frames)
            self._dead_letters.keep(letter)
        self._contact.say(
            *(logging.ERROR, (part.signal, reason(refusal))),
            "%d items of %s were refused for good (%s): %s",
            *(part.items, in_words(part.signal), reason(refusal), refusal),
        )


def _smaller_may_pass(part: Part, refusal: Permanent) -> bool:
    """Whether a half of what was refused may be accepted."""
    if isinstance(refusal, Refused):
        return refusal.scope != Refused.SENDER and not part.search.over
    return isinstance(refusal, TooLarge) or not part.search.over
