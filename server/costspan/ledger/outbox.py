"""Rows on their way into the journal: the newest version of each, bounded. It holds no trace."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from costspan.errors import Retryable
from costspan.ledger.ledger import Closing
from costspan.model import (
    CALL_ROWS,
    LOGS,
    OWN,
    TRACE_TOTALS,
    Frame,
    LlmCall,
    Signal,
    TraceTotals,
    encode_calls,
    encode_totals,
)
from costspan.telemetry import Telemetry

_MAX_ROWS = 20_000  # of each kind; about 20 MB, and only while the journal refuses
_MAX_SIGNALS = 1000
_ROWS_PER_FRAME = 1000  # well below the size at which a request is cut
_READER = "ledger"  # the `exporter` label of what is lost here

_Row = TypeVar("_Row")
_Key = tuple[bytes, int] | tuple[bytes, bytes]


class Events(NamedTuple):
    """What makes log events of totals and of signals: an ExportLogsServiceRequest at a time."""

    totals: Callable[[Sequence[TraceTotals], int], bytes]
    signals: Callable[[Sequence[Signal], int], bytes]
    hurry: Callable[[], None]  # signals are in the journal, and shall not wait for company


class Appends(Protocol):
    """What is needed of a journal."""

    def append(self, frames: Sequence[Frame]) -> int: ...


class Outbox:
    """Waits for room in the journal; a newer version of a row replaces the one that waits."""

    def __init__(
        self,
        journal: Appends,
        telemetry: Telemetry,
        max_rows: int = _MAX_ROWS,
        events: Events | None = None,
    ) -> None:
        """`events`: None = totals go to tables only, signals to nobody."""
        self._journal = journal
        self._events = events
        self._signals: deque[Signal] = deque(maxlen=_MAX_SIGNALS)
        self._telemetry = telemetry
        self._max = max_rows
        self._totals: OrderedDict[_Key, TraceTotals] = OrderedDict()
        self._calls: OrderedDict[_Key, LlmCall] = OrderedDict()

    def __len__(self) -> int:
        return len(self._totals) + len(self._calls)

    def put(self, closings: Iterable[Closing]) -> None:
        """Take what the ledger closed; above the limit the oldest rows are lost, and counted."""
        for closing in closings:
            self.take([closing.totals], closing.corrections)

    def take(self, totals: Iterable[TraceTotals], calls: Iterable[LlmCall]) -> None:
        """Rows, oldest first."""
        for row in totals:
            _replace(self._totals, (row.trace_id, row.generation), row)
        for call in calls:
            _replace(self._calls, (call.trace_id, call.span_id), call)
        self._shorten(self._totals, TRACE_TOTALS)
        self._shorten(self._calls, CALL_ROWS)

    def put_signals(self, signals: Iterable[Signal]) -> None:
        """Take signals of open traces, if they are told of as events."""
        if self._events is not None:
            self._signals.extend(signals)

    def waiting(self) -> tuple[list[TraceTotals], list[LlmCall]]:
        """The rows that are in no journal yet."""
        return list(self._totals.values()), list(self._calls.values())

    def send(self, now: int) -> bool:
        """Append what waits. Return False if the journal has no room: it is tried again."""
        try:
            self._send_signals(now)
            while self._calls:
                calls = list(self._calls.values())[:_ROWS_PER_FRAME]
                self._journal.append([_own(CALL_ROWS, encode_calls(calls), len(calls), now)])
                _remove(self._calls, len(calls))
            while self._totals:
                totals = list(self._totals.values())[:_ROWS_PER_FRAME]
                self._journal.append(self._frames(totals, now))
                _remove(self._totals, len(totals))
        except Retryable:
            return False
        return True

    def give_up(self) -> int:
        """Lose what still waits at the end, counted. Return how many rows that was."""
        lost = len(self)
        for signal, rows in ((TRACE_TOTALS, self._totals), (CALL_ROWS, self._calls)):
            if rows:
                self._telemetry.dropped.add(len(rows), _READER, signal, "shutdown")
            rows.clear()
        return lost

    def _frames(self, totals: Sequence[TraceTotals], now: int) -> list[Frame]:
        """Rows, and the events that tell of them: both or none."""
        frames = [_own(TRACE_TOTALS, encode_totals(totals), len(totals), now)]
        if self._events is not None:
            frames.append(_own(LOGS, self._events.totals(totals, now), len(totals), now))
        return frames

    def _send_signals(self, now: int) -> None:
        if self._signals and self._events is not None:
            signals = list(self._signals)
            body = self._events.signals(signals, now)
            self._journal.append([_own(LOGS, body, len(signals), now)])
            self._signals.clear()
            self._events.hurry()

    def _shorten(self, rows: OrderedDict[_Key, _Row], signal: str) -> None:
        excess = len(rows) - self._max
        if excess > 0:
            _remove(rows, excess)
            self._telemetry.dropped.add(excess, _READER, signal, "journal_full")


def _own(signal: str, body: bytes, items: int, now: int) -> Frame:
    return Frame(0, now, signal, OWN, (), body, b"", items)


def _replace(rows: OrderedDict[_Key, _Row], key: _Key, row: _Row) -> None:
    rows.pop(key, None)
    rows[key] = row


def _remove(rows: OrderedDict[_Key, _Row], count: int) -> None:
    for _ in range(count):
        rows.popitem(last=False)
