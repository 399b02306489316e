"""How the ledger goes on after a restart: checkpoint, release, replay. It packs and opens nothing.

A checkpoint is written while frames come, and the journal is released up to the older of two. After
a restart the newest good one is loaded and the frames behind it are read again. What rows in the
journal say of them decides into which generation they go, so nothing is in two rows (ADR 0013).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence

from costspan.clock import Clock
from costspan.ledger.checkpoint import Checkpoints, Draft
from costspan.ledger.checkpoint_state import Packing, Snapshot, unpack
from costspan.ledger.ledger import TraceLedger
from costspan.ledger.outbox import Outbox
from costspan.ledger.published import Published
from costspan.model import (
    CALL_ROWS,
    TRACE_TOTALS,
    Frame,
    Journal,
    decode_calls,
    decode_totals,
)
from costspan.telemetry import Telemetry

READER = "ledger"
_EVERY = 10_000_000_000  # nanoseconds
_MOST_BYTES = 64 * 1024 * 1024  # of frames: what a restart reads again at most twice
_log = logging.getLogger(__name__)


class Continuity:
    """The ledger's past and future processes. Call it from the ledger's thread.

    `replaying` is True until the frames that an earlier process left are read: timers stand still
    meanwhile, since the spans that they wait for may be in the next frame.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: TraceLedger,
        outbox: Outbox,
        checkpoints: Checkpoints,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        """Before anything is appended: what is in the journal now is what is replayed."""
        self._journal = journal
        self._ledger = ledger
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._clock = clock
        self._telemetry = telemetry
        behind = journal.backlog(READER)
        self._cursor, self._to_replay = behind.cursor, behind.frames
        self.replaying = True
        self._recovered = False
        self._unsaved = 0  # bytes of frames since the last checkpoint
        self._due = clock.monotonic() + _EVERY
        self._released = 0
        self._draft: Draft | None = None  # is being written
        self._publishing: threading.Thread | None = None

    def recover(self) -> None:
        """Load the newest good checkpoint and what is known of the time since. The first call."""
        if self._recovered:
            return
        self._recovered = True  # whatever comes of it: it would fail again
        now = self._clock.monotonic()
        found = self._checkpoints.load(
            lambda data: unpack(data, now), lambda snapshot: snapshot.ledger.last_seq
        )
        reached = found.ledger.last_seq if found else 0
        self._ledger.resume(found.ledger if found else None, self._published(reached))
        if found:
            self._outbox.take(found.totals, found.calls)
        if self._cursor > reached:
            _log.warning(
                "trace ledger: frames %d to %d are not in the journal any more; traces from before "
                "are ended with what is known of them",
                reached + 1,
                self._cursor,
            )
            self._outbox.put(self._ledger.interrupt(self._clock.now()))
        if self._to_replay or found:
            _log.info("trace ledger: goes on at %d, %d frames to read", reached, self._to_replay)

    def passed(self, frames: Sequence[Frame]) -> None:
        """What one read returned is in the ledger."""
        self._unsaved += sum(len(frame.body) + len(frame.calls) for frame in frames)
        if self.replaying:
            self._telemetry.replayed_spans.add(sum(f.items for f in frames[: self._to_replay]))
            self._to_replay -= len(frames)
            if self._to_replay <= 0 or not frames:  # fewer than expected, if some were dropped
                self.replaying = False
                self._ledger.caught_up()

    @property
    def writing(self) -> bool:
        """Whether the next `save_if_due` has something to do."""
        return self._draft is not None

    def save_if_due(self, *, wait: bool = True) -> None:
        """A checkpoint from time to time, a piece a call. Unless `wait`, another thread ends it."""
        self._release()
        if self._draft is None and self._is_due(self._clock.monotonic()):
            self._begin()
        if self._draft is None or self._draft.write():
            return
        draft, self._draft = self._draft, None
        self._ledger.watch_changes(None)
        if wait:
            draft.publish()
            self._release()
        else:
            self._publishing = threading.Thread(
                target=draft.publish, name="ledger-checkpoint", daemon=True
            )
            self._publishing.start()

    def save(self) -> None:
        """The last checkpoint: all of it at once, in place of one that is not whole yet."""
        if self._publishing is not None:
            self._publishing.join()
        if self._draft is not None:
            self._draft.discard()
        self._begin()
        while self._draft is not None:
            self.save_if_due()

    def _is_due(self, now: int) -> bool:
        if self._unsaved < _MOST_BYTES:
            idle = not self._unsaved and not self._checkpoints.failing
            if idle or now < self._due:
                return False
        return self._publishing is None or not self._publishing.is_alive()

    def _begin(self) -> None:
        now = self._clock.monotonic()
        self._unsaved, self._due = 0, now + _EVERY
        snapshot = Snapshot(self._ledger.state(), *self._outbox.waiting())
        packing = Packing(snapshot, now, self._checkpoints.at_once)
        self._draft = self._checkpoints.draft(snapshot.ledger.last_seq, packing)
        self._ledger.watch_changes(packing.keep if self._draft is not None else None)

    def _release(self) -> None:
        releasable = self._checkpoints.releasable
        if releasable > self._released:
            self._released = releasable
            self._journal.release(READER, releasable)

    def _published(self, reached: int) -> Published:
        """What the journal has of rows that were appended since a checkpoint."""
        past = Published()
        for frame in self._since(reached, TRACE_TOTALS):
            past.note(decode_totals(frame.body))
        for frame in self._since(reached, CALL_ROWS):
            past.note_corrected(decode_calls(frame.body))
        return past

    def _since(self, seq: int, signal: str) -> Iterable[Frame]:
        return (frame for frame in self._journal.recovered(signal) if frame.seq > seq)
