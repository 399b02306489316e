"""The end of the disk journal: records are written in turn, and made durable together.

Appenders write one after the other. With `fsync: group` one of them then calls fdatasync for all
that is written so far, while others already write for the next call; nobody returns, and no reader
sees a frame, before a call covers it. After a failure nothing that was not covered is published:
the file is cut there and closed, because fdatasync reports a lost page once and then forgets it
(Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from costspan.errors import Unwritable
from costspan.journal import record
from costspan.journal.record import Payload
from costspan.journal.segment import NO_SPACE, Segment, SegmentFile, sync_directory
from costspan.model import Frame
from costspan.telemetry import Telemetry

GROUP, INTERVAL, OFF = "group", "interval", "off"
_RETRY_AFTER = 5.0  # seconds; at most half of the 10 s that SDK exporters try for
_log = logging.getLogger(__name__)


class Written(NamedTuple):
    """A record in the file: its frame, where it begins, and where it ends."""

    frame: Frame
    start: int
    end: int


class _Batch:
    """What one call appended. `open` until it is published or has failed."""

    def __init__(self, records: list[Written]) -> None:
        self.records = records
        self.open = True
        self.fault: Unwritable | None = None


class Writer:
    """Appends. `lock` is the journal's; `publish` is called with it held."""

    def __init__(
        self,
        directory: Path,
        *,
        identity: str,
        next_seq: int,
        segment_size: int,
        fsync: str,
        lock: threading.Lock,
        publish: Callable[[Segment, Sequence[Written]], None],
        telemetry: Telemetry,
    ) -> None:
        self.fault = ""  # of the latest append; "" = it succeeded
        self.next_seq = next_seq
        self._directory = directory
        self._identity = identity
        self._segment_size = segment_size
        self._fsync = fsync
        self._lock = lock
        self._publish = publish
        self._telemetry = telemetry
        self._synced = threading.Condition(lock)
        self._syncing = False
        self._dirty = False  # something is written that no fdatasync has covered
        self._file: SegmentFile | None = None
        self._waiting: deque[_Batch] = deque()  # written, not published

    @property
    def segment(self) -> Segment | None:
        """The file that is written to."""
        return self._file.segment if self._file is not None else None

    @property
    def unpublished(self) -> int:
        """Bytes that are written and that nobody can read yet."""
        return self._file.end - self._file.segment.size if self._file is not None else 0

    def append(self, frames: Sequence[Frame], payloads: Sequence[Payload]) -> int:
        """Return the last seq once all is as durable as configured. The lock is held.

        Raises Unwritable: nothing of it will be read.
        """
        try:
            batch, file = self._write(frames, payloads)
        except OSError as fault:
            raise self._failed(fault, self._file) from fault
        if self._fsync == GROUP:
            self._wait(batch)
        else:
            self._release(file)
        self.fault = ""
        return batch.records[-1].frame.seq

    def sync(self) -> None:
        """Cover what is written by an fdatasync of our own, if nobody else does. The lock is held.

        Faults are counted and shown; the next append meets them.
        """
        if self._dirty and not self._syncing:
            self._cover()

    def roll(self) -> None:
        """End the file that is written to: the next append begins another. The lock is held."""
        while self._syncing:
            self._synced.wait()
        if self._file is None:
            return
        try:
            self._end()
        except OSError as fault:
            self._failed(fault, self._file)

    def names_changed(self) -> None:
        """Files came or went: make that durable, if anything is. Raises OSError."""
        if self._fsync != OFF:
            sync_directory(self._directory)

    # --- writing ------------------------------------------------------------------------------

    def _write(
        self, frames: Sequence[Frame], payloads: Sequence[Payload]
    ) -> tuple[_Batch, SegmentFile]:
        file = self._ready(sum(payload.size for payload in payloads))
        parts: list[bytes] = []
        records: list[Written] = []
        at = file.end
        for frame, payload in zip(frames, payloads, strict=True):
            kept = frame._replace(seq=self.next_seq + len(records))
            start, at = at, at + payload.size
            parts += record.parts(kept, payload, file.segment.salt)
            records.append(Written(kept, start, at))
        file.write(parts)
        self.next_seq += len(records)
        batch = _Batch(records)
        self._waiting.append(batch)
        self._dirty = True
        return batch, file

    def _ready(self, size: int) -> SegmentFile:
        """The file that takes the next bytes: a new one if this one is full, or there is none."""
        while self._syncing and self._is_full(size):
            self._synced.wait()
        if self._is_full(size):
            self._end()
        if self._file is None:
            self._file = SegmentFile(self._directory, self._identity, self.next_seq)
            self.names_changed()
        return self._file

    def _is_full(self, size: int) -> bool:
        file = self._file
        return file is not None and file.end + size > self._segment_size and self._holds_any(file)

    def _holds_any(self, file: SegmentFile) -> bool:
        return bool(self._waiting) or file.segment.last >= file.segment.first

    def _end(self) -> None:
        """Cover and close the file. Raises OSError."""
        file = self._file
        if file is None:
            return
        if self._dirty and self._fsync != OFF:
            self._timed(file)
        self._release(file)
        self._dirty = False
        self._file = None
        file.close()

    # --- making it durable --------------------------------------------------------------------

    def _wait(self, batch: _Batch) -> None:
        """Until a call covers the batch: another's, or else our own."""
        while batch.open:
            if self._syncing:
                self._synced.wait()
            else:
                self._cover()
        if batch.fault is not None:
            raise batch.fault

    def _cover(self) -> None:
        """One fdatasync for all that is written so far, with the lock let go meanwhile."""
        file = self._file
        if file is None:
            return
        count = len(self._waiting)
        self._syncing, self._dirty = True, False
        fault: OSError | None = None
        self._lock.release()
        try:
            self._timed(file)
        except OSError as error:
            fault = error
        finally:
            self._lock.acquire()
            self._syncing = False
            self._synced.notify_all()
        if fault is None:
            self._release(file, count)
        else:
            self._failed(fault, file)

    def _timed(self, file: SegmentFile) -> None:
        begun = time.perf_counter()
        file.sync()
        self._telemetry.journal_fsync.observe(time.perf_counter() - begun)

    def _release(self, file: SegmentFile, count: int | None = None) -> None:
        """Publish the oldest `count` batches, or all."""
        for _ in range(len(self._waiting) if count is None else count):
            batch = self._waiting.popleft()
            batch.open = False
            self._publish(file.segment, batch.records)

    # --- failing ------------------------------------------------------------------------------

    def _failed(self, error: OSError, file: SegmentFile | None) -> Unwritable:
        """Forget what is written to the file and not published, and close it for good."""
        reason = "no_space" if error.errno in NO_SPACE else "io"
        text = f"the journal in {self._directory} can't be written: {error.strerror or error}"
        if not self.fault:
            _log.error("%s; clients are asked to come back", text)
        self.fault = text
        self._telemetry.journal_append_failures.add(1, reason)
        unwritable = Unwritable(text, after=_RETRY_AFTER)
        self.next_seq += 1  # a file that can't be removed has its name from the last one
        while self._syncing:
            self._synced.wait()
        if file is not None and file is self._file:
            for batch in self._waiting:
                batch.open, batch.fault = False, unwritable
            self._waiting.clear()
            self._dirty = False
            self._file = None
            _abandon(file)
            self._synced.notify_all()
        return unwritable


def _abandon(file: SegmentFile) -> None:
    """Cut and close. What can't be cut has no reader, and is judged by the next start."""
    for step in (file.close, file.cut):
        try:
            step()
        except OSError as fault:
            _log.warning("%s: %s", file.segment.path, fault)
