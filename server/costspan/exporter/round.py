"""What was read from the journal at once, and what has become of it. No delivery, no waiting."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from costspan.exporter.divide import divide
from costspan.model import OWN, Frame

# A refusal of the content is followed down to the items at fault, this many in one delivery. Then
# the destination seems to refuse everything, and what it refuses is no longer taken apart: each
# item at fault costs about two requests for every halving.
MOST_FAULTS = 64

SENT, REJECTED, DEAD, DROPPED = "sent", "rejected", "dead_lettered", "dropped"
Fate = tuple[str, str, str]  # one of those, signal, reason


@dataclass(slots=True)
class Search:
    """For what one delivery is refused for; all its parts share it."""

    found: int = 0  # parts that were refused for good

    @property
    def over(self) -> bool:
        return self.found >= MOST_FAULTS


@dataclass(slots=True, eq=False)
class Part:
    """Frames, whole or cut, that travel together. They are of one signal."""

    frames: Sequence[Frame]
    search: Search = field(default_factory=Search)
    failures: int = 0  # attempts that came to nothing
    doubts: int = 0  # of them those that were refused, perhaps by a fault of the destination

    @property
    def signal(self) -> str:
        return self.frames[0].signal

    @property
    def items(self) -> int:
        return sum(frame.items for frame in self.frames)

    @property
    def ours(self) -> bool:
        """Whether costspan itself made it: log events, rows."""
        return all(frame.flags & OWN for frame in self.frames)

    @property
    def size(self) -> int:
        """Bytes of the bodies."""
        return sum(len(frame.body) for frame in self.frames)

    def halves(self) -> tuple[Part, Part] | None:
        """Two parts in order, cut between frames if there are several; None if it can't be cut."""
        middle = len(self.frames) // 2
        if middle:
            first, second = self.frames[:middle], self.frames[middle:]
        elif pair := divide(self.frames[0]):
            first, second = pair[:1], pair[1:]
        else:
            return None
        return replace(self, frames=first), replace(self, frames=second)


class Round:
    """The parts of one reading. Safe for several threads that work on it.

    Fates are kept here until the cursor moves: what a crash or a restart sends again has not been
    counted yet.
    """

    def __init__(self, groups: Iterable[Sequence[Frame]], last_seq: int) -> None:
        self.last_seq = last_seq
        self.fates: dict[Fate, int] = {}  # items
        self._waiting = deque(Part(group) for group in groups if group)
        self._taken: list[Part] = []
        self._lock = threading.Lock()

    def take(self) -> Part | None:
        """The next part to deliver; None if none waits."""
        with self._lock:
            if not self._waiting:
                return None
            part = self._waiting.popleft()
            self._taken.append(part)
            return part

    def give_back(self, part: Part) -> None:
        """It has no verdict: it is the next to be taken."""
        self.replace(part, (part,))

    def replace(self, part: Part, parts: Sequence[Part]) -> None:
        """Parts in the place of one that was taken."""
        with self._lock:
            self._taken.remove(part)
            self._waiting.extendleft(reversed(parts))

    def settle(self, part: Part, fates: Iterable[tuple[str, str, int]]) -> None:
        """What became of a part: (fate, reason, items)."""
        with self._lock:
            self._taken.remove(part)
            for fate, reason, items in fates:
                if items:
                    key = fate, part.signal, reason
                    self.fates[key] = self.fates.get(key, 0) + items

    @property
    def waiting(self) -> int:
        """Parts that nobody has taken."""
        return len(self._waiting)

    @property
    def complete(self) -> bool:
        """Every part has a verdict."""
        return not (self._waiting or self._taken)

    def open(self) -> Counter[str]:
        """Items without a verdict, by signal."""
        with self._lock:
            counts: Counter[str] = Counter()
            for part in (*self._taken, *self._waiting):
                counts[part.signal] += part.items
            return counts
