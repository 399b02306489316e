"""The journal on disk: what was acked survives the process, and with fsync the machine.

Segments of records (`segment`, `record`), written at one end (`writer`); a cursor for each reader
(`cursor`) and what it has before it (`reader`); one process (`lock`); what an earlier one left
(`recovery`). Here is what binds them: who waits for whom, and what has to go when room is short.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from costspan.clock import Clock
from costspan.errors import Draining, Full, StartError
from costspan.journal import record, recovery, register, segment
from costspan.journal.cursor import Cursor
from costspan.journal.lock import DirectoryLock
from costspan.journal.reader import BACKPRESSURE, Held, Position, Reader
from costspan.journal.segment import Damage, Segment, sync_directory
from costspan.journal.writer import GROUP, INTERVAL, OFF, Writer, Written
from costspan.model import Backlog, Frame, ReaderSpec
from costspan.telemetry import Gauge, Labels, Telemetry

MIB = 1 << 20
_RETRY_AFTER = 5.0  # seconds; at most half of the 10 s that SDK exporters try for
_HAND = 8 * MIB  # what a reader may have in memory that it has not asked for
_SHARE = 8  # a segment is at most this part of the limit: what is dropped goes by segments
_OWN_ROOM = 16 * MIB  # beyond the limit, for signals that nobody with back pressure takes
_CHUNK = 4 * MIB
_log = logging.getLogger(__name__)


class DiskSettings(NamedTuple):
    """How much may wait, and how safe it is."""

    directory: Path
    max_size: int = 1 << 30
    segment_size: int = 64 * MIB
    fsync: str = GROUP  # group | interval | off
    fsync_interval: float = 0.05  # seconds


class DiskJournal:
    """Segments in a directory behind the `Journal` interface. Safe from any thread.

    Raises StartError if the directory can't be had, or was written by a later version.
    """

    def __init__(
        self,
        readers: Sequence[ReaderSpec],
        settings: DiskSettings,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._max = settings.max_size
        self._segment_size = min(settings.segment_size, settings.max_size // _SHARE)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = threading.Event()
        try:
            self._open(readers)
        except OSError as fault:
            raise StartError(f"the journal in {settings.directory}: {fault}") from fault
        telemetry.watch(self._gauges)
        if settings.fsync == INTERVAL:
            threading.Thread(target=self._sync_often, name="journal-sync", daemon=True).start()

    def _open(self, specs: Sequence[ReaderSpec]) -> None:
        directory = self._settings.directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = DirectoryLock(directory)
        left = recovery.look(directory)
        limit = min(_HAND, self._segment_size)
        readers = [Reader(spec, Cursor(directory, spec), limit) for spec in specs]
        known = [r for r in readers if r.resume() or not left.whole or r.known_to(left.register)]
        found = recovery.recover(left, known, self._telemetry)
        register.save(
            directory, register.with_readers(left.register, (r.spec.name for r in readers))
        )
        self.identity = left.register.identity
        self._segments, self._found = found.segments, tuple(found.segments)
        self._last = self._last_found = found.next_seq - 1
        self._readers = {reader.spec.name: reader for reader in readers}
        for reader in readers:
            self._start(reader, old=reader in known)
        self._count_found()
        self._writer = Writer(
            directory,
            identity=self.identity,
            next_seq=found.next_seq,
            segment_size=self._segment_size,
            fsync=self._settings.fsync,
            lock=self._lock,
            publish=self._publish,
            telemetry=self._telemetry,
        )

    def _start(self, reader: Reader, *, old: bool) -> None:
        """Go on where it was; a new one sees what arrives from now on."""
        if not old:
            reader.committed = reader.released = self._last
        elif self._segments:
            reader.at = Position(self._segments[0], segment.HEADER_SIZE)
        self._write_cursor(reader, sync=self._settings.fsync != OFF)

    def _count_found(self) -> None:
        telemetry = self._telemetry
        for each in self._segments:
            for signal, items in each.tally.items.items():
                telemetry.journal_recovered.add(items, signal)
        for name, reader in self._readers.items():
            for signal, items in reader.queued.items.items():
                if reader.spec.counted and items:
                    telemetry.exporter_accepted.add(items, name, signal)

    # --- appending ----------------------------------------------------------------------------

    def append(self, frames: Sequence[Frame]) -> int:
        payloads = [record.seal(frame) for frame in frames]  # side by side, before the turn
        added: dict[str, int] = {}
        for frame, payload in zip(frames, payloads, strict=True):
            size = record.size(frame, payload)
            added[frame.signal] = added.get(frame.signal, 0) + size
        with self._lock:
            self._check_room(added)
            return self._writer.append(frames, payloads)

    def admit(self, signal: str, size: int) -> None:
        with self._lock:
            self._check_room({signal: size + record.FIXED_SIZE})

    def _publish(self, of: Segment, records: Sequence[Written]) -> None:
        if not self._segments or self._segments[-1] is not of:
            self._segments.append(of)
        readers, accepted = self._readers.values(), self._telemetry.exporter_accepted
        for frame, start, end in records:
            held = Held(frame, end - start)
            of.count(frame, held.size, end)
            for reader in readers:
                if frame.signal in reader.spec.takes:
                    reader.publish(held, Position(of, start))
                    if reader.spec.counted:
                        accepted.add(frame.items, reader.spec.name, frame.signal)
            self._last = frame.seq
        self._changed.notify_all()

    # --- reading ------------------------------------------------------------------------------

    def read(self, reader: str, max_bytes: int, timeout: float) -> list[Frame]:
        asking = self._readers[reader]
        self._wait(asking, timeout)
        with asking.turn:
            self._fill(asking, max_bytes)
            with self._lock:
                return asking.take(max_bytes)

    def plan(self, reader: str, seq: int) -> None:
        planning = self._readers[reader]
        with planning.turn:
            with self._lock:
                planning.planned = min(seq, self._last)
            self._write_cursor(planning, sync=self._settings.fsync == GROUP)

    def commit(self, reader: str, seq: int) -> None:
        done = self._readers[reader]
        with done.turn:
            with self._lock:
                seq = min(seq, self._last)
            while True:
                with self._lock:
                    if done.settle(seq):
                        break
                self._fill(done, _CHUNK)
            with self._lock:
                if seq <= done.committed:
                    return
                done.committed = seq
            if not done.spec.releases:
                self._write_cursor(done, sync=False)
        self._clear_away()

    def release(self, reader: str, seq: int) -> None:
        letting_go = self._readers[reader]
        with letting_go.turn:
            with self._lock:
                letting_go.released = max(letting_go.released, min(seq, self._last))
            self._write_cursor(letting_go, sync=False)
        self._clear_away()

    def recovered(self, signal: str) -> Iterator[Frame]:
        return recovery.frames(self._found, signal, self._last_found)

    def backlog(self, reader: str) -> Backlog:
        with self._lock:
            return self._readers[reader].backlog()

    def _wait(self, reader: Reader, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with self._lock:
            while not reader.queued.frames and not self._closed.is_set():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break

    def _fill(self, reader: Reader, max_bytes: int) -> None:
        """Read on from the files until `take` can be answered. The reader's turn is held."""
        while True:
            with self._lock:
                if not reader.wants(max_bytes) or not self._move_on(reader):
                    return
                at = reader.at
                if at is None:
                    return
                end, after = at.segment.size, reader.committed
            frames, offset = _read(reader, at, end, after, max_bytes)
            with self._lock:
                if reader.at is at:  # nothing of it was dropped meanwhile
                    reader.pick_up(frames)
                    reader.at = Position(at.segment, offset)

    def _move_on(self, reader: Reader) -> bool:
        """Go to the next segment if this one is read; False if there is none. The lock is held."""
        while reader.at is not None and reader.at.offset >= reader.at.segment.size:
            later = [each for each in self._segments if each.first > reader.at.segment.first]
            self._lose(reader, later, "journal_corrupt")
            reader.at = Position(later[0], segment.HEADER_SIZE) if later else None
        return reader.at is not None

    # --- room ---------------------------------------------------------------------------------

    def _check_room(self, added: Mapping[str, int]) -> None:
        """Refuse before anything is written, or make room. An empty journal takes any request."""
        if self._closed.is_set():
            raise Draining("shutting down", after=_RETRY_AFTER)
        size = sum(added.values())
        for reader in self._readers.values():
            if reader.spec.when_full != BACKPRESSURE or not reader.queued.frames:
                continue
            held = sum(each.size for each in self._segments if reader.needs(each))
            held += self._writer.unpublished
            room = self._max if reader.spec.takes & added.keys() else self._max + _OWN_ROOM
            if held + size > room:
                raise Full(
                    f"{reader.spec.name} is {reader.queued.bytes} bytes behind;"
                    f" the journal holds {self._max}",
                    after=_RETRY_AFTER,
                )
        self._make_room(size)

    def _make_room(self, size: int) -> None:
        """Let go of what only a restart would read, then of the oldest of those that may lose it.

        A segment at a time: never the one that is written to.
        """
        for give in (self._forget, self._drop_for_room):
            for each in self._segments[:-1]:
                if self._size() + size <= self._max:
                    return
                for reader in self._readers.values():
                    give(reader, each)
                self._remove_passed()

    def _forget(self, reader: Reader, of: Segment) -> None:
        """What it has committed it does not lose: it is only not there for a restart."""
        if of.last <= reader.committed:
            reader.released = max(reader.released, of.last)

    def _drop_for_room(self, reader: Reader, of: Segment) -> None:
        if reader.spec.when_full != BACKPRESSURE:
            self._drop(reader, of, "journal_full")

    def _drop(self, reader: Reader, of: Segment, reason: str) -> None:
        """Lose what the reader has not yet read of a segment. Frames in its hand stay."""
        if reader.at is None or reader.at.segment is not of:
            return
        later = [each for each in self._segments if each.first > of.first]
        self._lose(reader, later, reason)
        reader.at = Position(later[0], segment.HEADER_SIZE)

    def _lose(self, reader: Reader, later: Sequence[Segment], reason: str) -> None:
        """Count what is left of the segment that it stands in as dropped."""
        rest = reader.beyond_hand(later)
        reader.queued.include(rest, reader.spec.takes, -1)
        for signal, items in rest.items.items():
            if items:
                reader.dropped_items += items
                self._telemetry.dropped.add(items, reader.spec.name, signal, reason)

    def _size(self) -> int:
        return sum(each.size for each in self._segments) + self._writer.unpublished

    def _clear_away(self) -> None:
        with self._lock:
            if len(self._segments) > 1:
                self._remove_passed()

    def _remove_passed(self) -> None:
        """Remove the segments that every reader has passed; never the one that is written to."""
        readers = self._readers.values()
        passed = [
            e for e in self._segments[:-1] if not any(r.needs(e) or r.keeps(e) for r in readers)
        ]
        for each in passed:
            try:
                each.path.unlink()
            except FileNotFoundError:
                pass
            except OSError as fault:
                _log.warning("%s can't be removed: %s", each.path, fault)
                continue
            self._segments.remove(each)
        if passed and self._settings.fsync != OFF:
            sync_directory(self._settings.directory)

    # --- in the background --------------------------------------------------------------------

    def _write_cursor(self, reader: Reader, *, sync: bool) -> None:
        """A cursor that can't be written only re-sends after a restart: readers go on."""
        try:
            reader.cursor.write(reader.place(), sync=sync)
        except OSError as fault:
            self._telemetry.journal_cursor_failures.add(1, reader.spec.name)
            _log.warning("%s can't be written: %s", reader.cursor.path, fault)

    def _sync_often(self) -> None:
        while not self._closed.wait(self._settings.fsync_interval):
            with self._lock:
                self._writer.sync()

    # --- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        with self._lock:
            self._closed.set()
            self._writer.roll()
            self._changed.notify_all()

    def end(self) -> None:
        self.close()
        for reader in self._readers.values():
            with reader.turn:
                reader.cursor.close()
        self._held.release()

    def _gauges(self) -> Mapping[Gauge, Mapping[Labels, float]]:
        now = self._clock.now()
        telemetry = self._telemetry
        queued: dict[Labels, float] = {}
        held: dict[Labels, float] = {}
        age: dict[Labels, float] = {}
        with self._lock:
            size, count = self._size(), len(self._segments)
        for name, reader in self._readers.items():
            backlog = self.backlog(name)
            held[(name,)] = backlog.bytes
            age[(name,)] = max(0, now - (backlog.oldest_ns or now)) / 1e9
            if reader.spec.counted:
                queued |= {(name, signal): n for signal, n in reader.queued.items.items()}
        return {
            telemetry.queued: queued,
            telemetry.queue_bytes: held,
            telemetry.queue_age: age,
            telemetry.journal_bytes: {(): size},
            telemetry.journal_segments: {(): count},
        }


def _read(
    reader: Reader, at: Position, end: int, after: int, max_bytes: int
) -> tuple[list[Held], int]:
    """Frames that the reader takes, from one segment, about `max_bytes` of them; where to go on."""
    frames: list[Held] = []
    offset, bodies = at.offset, 0
    try:
        fd = os.open(at.segment.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return frames, end
    try:
        for found in segment.scan(fd, offset, end, at.segment.salt):
            offset = found.end
            if isinstance(found, Damage):
                continue
            if found.head.seq <= after or found.head.signal not in reader.spec.takes:
                continue
            frames.append(Held(record.unpack(found.head, found.payload), found.head.total))
            bodies += len(frames[-1].frame.body)
            if bodies >= max_bytes:
                break
    finally:
        os.close(fd)
    return frames, offset
