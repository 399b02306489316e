"""Under which entry span and which root the calls of one request are, where the request shows it.

An SDK exports spans as they end, so a call may travel before the spans above it. Then nothing is
said here, and the ledger says it when the trace is whole: `ledger/places.py` has the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from costspan.model import ALREADY_METERED, PROVISIONAL, LlmCall
from costspan.wire.heads import HEAD

_ROOT = bytes(8)
_ENTERED = frozenset({2, 5})  # Span.kind: SERVER, CONSUMER
_REMOTE = 0x300  # Span.flags: it is known whether the parent is in another process, and it is


class _Shown:
    """The part of one trace that is in the request."""

    __slots__ = ("entries", "links")

    def __init__(self) -> None:
        self.links: dict[bytes, bytes] = {}
        self.entries: set[bytes] = set()


def place(calls: Sequence[LlmCall], heads: bytes) -> None:
    """Write `transaction` and `root` into the calls for which the heads of their request tell.

    Where the way up from a call breaks off before it meets an entry span, both stay as they are:
    the span that is missing may be one. Such a row is provisional: another copy of the span, whose
    request shows more, must not be replaced by it.
    What another costspan metered is left alone: nobody here corrects its row.
    """
    calls = [call for call in calls if call.role != ALREADY_METERED]
    traces = {call.trace_id: _Shown() for call in calls}
    for trace_id, span_id, parent, _, _, flags, kind, _ in HEAD.iter_unpack(heads):
        shown = traces.get(trace_id)
        if shown is not None:
            shown.links[span_id] = parent
            if kind in _ENTERED or flags & _REMOTE == _REMOTE or parent == _ROOT:
                shown.entries.add(span_id)
    for call in calls:
        _place(call, traces[call.trace_id])
        if not (call.transaction and call.root):
            call.version = PROVISIONAL


def _place(call: LlmCall, shown: _Shown) -> None:
    span_id, links = call.span_id, shown.links
    entered = False
    for _ in range(len(links)):  # parents may go round in a circle
        if span_id not in links:
            break
        if not entered and span_id in shown.entries:
            call.transaction, entered = span_id, True
        parent = links[span_id]
        if parent == _ROOT:
            call.root = span_id
            break
        span_id = parent
