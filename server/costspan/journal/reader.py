"""Where one reader of the disk journal stands, and what it has before it. No files, no waiting.

A reader that keeps up is handed each frame as it is published: one object for all readers, no file
is read. Beyond a limit it falls behind: from there on `at` says where in the files to go on, until
it has caught up again. So what a reader has in memory is bounded, however much waits.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from costspan.journal.cursor import Cursor, Place
from costspan.journal.register import Register
from costspan.journal.segment import HEADER_SIZE, Segment
from costspan.journal.tally import Tally
from costspan.model import Backlog, Frame, ReaderSpec

BACKPRESSURE, DROP_OLDEST = "backpressure", "drop_oldest"
_MOST_IN_HAND = 32 << 20  # bytes, whatever a reader asks for at once


class Position(NamedTuple):
    """A place in the files: the next record to read."""

    segment: Segment
    offset: int


class Held(NamedTuple):
    """A frame, the bytes that its record takes, and the file that it is in."""

    frame: Frame
    size: int
    segment: Segment


class Reader:
    """Guarded by the journal's lock, but for `turn`: one thread at a time reads files for it.

    `until`: the last seq that is kept for it; of a reader that the configuration no longer names.
    """

    def __init__(
        self, spec: ReaderSpec, cursor: Cursor, hand_limit: int, until: int = sys.maxsize
    ) -> None:
        self.spec = spec
        self.cursor = cursor
        self.until = until
        self.committed, self.planned = 0, 0
        self.released = 0  # of a reader that releases: what a restart does not bring again
        self.turn = threading.Lock()
        self.at: Position | None = None  # None: the hand reaches up to the published end
        self.hand: deque[Held] = deque()  # above the cursor, oldest first
        self.queued = Tally()  # all above the cursor that it takes, the hand included
        self.dropped_items = 0
        self._limit = hand_limit
        self._in_hand = Tally()
        self._bodies = 0  # bytes, of the hand
        self._pinned: Counter[Segment] = Counter()  # frames in hand by the file they are in
        self._taken = 0  # the last seq that it was given: the round that it is trying
        self._shares: dict[Segment, Tally] = {}  # of files that it has to read in part

    # --- at the start -------------------------------------------------------------------------

    def resume(self) -> bool:
        """Stand where its cursor says; False if that does not tell. Raises OSError."""
        found = self.cursor.load()
        self.committed, self.planned = self.cursor.place
        self.released = self.committed
        return found

    def known_to(self, register: Register) -> bool:
        """Whether it has read this journal before, though its cursor is gone."""
        return self.cursor.path.exists() or self.spec.name in register.readers

    def begin_with(self, segment: Segment, share: Tally | None) -> None:
        """This file is left from before; `share`: what of it is before the reader, if not all."""
        if share is not None:
            self._shares[segment] = share
        before = self.queued.frames
        self.queued.include(self._share(segment), self.spec.takes)
        if self.at is None and self.queued.frames > before:
            self.at = Position(segment, HEADER_SIZE)

    # --- frames come and go -------------------------------------------------------------------

    def publish(self, held: Held, at: Position) -> None:
        """A frame that it takes is there, at this place."""
        frame, size, _ = held
        self.queued.add(frame.signal, frame.items, size)
        if self.at is not None:
            return
        if self.hand and self._in_hand.bytes + size > self._limit:
            self.at = at
        else:
            self.pick_up((held,))

    def pick_up(self, frames: Iterable[Held]) -> None:
        """Take these into the hand; `queued` counts them already."""
        for held in frames:
            self.hand.append(held)
            self._bodies += len(held.frame.body)
            self._in_hand.add(held.frame.signal, held.frame.items, held.size)
            self._pinned[held.segment] += 1

    def take(self, max_bytes: int) -> list[Frame]:
        """The frames of the next round: those of a planned one, else as many as fit."""
        self._limit = max(self._limit, min(max_bytes, _MOST_IN_HAND))
        taken = self._planned_round() or self._fitting(max_bytes)
        if taken:
            self._taken = taken[-1].seq
        return taken

    def _planned_round(self) -> list[Frame]:
        if self.planned <= self.committed:
            return []
        frames = [held.frame for held in self.hand if held.frame.seq <= self.planned]
        if not frames:
            self.planned = 0  # nothing of it is left
        return frames

    def _fitting(self, max_bytes: int) -> list[Frame]:
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
        return self._bodies < max_bytes

    def settle(self, seq: int) -> bool:
        """Let go of what is in hand up to `seq`; False if there may be more of it in the files."""
        while self.hand and self.hand[0].frame.seq <= seq:
            held = self.hand.popleft()
            self._put_down(held)
            self.queued.take(held.frame.signal, held.frame.items, held.size)
        return bool(self.hand) or self.at is None or self.at.segment.first > seq

    def _put_down(self, held: Held) -> None:
        self._bodies -= len(held.frame.body)
        self._in_hand.take(held.frame.signal, held.frame.items, held.size)
        self._pinned[held.segment] -= 1
        if self._pinned[held.segment] <= 0:
            del self._pinned[held.segment]

    # --- losing -------------------------------------------------------------------------------

    def shed(self, of: Segment) -> Tally:
        """Lose what it has in hand of a file, but for the round that it is trying."""
        lost = Tally()
        if not self._pinned[of]:
            return lost
        kept = deque[Held]()
        for held in self.hand:
            if held.segment is of and held.frame.seq > self._taken:
                self._put_down(held)
                lost.add(held.frame.signal, held.frame.items, held.size)
            else:
                kept.append(held)
        self.hand = kept
        self.queued.include(lost, self.spec.takes, -1)
        return lost

    def skip(self, later: Sequence[Segment]) -> Tally:
        """Lose what is left of the file that it stands in, and stand in the first of `later`."""
        rest = Tally()
        rest.include(self.queued, self.spec.takes)
        rest.include(self._in_hand, self.spec.takes, -1)
        for segment in later:
            rest.include(self._share(segment), self.spec.takes, -1)
        self.queued.include(rest, self.spec.takes, -1)
        self.at = Position(later[0], HEADER_SIZE) if later else None
        return rest

    def unpin(self, of: Segment) -> None:
        """What it has in hand of a file it has in memory alone from now on."""
        self._pinned.pop(of, None)

    def _share(self, segment: Segment) -> Tally:
        if segment.first > self.until:
            return Tally()
        return self._shares.get(segment, segment.tally)

    # --- what it tells ------------------------------------------------------------------------

    def needs(self, segment: Segment) -> bool:
        """Whether something in this file is still before it."""
        if segment in self._pinned:
            return True
        return self.at is not None and self.at.segment.first <= segment.first <= self.until

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
