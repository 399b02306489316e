"""One frame in two, for a destination that refuses it as a whole. Pure; no view on refusals."""

from __future__ import annotations

from costspan import wire
from costspan.errors import Undecodable
from costspan.model import (
    CALL_ROWS,
    HELD,
    LOGS,
    METRICS,
    RELEASED,
    SOLO,
    TRACE_TOTALS,
    TRACES,
    Frame,
    decode_calls,
    decode_totals,
    encode_calls,
    encode_totals,
)

_REQUESTS = frozenset({TRACES, METRICS, LOGS, HELD, RELEASED})


def divide(frame: Frame) -> tuple[Frame, Frame] | None:
    """The first and the second half of its items; None if it can't be cut.

    SOLO frames are never opened. Both halves keep the frame's place in the journal, and each has
    the calls of its own spans.
    """
    if frame.flags & SOLO:
        return None
    try:
        halves = _halves(frame)
        if halves is None:
            return None
        first, second, items = halves
        # beside roots stands which they are: for a restart, which reads the frame as it was
        early, late = (b"", b"") if frame.signal == RELEASED else _calls(frame.calls, items)
    except (Undecodable, ValueError):
        return None  # what can't be read can't be cut
    return (
        frame._replace(body=first, calls=early, items=items),
        frame._replace(body=second, calls=late, items=frame.items - items),
    )


def _halves(frame: Frame) -> tuple[bytes, bytes, int] | None:
    """Two bodies, and how many items the first holds; None if there are not two."""
    if frame.signal in _REQUESTS:
        return wire.halve(frame.body)
    middle = frame.items // 2
    if not middle:
        return None
    if frame.signal == CALL_ROWS:
        calls = decode_calls(frame.body)
        return encode_calls(calls[:middle]), encode_calls(calls[middle:]), middle
    if frame.signal == TRACE_TOTALS:
        totals = decode_totals(frame.body)
        return encode_totals(totals[:middle]), encode_totals(totals[middle:]), middle
    return None


def _calls(data: bytes, items: int) -> tuple[bytes, bytes]:
    """The records of the first `items` spans, and those of the rest, counted from there."""
    calls = decode_calls(data)
    early = encode_calls([call for call in calls if call.ordinal < items])
    late = [call for call in calls if call.ordinal >= items]
    for call in late:
        call.ordinal -= items
    return early, encode_calls(late)
