"""How long a trace's model calls took, and how much of it at the same time. Pure; nanoseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from costspan.model import LlmCall


class Busy(NamedTuple):
    """The first divided by the second is how many calls ran at once, on average."""

    together: int  # durations, added up
    apart: int  # time in which at least one of them ran


def busy(calls: Iterable[LlmCall]) -> Busy:
    """Of calls in any order. One without a beginning, or that ends before it, took no time."""
    spans = sorted(
        (call.start_ns, call.end_ns) for call in calls if 0 < call.start_ns < call.end_ns
    )
    together = apart = until = 0
    for start, end in spans:
        together += end - start
        apart += max(0, end - max(start, until))
        until = max(until, end)
    return Busy(together, apart)
