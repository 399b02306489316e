"""The end of a destination's work: when it has to be over, and how long anybody may still wait."""

from __future__ import annotations

import threading

from costspan.clock import Clock

# While draining, an attempt a second: back-off and hints are for those who have time.
_WAIT_SECONDS = 1.0
_SECOND = 1_000_000_000


class Drain:
    """Begins once, and has a deadline. Safe from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = threading.Event()
        self._given_up = threading.Event()
        self._deadline = 0  # clock.monotonic()

    def begin(self, deadline: int) -> None:
        """End by `deadline` (of `clock.monotonic()`). Whoever waits is woken."""
        self._deadline = deadline
        self._begun.set()

    def give_up(self) -> None:
        """Wake those who wait in the drain too."""
        self._given_up.set()

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    @property
    def over(self) -> bool:
        """The deadline has passed, or nobody waits for it any more."""
        return self.begun and (self._given_up.is_set() or self.remaining <= 0)

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, never negative; 0 before the drain has begun."""
        return max(0.0, (self._deadline - self._clock.monotonic()) / _SECOND)

    def idle(self, seconds: float) -> None:
        """Wait, at most until the drain begins."""
        self._begun.wait(seconds)

    def pause(self, seconds: float) -> None:
        """Wait before the next attempt. A drain cuts it short: it has no time to spare."""
        if self.begun:
            self._given_up.wait(min(seconds, self.remaining, _WAIT_SECONDS))
        else:
            self._begun.wait(seconds)
