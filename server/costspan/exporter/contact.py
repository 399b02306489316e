"""How a destination has been answering: for the log, the health page and `costspan_exporter_up`."""

from __future__ import annotations

import logging
import threading

from costspan.clock import Clock
from costspan.errors import Permanent, Refused, Retryable, TooLarge, Unreachable
from costspan.telemetry import Telemetry

_log = logging.getLogger(__name__)
_QUIET_NS = 60_000_000_000  # between two sentences of one kind


class Contact:
    """Notes every attempt. Safe from any thread."""

    def __init__(self, name: str, telemetry: Telemetry, clock: Clock) -> None:
        self.last_error = ""  # of the latest attempt; "" = it succeeded
        self._name = name
        self._telemetry = telemetry
        self._clock = clock
        self._failures = 0  # in a row
        self._said: dict[tuple[str, str], int] = {}  # kind -> when it was logged
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        with self._lock:
            failures, self._failures = self._failures, 0
            self.last_error = ""
        if failures:
            _log.info("exporter %s: delivers again after %d failures", self._name, failures)
        self._telemetry.exporter_up.set(1, self._name)
        self._telemetry.export_requests.add(1, self._name)

    def failed(self, fault: Exception) -> None:
        """An attempt came to nothing, and is repeated."""
        with self._lock:
            self._failures += 1
            first = self._failures == 1
            self.last_error = str(fault) or type(fault).__name__
        self._telemetry.exporter_up.set(0, self._name)
        self._telemetry.send_failures.add(1, self._name, reason(fault))
        if first:
            _log.warning("exporter %s: %s; trying again until it succeeds", self._name, fault)

    def refused(self, refusal: Permanent) -> None:
        """An answer that is final: it was reached, and it said no."""
        with self._lock:
            self._failures, self.last_error = 0, str(refusal)
        self._telemetry.exporter_up.set(0, self._name)

    def say(self, level: int, kind: tuple[str, str], sentence: str, *values: object) -> None:
        """Log a sentence, but seldom those of one kind."""
        now = self._clock.monotonic()
        with self._lock:
            last = self._said.get(kind)
            if last is not None and now - last < _QUIET_NS:
                return
            self._said[kind] = now
        text = f"exporter %s: {sentence}; for a minute more of this kind are only counted"
        _log.log(level, text, self._name, *values)


def reason(fault: Exception) -> str:
    """The label of a failure: a closed set per destination."""
    match fault:
        case Refused() | Unreachable():
            return fault.reason
        case TooLarge():
            return "too_large"
        case Permanent():
            return "refused"
        case Retryable():
            return "retryable"
        case _:
            return "internal"
