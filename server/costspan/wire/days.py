"""Requests cut by the days on which their spans began. Nothing else is asked of a span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from costspan.wire.block import LAST_INSTANT
from costspan.wire.request import partition
from costspan.wire.schema import RowFields

_DAY = 86_400 * 10**9


def day(start_ns: int) -> int:
    """Days since the epoch, of the time that a row shows."""
    return min(start_ns, LAST_INSTANT) // _DAY


def by_days(requests: Sequence[bytes], most: int) -> Iterator[tuple[list[bytes], int]]:
    """The spans in parts of at most `most` days, earliest first: requests and their spans' number.

    Within a part requests and spans keep their order. Raises Undecodable.
    """
    cut = [partition(request, _day_of) for request in requests]
    days = sorted({number for parts in cut for number in parts})
    for first in range(0, len(days), most):
        found = [parts[n] for parts in cut for n in days[first : first + most] if n in parts]
        yield [part for part, _ in found], sum(spans for _, spans in found)


def _day_of(span: bytes) -> int:
    return day(RowFields.FromString(span).start)
