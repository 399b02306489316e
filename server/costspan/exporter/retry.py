"""How long to wait before the next attempt. Arithmetic only: nobody waits here."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple


class RetryPolicy(NamedTuple):
    """Exponential back-off with full jitter; there is no last attempt.

    The jitter is the whole interval: replicas that lost the same collector must not come back
    together (AWS architecture blog, "Exponential Backoff And Jitter", 2015). OTLP demands jitter
    (opentelemetry-specification, protocol/exporter.md, "Retry").
    """

    initial: float = 1.0  # seconds: the upper end of the first wait
    maximum: float = 30.0
    multiplier: float = 2.0
    longest_hint: float = 300.0  # a destination may ask for more, it does not get more
    uniform: Callable[[float, float], float] = random.uniform

    def delay(self, failures: int, after: float = 0.0) -> float:
        """Seconds to wait after the n-th failure in a row (1 = the first).

        `after` is what the destination asked for: never come back earlier.
        """
        # 2**64 intervals are beyond any maximum; a larger exponent would overflow the float
        ceiling = min(self.maximum, self.initial * self.multiplier ** min(failures - 1, 64))
        return max(self.uniform(0.0, ceiling), min(after, self.longest_hint))
