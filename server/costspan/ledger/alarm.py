"""A signal is told: a metric with the trace as its exemplar, and a line in the log, if not many."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from costspan.model import Signal
from costspan.telemetry import Telemetry

_MOST_LINES = 20  # a minute: one broken agent in every trace must not fill the disk
_MINUTE = 60_000_000_000
_log = logging.getLogger(__name__)


class Alarm:
    """Counts every signal, logs the first of every minute. `now` is of a monotonic clock, ns."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._since = -_MINUTE
        self._lines = 0

    def raise_for(self, signals: Iterable[Signal], now: int) -> None:
        for one in signals:
            self._telemetry.trace_signals.mark(
                one.trace_id.hex(), one.value, one.at, one.service, one.name
            )
            self._say(one, now)

    def _say(self, one: Signal, now: int) -> None:
        if now - self._since >= _MINUTE:
            self._since, self._lines = now, 0
        self._lines += 1
        if self._lines < _MOST_LINES:
            _log.warning(
                "open trace %s of %s passed its limit of %s: %g > %g",
                *(one.trace_id.hex(), one.service or "an unnamed service"),
                *(one.name, one.value, one.limit),
            )
        elif self._lines == _MOST_LINES:
            _log.warning("more signals of open traces in this minute are only counted")
