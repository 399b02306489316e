"""Where one reader of the disk journal stands, and what it has before it. No files, no waiting.

A reader that keeps up is handed each frame as it is published: one object for all readers, no file
is read. Beyond `hand_limit` it falls behind: from there on `at` says where in the files to go on,
until it has caught up again. So what a reader has in memory is bounded, however much waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from costspan.journal.cursor import Cursor, Place
from costspan.journal.register import Register
from costspan.journal.segment import Segment
from costspan.journal.tally import Tally
from costspan.model import Backlog, Frame, ReaderSpec

BACKPRESSURE, DROP_OLDEST = "backpressure", "drop_oldest"


class Position(NamedTuple):
    """A place in the files: the next record to read."""

    segment: Segment
    offset: int


class Held(NamedTuple):
    """A frame and the bytes that its record takes."""

    frame: Frame
    size: int


class Reader:
    """Guarded by the journal's lock, but for `turn`: one thread at a time reads files for it."""

    def __init__(self, spec: ReaderSpec, cursor: Cursor, hand_limit: int) -> None:
        self.spec = spec
        self.cursor = cursor
        self.committed, self.planned = 0, 0
        self.released = 0  # of a reader that releases: what a restart does not bring again
        self.turn = threading.Lock()
        self.at: Position | None = None  # None: the hand reaches up to the published end
        self.hand: deque[Held] = deque()  # above the cursor, oldest first
        self.hand_bodies = 0  # bytes
        self.queued = Tally()  # all above the cursor that it takes, the hand included
        self.dropped_items = 0
        self._in_hand = Tally()
        self._limit = hand_limit

    def resume(self) -> bool:
        """Stand where its cursor says; False if that does not tell. Raises OSError."""
        found = self.cursor.load()
        self.committed, self.planned = self.cursor.place
        self.released = self.committed
        return found

    def known_to(self, register: Register) -> bool:
        """Whether it has read this journal before, though its cursor is gone."""
        return self.cursor.path.exists() or self.spec.name in register.readers

    def publish(self, held: Held, at: Position) -> None:
        """A frame that it takes is there, at this place."""
        frame, size = held
        self.queued.add(frame.signal, frame.items, size)
        if self.at is not None:
            return
        if self.hand and self._in_hand.bytes + size > self._limit:
            self.at = at
        else:
            self.pick_up((held,))

    def pick_up(self, frames: Sequence[Held]) -> None:
        """Take these into the hand; `queued` counts them already."""
        for held in frames:
            self.hand.append(held)
            self.hand_bodies += len(held.frame.body)
            self._in_hand.add(held.frame.signal, held.frame.items, held.size)

    def take(self, max_bytes: int) -> list[Frame]:
        """The frames of the next round: those of a planned one, else as many as fit."""
        if self.planned > self.committed:
            round_ = [held.frame for held in self.hand if held.frame.seq <= self.planned]
            if round_:
                return round_
            self.planned = 0  # nothing of it is left
        taken: list[Frame] = []
        bodies = 0
        for held in self.hand:
            bodies += len(held.frame.body)
            if taken and bodies > max_bytes:
                break
            taken.append(held.frame)
        return taken

    def wants(self, max_bytes: int) -> bool:
        """Whether more has to come from the files before `take` can be answered."""
        if self.at is None:
            return False
        if not self.hand:
            return True
        if self.planned > self.committed:
            return self.hand[-1].frame.seq < self.planned
        return self.hand_bodies < max_bytes

    def settle(self, seq: int) -> bool:
        """Let go of what is in hand up to `seq`; False if there may be more of it in the files."""
        while self.hand and self.hand[0].frame.seq <= seq:
            frame, size = self.hand.popleft()
            self.hand_bodies -= len(frame.body)
            self._in_hand.take(frame.signal, frame.items, size)
            self.queued.take(frame.signal, frame.items, size)
        return bool(self.hand) or self.at is None or self.at.segment.first > seq

    def beyond_hand(self, later: Sequence[Segment]) -> Tally:
        """What it still has to read in the segment of `at`, if these are all that follow it."""
        rest = Tally()
        rest.include(self.queued, self.spec.takes)
        rest.include(self._in_hand, self.spec.takes, -1)
        for segment in later:
            rest.include(segment.tally, self.spec.takes, -1)
        return rest

    def needs(self, segment: Segment) -> bool:
        """Whether something in this file is still to be read, or would be after a restart."""
        if self.at is not None and segment.first >= self.at.segment.first:
            return True
        if not self.hand:
            return False
        return segment.first <= self.hand[-1].frame.seq and self.hand[0].frame.seq <= segment.last

    def keeps(self, segment: Segment) -> bool:
        """Whether it has read all of this file, and a restart would bring it again."""
        return self.spec.releases and segment.last > self.released

    def place(self) -> Place:
        """Where a restart shall go on."""
        return Place(self.released if self.spec.releases else self.committed, self.planned)

    def backlog(self) -> Backlog:
        """How far it is behind."""
        queued, gone, oldest_ns = self.queued, self.committed, 0
        if self.hand:
            oldest_ns = self.hand[0].frame.received_ns
        elif self.at is not None:
            oldest_ns = self.at.segment.oldest_ns
            gone = max(gone, self.at.segment.first - 1)
        return Backlog(
            queued.frames,
            sum(queued.items.values()),
            queued.bytes,
            oldest_ns if queued.frames else 0,
            self.dropped_items,
            gone,
        )
