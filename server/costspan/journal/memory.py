"""The journal in memory: for when no volume is mounted. What it holds is lost with the process.

Each reader has its own queue of references to the frames that it takes, and each queue its own byte
limit: the frames are shared, so memory is that of the longest queue. A reader with back pressure
refuses new frames when its queue is full; any other loses its oldest, counted. So a destination
that is dead delays nobody but itself.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

from costspan.clock import Clock
from costspan.errors import Draining, Full
from costspan.model import Backlog, Frame, ReaderSpec
from costspan.telemetry import Gauge, Labels, Telemetry

BACKPRESSURE, DROP_OLDEST = "backpressure", "drop_oldest"
_OVERHEAD = 300  # bytes of a queued Frame beside its payloads: 290 by tracemalloc, CPython 3.11
_RETRY_AFTER = 5.0  # seconds; at most half of the 10 s that SDK exporters try for


class _Queue:
    """What one reader has not committed. Guarded by the journal's lock."""

    def __init__(self, spec: ReaderSpec) -> None:
        self.spec = spec
        self.frames: deque[Frame] = deque()
        self.bytes = 0
        self.items: Counter[str] = Counter()
        self.reading = 0  # frames at the head that the reader has in hand: never dropped
        self.dropped_items = 0
        self.cursor = 0

    def push(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.bytes += _size(frame)
        self.items[frame.signal] += frame.items

    def remove(self, index: int) -> Frame:
        frame = self.frames[index]
        del self.frames[index]
        self.bytes -= _size(frame)
        self.items[frame.signal] -= frame.items
        return frame


class MemoryJournal:
    """A bounded ring behind the `Journal` interface. Safe from any thread."""

    def __init__(
        self, readers: Sequence[ReaderSpec], max_bytes: int, telemetry: Telemetry, clock: Clock
    ) -> None:
        self.identity = uuid.uuid4().hex
        self._queues = {spec.name: _Queue(spec) for spec in readers}
        self._max = max_bytes
        self._telemetry = telemetry
        self._clock = clock
        self._changed = threading.Condition()
        self._seq = 0
        self._closed = False
        telemetry.watch(self._gauges)

    @property
    def newest(self) -> int:
        return self._seq

    def append(self, frames: Sequence[Frame]) -> int:
        added: Counter[str] = Counter()
        for frame in frames:
            added[frame.signal] += _size(frame)
        with self._changed:
            self._check_room(added)
            for frame in frames:
                self._seq += 1
                self._push(frame._replace(seq=self._seq))
            self._changed.notify_all()
            return self._seq

    def admit(self, signal: str, size: int) -> None:
        with self._changed:
            self._check_room({signal: size + _OVERHEAD})

    def read(self, reader: str, max_bytes: int, timeout: float) -> list[Frame]:
        queue = self._queues[reader]
        deadline = time.monotonic() + timeout
        with self._changed:
            while not queue.frames and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            taken: list[Frame] = []
            held = 0
            for frame in queue.frames:
                held += len(frame.body)
                if taken and held > max_bytes:
                    break
                taken.append(frame)
            queue.reading = len(taken)
            return taken

    def plan(self, reader: str, seq: int) -> None:
        """Nothing outlives this process."""

    def recovered(self, signal: str) -> Iterator[Frame]:  # noqa: ARG002  (nothing was left)
        return iter(())

    def commit(self, reader: str, seq: int) -> None:
        queue = self._queues[reader]
        with self._changed:
            while queue.frames and queue.frames[0].seq <= seq:
                queue.remove(0)
                queue.reading = max(0, queue.reading - 1)
            queue.cursor = max(queue.cursor, seq)

    def release(self, reader: str, seq: int) -> None:
        """What is committed is gone."""

    def backlog(self, reader: str) -> Backlog:
        queue = self._queues[reader]
        with self._changed:
            oldest = queue.frames[0].received_ns if queue.frames else 0
            return Backlog(
                len(queue.frames),
                queue.items.total(),
                queue.bytes,
                oldest,
                queue.dropped_items,
                queue.cursor,
            )

    def pinned(self, reader: str) -> int:
        return self._queues[reader].bytes

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def trouble(self) -> str:
        return ""

    def end(self) -> None:
        """There is nothing to give back."""

    def _check_room(self, added: Mapping[str, int]) -> None:
        """Refuse before anything is stored (bytes by signal). An empty queue takes any request."""
        if self._closed:
            raise Draining("shutting down", after=_RETRY_AFTER)
        for queue in self._queues.values():
            spec = queue.spec
            if spec.when_full != BACKPRESSURE or not queue.frames:
                continue
            size = sum(added[signal] for signal in added if signal in spec.takes)
            if size and queue.bytes + size > self._max:
                raise Full(
                    f"{spec.name} is {queue.bytes} bytes behind; the journal holds {self._max}",
                    after=_RETRY_AFTER,
                )

    def _push(self, frame: Frame) -> None:
        for queue in self._queues.values():
            spec = queue.spec
            if frame.signal not in spec.takes:
                continue
            queue.push(frame)
            if spec.counted:
                self._telemetry.exporter_accepted.add(frame.items, spec.name, frame.signal)
            while (
                spec.when_full == DROP_OLDEST
                and queue.bytes > self._max
                and len(queue.frames) > queue.reading + 1
            ):
                self._drop(queue)

    def _drop(self, queue: _Queue) -> None:
        """Lose the oldest frame that the reader does not have in hand."""
        frame = queue.remove(queue.reading)
        queue.dropped_items += frame.items
        if not queue.reading:
            queue.cursor = frame.seq
        self._telemetry.dropped.add(frame.items, queue.spec.name, frame.signal, "journal_full")

    def _gauges(self) -> Mapping[Gauge, Mapping[Labels, float]]:
        now = self._clock.now()
        queued: dict[Labels, float] = {}
        held: dict[Labels, float] = {}
        age: dict[Labels, float] = {}
        with self._changed:
            for name, queue in self._queues.items():
                oldest = queue.frames[0].received_ns if queue.frames else now
                held[(name,)] = queue.bytes
                age[(name,)] = max(0, now - oldest) / 1e9
                if queue.spec.counted:
                    queued |= {(name, signal): items for signal, items in queue.items.items()}
        telemetry = self._telemetry
        return {telemetry.queued: queued, telemetry.queue_bytes: held, telemetry.queue_age: age}


def _size(frame: Frame) -> int:
    return len(frame.body) + len(frame.calls) + _OVERHEAD
