"""A journal in memory that outlives the processes of a test, and a fuse that ends them anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from costspan.errors import Full
from costspan.model import OWN, RELEASED, Backlog, Frame, ReaderSpec


class Killed(BaseException):
    """The process ends here; no boundary of a thread may catch it."""


class Fuse:
    """Counts operations and kills at the one that was chosen, before or after it took effect."""

    def __init__(self) -> None:
        self._left: int | None = None

    def set(self, operations: int | None) -> None:
        """None: it does not blow."""
        self._left = operations

    def burn(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self._left = None
                raise Killed


class DurableJournal:
    """What a disk journal keeps: the frames, and how far each reader was.

    `restart` is a new process: readers that release read on from there.
    """

    identity = "5" * 32

    def __init__(self, readers: Sequence[ReaderSpec], fuse: Fuse | None = None) -> None:
        self._specs = {spec.name: spec for spec in readers}
        self._fuse = fuse or Fuse()
        self.frames: list[Frame] = []
        self.full = False  # for rows and roots
        self.kept = 0  # bytes, for whoever asks
        self._durable = dict.fromkeys(self._specs, 0)
        self._position = dict(self._durable)
        self._recovered = 0

    def restart(self) -> None:
        self._position = dict(self._durable)
        self._recovered = len(self.frames)

    def lose(self, reader: str, seq: int) -> None:
        """The limit was reached: what the reader had not released goes first."""
        self._durable[reader] = max(self._durable[reader], seq)

    @property
    def newest(self) -> int:
        return len(self.frames)

    def pinned(self, reader: str) -> int:  # noqa: ARG002
        return self.kept

    def append(self, frames: Sequence[Frame]) -> int:
        if self.full and any(one.flags & OWN or one.signal == RELEASED for one in frames):
            raise Full("no room for rows")
        for frame in frames:
            self._fuse.burn()
            self.frames.append(frame._replace(seq=len(self.frames) + 1))
            self._fuse.burn()
        return len(self.frames)

    def admit(self, signal: str, size: int) -> None:
        """There is always room."""

    def read(self, reader: str, max_bytes: int, timeout: float) -> list[Frame]:  # noqa: ARG002
        self._fuse.burn()
        takes = self._specs[reader].takes
        return [one for one in self.frames[self._position[reader] :] if one.signal in takes]

    def plan(self, reader: str, seq: int) -> None:
        """The ledger has no rounds."""

    def commit(self, reader: str, seq: int) -> None:
        self._fuse.burn()
        self._position[reader] = max(self._position[reader], seq)
        if not self._specs[reader].releases:
            self.release(reader, seq)

    def release(self, reader: str, seq: int) -> None:
        self._fuse.burn()
        self._durable[reader] = max(self._durable[reader], seq)
        self._fuse.burn()

    def recovered(self, signal: str) -> Iterator[Frame]:
        oldest = min(self._durable.values())
        return (one for one in self.frames[oldest : self._recovered] if one.signal == signal)

    def backlog(self, reader: str) -> Backlog:
        takes = self._specs[reader].takes
        left = [one for one in self.frames[self._position[reader] :] if one.signal in takes]
        return Backlog(len(left), sum(f.items for f in left), 0, 0, 0, self._durable[reader])

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        """Nobody waits."""

    def end(self) -> None:
        """It holds nothing of the machine."""
