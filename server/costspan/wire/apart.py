"""Spans that wait, set apart in a request of their own. No view on what becomes of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from google.protobuf.message import DecodeError

from costspan.wire.request import outline, partition
from costspan.wire.schema import HeadFields

# How SDKs begin a span: fields 1, 2 and 4 in this order, ids of 16, 8 and 8 bytes, no trace state
_TRACE, _SPAN, _PARENT = b"\x0a\x10", b"\x12\x08", b"\x22\x08"
_NOBODY = bytes(8)


class Apart(NamedTuple):
    """A request in two."""

    rest: bytes  # b"" = there is nothing else
    apart: bytes
    ordinals: tuple[int, ...]  # of what is apart, in the request as it was


def set_apart(request: bytes, others: Collection[int] = ()) -> Apart | None:
    """Spans without a parent and those at the ordinals `others`, and the rest, spans verbatim.

    None if there are none. Resources and scopes are repeated as in `cut`. Raises Undecodable.
    """
    message = outline(request)
    spans = [span for one in message.resources for scope in one.scopes for span in scope.items]
    waits = [ordinal in others or _is_root(span) for ordinal, span in enumerate(spans)]
    if True not in waits:
        return None
    ordinals = tuple(ordinal for ordinal, apart in enumerate(waits) if apart)
    if len(ordinals) == len(spans):
        return Apart(b"", request, ordinals)
    message.ClearField("resources")
    in_order = iter(waits)  # as `partition` goes through the spans
    parts = partition(request, lambda _span: next(in_order))
    rest: bytes = message.SerializeToString() + parts[False][0]  # fields that we do not know first
    return Apart(rest, parts[True][0], ordinals)


def _is_root(span: bytes) -> bool:
    """Whether its parent is nobody, as the ledger reads it: absent, or zeros."""
    if span[28:30] == _PARENT and span[18:20] == _SPAN and span[:2] == _TRACE:
        return span[30:38] == _NOBODY
    try:
        parent: bytes = HeadFields.FromString(span).parent_span_id
    except DecodeError:
        return False
    return not any(parent[:8])
