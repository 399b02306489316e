"""The segments that are there and who still needs them; what has to go when room is short.

Everything that is lost is counted here, by reader and signal. Guarded by the journal's lock.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from costspan.errors import Full
from costspan.journal.reader import BACKPRESSURE, Position, Reader
from costspan.journal.segment import Segment
from costspan.journal.tally import Tally
from costspan.journal.writer import Writer
from costspan.telemetry import Telemetry

FULL, AGE, CORRUPT = "journal_full", "journal_age", "journal_corrupt"
_RETRY_AFTER = 5.0  # seconds; at most half of the 10 s that SDK exporters try for
# Room beyond the limit for signals that nobody with back pressure takes: rows of the ledger tell of
# spans that were accepted, and must not be lost because another reader's destination is slow.
_OWN_ROOM = 16 << 20
_AGE_SHARE = 4  # a file is closed after this part of the age: what is dropped goes by files
_SECOND = 1_000_000_000
_log = logging.getLogger(__name__)


class Shelf:
    """The files that hold records, oldest first; the last one may still be written to.

    `max_age` in seconds, 0 for any.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        readers: Sequence[Reader],
        writer: Writer,
        *,
        max_size: int,
        max_age: float,
        telemetry: Telemetry,
    ) -> None:
        self.segments = list(segments)
        self.size = sum(each.size for each in segments)
        self._readers = readers
        self._writer = writer
        self._max_size = max_size
        self._max_age = round(max_age * _SECOND)
        self._telemetry = telemetry

    def put(self, segment: Segment) -> None:
        """The file is written to, and about to hold a record that can be read."""
        if not self.segments or self.segments[-1] is not segment:
            self.segments.append(segment)
            self.size += segment.size

    def after(self, segment: Segment) -> list[Segment]:
        """The files that follow one."""
        return [each for each in self.segments if each.first > segment.first]

    # --- room ---------------------------------------------------------------------------------

    def check(self, added: Mapping[str, int]) -> None:
        """Refuse bytes (by signal) that a reader with back pressure leaves no room for.

        A reader that has nothing before it refuses nothing. Raises Full.
        """
        size = sum(added.values()) + self._writer.unpublished
        if self.size + size <= self._max_size:
            return
        for reader in self._readers:
            if reader.spec.when_full != BACKPRESSURE or not reader.queued.frames:
                continue
            if reader.spec.awaits & added.keys():
                continue
            held = self.held_by(reader)
            takes_any = bool(reader.spec.takes & added.keys())
            if held + size > (self._max_size if takes_any else self._max_size + _OWN_ROOM):
                raise Full(
                    f"{reader.spec.name} is {reader.queued.bytes} bytes behind;"
                    f" the journal holds {self._max_size}",
                    after=_RETRY_AFTER,
                )

    def held_by(self, reader: Reader) -> int:
        """Bytes of the files in which something is before this reader."""
        return sum(each.size for each in self.segments if reader.needs(each))

    def make_room(self, size: int) -> None:
        """Make room for so many bytes, a file at a time, in the order of what it costs.

        First goes what only a restart would read. Then readers lose their oldest. At last what is
        in the hands of a reader is in memory alone.
        """
        room = self._max_size - self._writer.unpublished - size
        if self.size <= room:
            return
        for give in (self._forget, self._drop_for_room, self._unpin):
            for each in self._closed():
                if self.size <= room:
                    return
                for reader in self._readers:
                    give(reader, each)
                self.remove_passed()

    def let_go(self) -> None:
        """Remove what only a restart would read: on a full disk no checkpoint lets go of it."""
        for each in self._closed():
            for reader in self._readers:
                self._forget(reader, each)
        self.remove_passed()

    def expire(self, now: int) -> None:
        """Readers without back pressure lose what is older than they may be behind."""
        if not self._max_age or not self.segments:
            return
        active = self._writer.segment
        if active is self.segments[-1] and now - active.oldest_ns > self._max_age // _AGE_SHARE:
            self._writer.roll()
        old = [each for each in self._closed() if now - each.newest_ns > self._max_age]
        for each in old:
            for reader in self._readers:
                self._forget(reader, each)
                if reader.spec.when_full != BACKPRESSURE:
                    self._drop(reader, each, AGE)
        if old:
            self.remove_passed()

    def remove_passed(self) -> None:
        """Remove the files that every reader has passed; never the one that is written to."""
        for each in [each for each in self._closed() if not self._is_wanted(each)]:
            try:
                each.path.unlink(missing_ok=True)
                self._writer.names_changed()
            except OSError as fault:
                _log.warning("%s can't be removed: %s", each.path, fault)
                continue
            self.segments.remove(each)
            self.size -= each.size

    def _closed(self) -> list[Segment]:
        return [each for each in self.segments if each is not self._writer.segment]

    def _is_wanted(self, segment: Segment) -> bool:
        return any(reader.needs(segment) or reader.keeps(segment) for reader in self._readers)

    # --- losing -------------------------------------------------------------------------------

    def move_on(self, reader: Reader) -> Position | None:
        """Go to the next file when this one is read; None if there is none.

        What it should have found in this one and did not is damaged: lost, and counted.
        """
        while reader.at is not None and reader.at.offset >= reader.at.segment.size:
            self._count(reader, reader.skip(self.after(reader.at.segment)), CORRUPT)
        return reader.at

    def _forget(self, reader: Reader, of: Segment) -> None:
        """What it has committed it does not lose: it is only not there for a restart."""
        if not reader.needs(of):
            reader.released = max(reader.released, of.last)

    def _drop_for_room(self, reader: Reader, of: Segment) -> None:
        if reader.spec.when_full != BACKPRESSURE:
            self._drop(reader, of, FULL)

    def _unpin(self, reader: Reader, of: Segment) -> None:
        if reader.spec.when_full != BACKPRESSURE:
            reader.unpin(of)

    def _drop(self, reader: Reader, of: Segment, reason: str) -> None:
        self._count(reader, reader.shed(of), reason)
        if reader.at is not None and reader.at.segment is of:
            self._count(reader, reader.skip(self.after(of)), reason)

    def _count(self, reader: Reader, lost: Tally, reason: str) -> None:
        for signal, items in lost.items.items():
            if items:
                reader.dropped_items += items
                self._telemetry.dropped.add(items, reader.spec.name, signal, reason)
