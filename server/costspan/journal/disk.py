"""The journal on disk: what was acked survives the process, and with fsync the machine.

Segments of records (`segment`, `record`), written at one end (`writer`); a cursor for each reader
(`cursor`) and what it has before it (`reader`); what there is and what has to go (`shelf`); one
process (`lock`); what an earlier one left (`recovery`). Here is what binds them: who waits for
whom.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from costspan.clock import Clock
from costspan.errors import Draining, StartError, Unwritable
from costspan.journal import absent, record, recovery, register, segment
from costspan.journal.cursor import Cursor
from costspan.journal.lock import DirectoryLock
from costspan.journal.reader import Held, Position, Reader
from costspan.journal.recovery import Left
from costspan.journal.segment import Damage, Segment
from costspan.journal.shelf import Shelf
from costspan.journal.writer import GROUP, INTERVAL, OFF, Writer, Written
from costspan.model import Backlog, Frame, ReaderSpec
from costspan.telemetry import Gauge, Labels, Telemetry

MIB = 1 << 20
_RETRY_AFTER = 5.0  # seconds; at most half of the 10 s that SDK exporters try for
_HAND = 8 * MIB  # what a reader may have in memory that it has not asked for
_SHARE = 8  # a segment is at most this part of the limit: what is dropped goes by segments
_CHUNK = 4 * MIB
_COOL = 1_000_000_000  # nanoseconds after a failure in which requests are refused unread
_log = logging.getLogger(__name__)


class DiskSettings(NamedTuple):
    """How much may wait, and how safe it is."""

    directory: Path
    max_size: int = 1 << 30
    segment_size: int = 64 * MIB
    max_age: float = 0.0  # seconds; 0 = any
    fsync: str = GROUP  # group | interval | off
    fsync_interval: float = 0.05  # seconds
    forget: tuple[str, ...] = ()  # readers that are gone for good


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
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = threading.Event()
        self._failed_at = -_COOL  # clock.monotonic()
        directory = settings.directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = DirectoryLock(directory)
        except OSError as fault:
            raise StartError(f"the journal in {directory} can't be opened: {fault}") from fault
        try:
            self._open(readers)
        except OSError as fault:
            self._held.release()
            raise StartError(f"the journal in {directory} can't be opened: {fault}") from fault
        except StartError:
            self._held.release()
            raise
        telemetry.watch(self._gauges)
        if settings.fsync == INTERVAL:
            threading.Thread(target=self._sync_often, name="journal-sync", daemon=True).start()

    # --- opening ------------------------------------------------------------------------------

    def _open(self, specs: Sequence[ReaderSpec]) -> None:
        settings = self._settings
        size = min(settings.segment_size, settings.max_size // _SHARE)
        left = recovery.look(settings.directory)
        self.identity = left.register.identity
        present = [Reader(s, Cursor(settings.directory, s), min(_HAND, size)) for s in specs]
        known = [r for r in present if r.resume() or not left.whole or r.known_to(left.register)]
        missing = absent.find(settings.directory, specs, settings.forget)
        found = recovery.recover(left, [*known, *missing], self._telemetry)
        self._last = self._last_found = found.next_seq - 1
        self._found = tuple(found.segments)
        self._present = {reader.spec.name: reader for reader in present}
        self._absent = absent.hold(missing, self._last)
        readers = [*present, *self._absent]
        self._writer = Writer(
            settings.directory,
            identity=self.identity,
            next_seq=found.next_seq,
            segment_size=size,
            fsync=settings.fsync,
            lock=self._lock,
            publish=self._publish,
            telemetry=self._telemetry,
        )
        self._shelf = Shelf(
            found.segments,
            readers,
            self._writer,
            max_size=settings.max_size,
            max_age=settings.max_age,
            telemetry=self._telemetry,
        )
        self._register(left, readers)
        for reader in readers:
            self._start(reader, old=reader in known or reader in missing)
        self._count_found(readers)
        self._shelf.remove_passed()

    def _register(self, left: Left, readers: Sequence[Reader]) -> None:
        now = register.with_readers(left.register, (reader.spec.name for reader in readers))
        if now != left.register or not left.whole:
            register.save(self._settings.directory, now)

    def _start(self, reader: Reader, *, old: bool) -> None:
        """Go on where it was; who is new, or has nothing left, begins with what arrives now."""
        if not old or not reader.queued.frames:
            reader.committed = self._last
        if not old:
            reader.released = self._last
        self._write_cursor(reader, sync=self._settings.fsync != OFF)

    def _count_found(self, readers: Sequence[Reader]) -> None:
        telemetry = self._telemetry
        for each in self._found:
            for signal, items in each.tally.items.items():
                telemetry.journal_recovered.add(items, signal)
        for reader in readers:
            for signal, items in reader.queued.items.items():
                if reader.spec.counted and items:
                    telemetry.exporter_accepted.add(items, reader.spec.name, signal)

    # --- appending ----------------------------------------------------------------------------

    @property
    def newest(self) -> int:
        with self._lock:
            return self._last

    def append(self, frames: Sequence[Frame]) -> int:
        payloads = [record.seal(frame) for frame in frames]  # side by side, before the turn
        added: dict[str, int] = {}
        for frame, payload in zip(frames, payloads, strict=True):
            added[frame.signal] = added.get(frame.signal, 0) + payload.size
        with self._lock:
            self._check(added)
            if not frames:
                return self._last
            self._shelf.make_room(sum(added.values()))
            self._shelf.expire(self._clock.now())
            try:
                return self._writer.append(frames, payloads)
            except Unwritable:
                self._failed_at = self._clock.monotonic()
                self._shelf.let_go()
                raise

    def admit(self, signal: str, size: int) -> None:
        with self._lock:
            self._check({signal: size + record.FIXED_SIZE})
            if self._writer.fault and self._clock.monotonic() - self._failed_at < _COOL:
                raise Unwritable(self._writer.fault, after=_RETRY_AFTER)

    def _check(self, added: Mapping[str, int]) -> None:
        if self._closed.is_set():
            raise Draining("shutting down", after=_RETRY_AFTER)
        self._shelf.check(added)

    def _publish(self, of: Segment, records: Sequence[Written]) -> None:
        shelf, accepted = self._shelf, self._telemetry.exporter_accepted
        shelf.put(of)
        before = of.size
        for frame, start, end in records:
            held = Held(frame, end - start, of)
            of.count(frame, held.size, end)
            for name, reader in self._present.items():
                if frame.signal in reader.spec.takes:
                    reader.publish(held, Position(of, start))
                    if reader.spec.counted:
                        accepted.add(frame.items, name, frame.signal)
            self._last = frame.seq
        shelf.size += of.size - before
        self._changed.notify_all()

    # --- reading ------------------------------------------------------------------------------

    def read(self, reader: str, max_bytes: int, timeout: float) -> list[Frame]:
        asking = self._present[reader]
        self._wait(asking, timeout)
        with asking.turn:
            self._fill(asking, max_bytes)
            with self._lock:
                return asking.take(max_bytes)

    def plan(self, reader: str, seq: int) -> None:
        planning = self._present[reader]
        with planning.turn:
            with self._lock:
                planning.planned = min(seq, self._last)
            self._write_cursor(planning, sync=self._settings.fsync == GROUP)

    def commit(self, reader: str, seq: int) -> None:
        done = self._present[reader]
        with done.turn:
            with self._lock:
                seq = min(seq, self._last)
            while not self._settled(done, seq):
                self._fill(done, _CHUNK)
            with self._lock:
                if seq <= done.committed:
                    return
                done.committed = seq
            if not done.spec.releases:
                self._write_cursor(done, sync=False)
        self._clear_away()

    def release(self, reader: str, seq: int) -> None:
        letting_go = self._present[reader]
        with letting_go.turn:
            with self._lock:
                letting_go.released = max(letting_go.released, min(seq, self._last))
            self._write_cursor(letting_go, sync=False)
        self._clear_away()

    def recovered(self, signal: str) -> Iterator[Frame]:
        return recovery.frames(self._found, signal, self._last_found)

    def backlog(self, reader: str) -> Backlog:
        with self._lock:
            return self._present[reader].backlog()

    def pinned(self, reader: str) -> int:
        with self._lock:
            return self._shelf.held_by(self._present[reader])

    def _wait(self, reader: Reader, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with self._lock:
            self._shelf.expire(self._clock.now())
            while not reader.queued.frames and not self._closed.is_set():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break

    def _settled(self, reader: Reader, seq: int) -> bool:
        with self._lock:
            return reader.settle(seq)

    def _fill(self, reader: Reader, max_bytes: int) -> None:
        """Read on from the files until `take` can be answered. The reader's turn is held."""
        while True:
            with self._lock:
                if not reader.wants(max_bytes):
                    return
                at = self._shelf.move_on(reader)
                if at is None:
                    return
                end = at.segment.size
            frames, offset = self._read(reader, at, end, max_bytes)
            with self._lock:
                if reader.at is at:  # nothing of it was dropped meanwhile
                    reader.pick_up(frames)
                    reader.at = Position(at.segment, offset)

    def _read(
        self, reader: Reader, at: Position, end: int, max_bytes: int
    ) -> tuple[list[Held], int]:
        """Some `max_bytes` of frames that the reader takes, from one file; where to go on."""
        of, offset, bodies = at.segment, at.offset, 0
        frames: list[Held] = []
        try:
            fd = os.open(of.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return frames, end
        try:
            for found in segment.scan(fd, offset, end, of.salt):
                offset = found.end
                if isinstance(found, Damage):
                    self._damaged(of, found)
                elif found.head.seq > reader.committed and found.head.signal in reader.spec.takes:
                    frame = record.unpack(found.head, found.payload)
                    frames.append(Held(frame, found.head.total, of))
                    bodies += len(frame.body)
                    if bodies >= max_bytes:
                        break
        except OSError as fault:
            if fault.errno != errno.EIO:
                raise
            self._damaged(of, Damage(offset, end))
            offset = end
        finally:
            os.close(fd)
        return frames, offset

    def _damaged(self, of: Segment, damage: Damage) -> None:
        """Count damage that no reader, and no start, has met before."""
        with self._lock:
            if damage.start in of.damage:
                return
            of.damage.add(damage.start)
        self._telemetry.journal_corrupt.add(1)
        length = damage.end - damage.start
        _log.error("%s has %d damaged bytes at %d", of.path, length, damage.start)

    # --- in the background --------------------------------------------------------------------

    def _clear_away(self) -> None:
        with self._lock:
            self._shelf.remove_passed()

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

    # --- the end, and what it tells -----------------------------------------------------------

    def close(self) -> None:
        with self._lock:
            self._closed.set()
            self._writer.roll()
            self._changed.notify_all()

    def end(self) -> None:
        self.close()
        for reader in (*self._present.values(), *self._absent):
            with reader.turn:
                reader.cursor.close()
        self._held.release()

    def trouble(self) -> str:
        with self._lock:
            return "; ".join(filter(None, (self._writer.fault, *map(absent.told, self._absent))))

    def _gauges(self) -> Mapping[Gauge, Mapping[Labels, float]]:
        now = self._clock.now()
        telemetry = self._telemetry
        queued: dict[Labels, float] = {}
        held: dict[Labels, float] = {}
        age: dict[Labels, float] = {}
        with self._lock:
            for reader in (*self._present.values(), *self._absent):
                name, backlog = reader.spec.name, reader.backlog()
                held[(name,)] = backlog.bytes
                age[(name,)] = max(0, now - (backlog.oldest_ns or now)) / 1e9
                if reader.spec.counted:
                    queued |= {(name, signal): n for signal, n in reader.queued.items.items()}
            size, count = self._shelf.size, len(self._shelf.segments)
        return {
            telemetry.queued: queued,
            telemetry.queue_bytes: held,
            telemetry.queue_age: age,
            telemetry.journal_bytes: {(): size},
            telemetry.journal_segments: {(): count},
        }
