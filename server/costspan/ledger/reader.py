"""The ledger's thread: journal -> ledger -> rows -> journal. It decides nothing.

Its cursor moves as soon as a frame is in the ledger: an open trace never pins the journal. If the
journal outlives the process, so do checkpoints of the ledger (`continuity.py`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from costspan.clock import Clock
from costspan.ledger.alarm import Alarm
from costspan.ledger.checkpoint import Checkpoints
from costspan.ledger.continuity import READER, Continuity
from costspan.ledger.ledger import Closing, TraceLedger
from costspan.ledger.look import Looks
from costspan.ledger.outbox import Events, Outbox
from costspan.ledger.waiting import Agents
from costspan.ledger.waiting_sender import WaitingSender
from costspan.model import OWN, SOLO, Frame, Journal
from costspan.telemetry import Telemetry
from costspan.wire import heads

__all__ = ["READER", "LedgerReader"]

_READ_BYTES = 8 * 1024 * 1024
_POLL = 0.25  # seconds: how late a stop may be noticed
_TICK = 100_000_000  # nanoseconds between two looks at the timers
_MOST_DUE = 64  # traces that are closed or written in a turn: 10 ms of roll-ups, if they are small
_LAST_ATTEMPTS = 4  # at the end, a quarter of a second apart
_log = logging.getLogger(__name__)


class LedgerReader:
    """Reads as reader "ledger" and keeps the ledger's timers. `start` and `stop` once each.

    Timers run on `clock.monotonic()`: a wall clock that is set must neither close a trace nor keep
    it open. They are looked at ten times a second, so that traces that fall due one by one are
    closed, and their rows appended, together.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: TraceLedger,
        clock: Clock,
        telemetry: Telemetry,
        checkpoints: Checkpoints | None = None,
        events: Events | None = None,
        waiting: WaitingSender | None = None,
    ) -> None:
        """Before anything is appended. `checkpoints`: of a journal that outlives the process."""
        self._waiting = waiting
        self._journal = journal
        self._ledger = ledger
        self._clock = clock
        self._telemetry = telemetry
        self._tick_at = clock.monotonic()
        self._outbox = Outbox(journal, telemetry, events=events)
        self._alarm = Alarm(telemetry)
        self._looks = Looks(ledger)
        self._continuity: Continuity | None = None
        if checkpoints is not None:
            self._continuity = Continuity(
                journal, ledger, self._outbox, checkpoints, clock, telemetry
            )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=READER, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline: int) -> None:
        """Read what is left, close every trace, write the rows; give up at `deadline`.

        `deadline` is a time of `clock.monotonic()`. Call it before the journal is closed, and when
        nothing is appended any more.
        """
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(max(0.0, (deadline - self._clock.monotonic()) / 1e9))
            if self._thread.is_alive():
                _log.warning("the trace ledger could not be drained in time")
                if self._waiting is not None:
                    self._waiting.give_up()
                return
        self._drain(deadline)

    def look(self, trace_id: str) -> bytes | None:
        """A `look.View` of a trace that is held, as JSON. From any thread; it may take a moment."""
        return self._looks.ask(trace_id)

    def step(self, timeout: float = 0.0) -> bool:
        """Read once, let timers go off, write rows. Return False if there was nothing to read.

        The thread's loop; a test may turn it by hand instead of calling `start`.
        """
        going_on = self._continuity
        if going_on is not None:
            going_on.recover()
        self._looks.answer()
        frames = self._journal.read(READER, _READ_BYTES, timeout)
        for frame in frames:
            self._feed(frame)
            self._tell(old=going_on is not None and going_on.replaying)
        if frames:
            self._journal.commit(READER, frames[-1].seq)
        self._send_waiting()
        if going_on is not None:
            going_on.passed(frames)
        now = self._clock.monotonic()
        if now >= self._tick_at and not (going_on is not None and going_on.replaying):
            self._tick(now)
        if going_on is not None:
            going_on.save_if_due(wait=self._thread.ident is None)
        return bool(frames)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self.step(self._wait()):
                    self._stopping.wait(0.001)  # a closed journal answers at once: do not spin
            except Exception:  # noqa: BLE001  (the boundary of the thread: it must not end)
                self._fault("the round failed and goes on with the next frame")

    def _wait(self) -> float:
        """Seconds until a timer may go off, at most the time in which a stop has to be noticed."""
        if self._continuity is not None and self._continuity.writing:
            return 0.0
        due = self._ledger.next_deadline()
        if due is None:
            return _POLL
        return min(_POLL, max(0.0, (max(due, self._tick_at) - self._clock.monotonic()) / 1e9))

    def _feed(self, frame: Frame) -> None:
        if frame.flags & (OWN | SOLO) or frame.seq <= self._ledger.last_seq:
            return  # rows of ours, bytes that nobody may open, or what a checkpoint holds
        now = self._clock.monotonic()
        told_later = self._waiting.take(frame, now) if self._waiting is not None else set[bytes]()
        try:
            self._ledger.add(frame, heads(frame.body), now)
        except Exception:  # noqa: BLE001  (a bad frame must not hold up the next)
            self._fault("a frame could not be read; its spans are in no trace total")
        if self._waiting is not None and told_later:
            self._waiting.refuse(one for one in told_later if not self._ledger.will_tell(one))

    def _send_waiting(self) -> bool:
        """Return False if some found no room."""
        if self._waiting is None:
            return True
        self._waiting.look(self._clock.monotonic(), self._agents_so_far)
        return self._waiting.turn(self._clock.now())

    def _agents_so_far(self, trace_id: bytes) -> Agents:
        try:
            return self._ledger.agents_so_far(trace_id)
        except Exception:  # noqa: BLE001  (as for a frame)
            self._fault("an open trace could not be added up; its agents' spans leave as they came")
            return {}

    def _tick(self, now: int) -> None:
        """Let timers go off. If many do at once, frames are read in between."""
        self._put_rows(self._ledger.expire(now, _MOST_DUE))
        self._send_waiting()
        due = self._ledger.next_deadline()
        if due is None or due > now:
            self._tick_at = now + _TICK

    def _tell(self, *, old: bool) -> None:
        """Signals wait for nothing else; those of a replay were told before it."""
        signals = self._ledger.take_signals()
        if signals and not old:
            self._alarm.raise_for(signals, self._clock.monotonic())
            self._outbox.put_signals(signals)
            self._outbox.send(self._clock.now())

    def _put_rows(self, closings: Sequence[Closing]) -> None:
        self._outbox.put(closings)
        self._outbox.send(self._clock.now())

    def _drain(self, deadline: int) -> None:
        while self._clock.monotonic() < deadline and self.step():
            pass
        self._put_rows(self._last_closings(self._clock.monotonic()))
        if self._waiting is not None:
            self._waiting.end()
        for _ in range(self._last_attempts(deadline)):  # exporters may still make room
            if self._send_waiting() and self._outbox.send(self._clock.now()):
                break
            threading.Event().wait(_POLL)
        if self._waiting is not None and (lost := self._waiting.give_up()):
            _log.warning(
                "%d spans that waited for totals found no room in the journal and are lost", lost
            )
        if self._continuity is not None:
            self._continuity.save()
        elif lost := self._outbox.give_up():
            _log.warning("%d rows of the trace ledger found no room in the journal", lost)

    def _last_attempts(self, deadline: int) -> int:
        """What waits are clients' spans: they may take half of the time that is left."""
        if self._waiting is None:
            return _LAST_ATTEMPTS
        left = (deadline - self._clock.monotonic()) / 1e9
        return max(_LAST_ATTEMPTS, int(left / 2 / _POLL))

    def _last_closings(self, now: int) -> list[Closing]:
        if self._continuity is not None:
            return self._ledger.suspend(now)
        return self._ledger.shutdown(now)

    def _fault(self, sentence: str) -> None:
        self._telemetry.intake_errors.add(1, READER)
        _log.exception("trace ledger: %s", sentence)
