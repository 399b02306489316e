"""The only reader of the wall clock. Everything else is told the time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Time in nanoseconds: `now` since the epoch (UTC), `monotonic` never steps back."""

    def now(self) -> int: ...
    def monotonic(self) -> int: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns()

    def monotonic(self) -> int:
        return time.monotonic_ns()
