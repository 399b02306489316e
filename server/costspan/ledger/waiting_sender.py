"""Spans that waited into the journal: those that are let go, and what an earlier process held.

The journal keeps the frame in which one came until the one that brings it is appended: a reader
of its own stands before the oldest that has not left. So nothing that is held is ever in memory
alone, if the journal outlives the process (ADR 0016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from costspan.errors import Retryable, Undecodable
from costspan.ledger.waiting import WAITING_READER, Agents, Key, Waiter, Waiting
from costspan.model import HELD, RELEASED, Frame, Journal
from costspan.telemetry import Telemetry
from costspan.wire import each

_READ_BYTES = 8 * 1024 * 1024
_FRAME_BYTES = 1024 * 1024  # small enough to find room soon
_MOST_PINNED = 2  # half of the journal may be kept for what waits; then the older ones leave
_keys = msgspec.msgpack.Decoder(list[Key])


class WaitingSender:
    """Call it from the ledger's thread; before anything is appended, make it."""

    def __init__(
        self, journal: Journal, waiting: Waiting, telemetry: Telemetry, room: int, *, durable: bool
    ) -> None:
        """`room`: bytes that the journal may hold; `durable`: it outlives the process."""
        self._journal = journal
        self._waiting = waiting
        self._telemetry = telemetry
        self._room = room
        self._durable = durable
        self._old = journal.newest  # frames up to here are an earlier process's
        self._leftover = durable and bool(journal.backlog(WAITING_READER).frames)
        self._gone: set[Key] | None = None  # what the earlier process sent
        self._committed = self._old

    def is_new(self, frame: Frame) -> bool:
        """Whether this process holds it; what an earlier one held leaves at once."""
        return frame.seq > self._old

    def take(self, frame: Frame, now: int) -> set[bytes]:
        """Hold what the ledger reads. Return the traces of which a span waits."""
        if frame.signal != HELD or not self.is_new(frame):
            return set()
        return self._waiting.hold(frame, now)

    def refuse(self, trace_ids: Iterable[bytes]) -> None:
        """Nobody will tell what these traces come to."""
        self._waiting.late(trace_ids)

    def look(self, now: int, ask: Callable[[bytes], Agents]) -> None:
        """Let those go that have waited for too long, or take too much room.

        `ask`: what agents have come to in a trace that is still open.
        """
        self._waiting.expire(now, ask)
        if self._durable and self._journal.pinned(WAITING_READER) * _MOST_PINNED > self._room:
            self._waiting.make_room()

    def end(self) -> None:
        """Let all go."""
        self._waiting.end()

    def turn(self, now: int) -> bool:
        """Append what leaves. Return False if the journal has no room: it is tried again."""
        try:
            if self._leftover:
                self._send_leftover(now)
            self._send(now)
        except Retryable:
            return False
        finally:
            self._commit()
        return True

    def give_up(self) -> int:
        """At the end: lose what found no room, counted, unless the journal has it."""
        lost = 0 if self._durable else len(self._waiting)
        if lost:
            self._telemetry.dropped.add(lost, "ledger", RELEASED, "shutdown")
        return lost

    def _send(self, now: int) -> None:
        leaving = self._waiting.leaving
        while leaving:
            batch: list[Waiter] = []
            size = 0
            for one in leaving:
                size += len(one.body)
                if batch and size > _FRAME_BYTES:
                    break
                batch.append(one)
            grouped = groupby(batch, key=attrgetter("metadata"))
            self._journal.append([_frame(list(waiters), now) for _, waiters in grouped])
            for _ in batch:
                leaving.popleft()
            self._waiting.sent(batch)

    def _send_leftover(self, now: int) -> None:
        """Without totals: what is known of their traces is not all that will be."""
        if self._gone is None:
            self._gone = {key for one in self._journal.recovered(RELEASED) for key in _told(one)}
        while self._leftover:
            read = self._journal.read(WAITING_READER, _READ_BYTES, 0.0)
            frames = [frame for frame in read if not self.is_new(frame)]
            for frame in frames:
                self._send_again(frame, self._gone, now)
            self._leftover = bool(frames)

    def _send_again(self, frame: Frame, gone: set[Key], now: int) -> None:
        left = _without(frame, gone)
        if left:
            self._journal.append([_frame(left, now)])
            self._telemetry.released_spans.add(sum(one.items for one in left), "restart")
        self._journal.commit(WAITING_READER, frame.seq)

    def _commit(self) -> None:
        left = self._waiting.left
        if self._durable and not self._leftover and left > self._committed:
            self._committed = left
            self._journal.commit(WAITING_READER, left)


def _frame(waiters: Sequence[Waiter], now: int) -> Frame:
    """What leaves together; joined requests are a request. Beside it stands which they are."""
    body = b"".join(one.body for one in waiters)
    keys = msgspec.msgpack.encode([one.key for one in waiters])
    items = sum(one.items for one in waiters)
    return Frame(0, now, RELEASED, 0, waiters[0].metadata, body, keys, items)


def _told(frame: Frame) -> list[Key]:
    try:
        return _keys.decode(frame.calls)
    except msgspec.MsgspecError:
        return []


def _without(frame: Frame, gone: set[Key]) -> list[Waiter]:
    """The spans of a frame but for those that have left."""
    try:
        bodies = each(frame.body)
    except Undecodable:
        bodies = []
    if len(bodies) != frame.items:
        return [Waiter((frame.seq, 0), b"", frame.metadata, frame.body, 0, frame.items)]
    return [
        Waiter((frame.seq, index), b"", frame.metadata, body, 0)
        for index, body in enumerate(bodies)
        if (frame.seq, index) not in gone
    ]
