"""The 80-byte head of every span of a request: what a tree needs, and no attribute."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from costspan.errors import Undecodable
from costspan.wire.request import outline
from costspan.wire.schema import HeadFields, HeadRequest

# trace id, span id, parent span id, start, end, flags, kind, status; 26 bytes for what may come
HEAD = struct.Struct("<16s8s8sQQIBB26x")
HEAD_SIZE = 80
# How SDKs begin a span: fields 1, 2 and 4 in this order, ids of 16, 8 and 8 bytes, no trace state
_TRACE, _SPAN, _PARENT = b"\x0a\x10", b"\x12\x08", b"\x22\x08"

Links = dict[bytes, bytes]
"""Span id -> parent's, b"" for a root."""


class Head(NamedTuple):
    """One span of a tree. The parent of a root is 8 zero bytes."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    start_ns: int
    end_ns: int
    flags: int
    kind: int
    status: int


def heads(request: bytes) -> bytes:
    """Packed heads in ordinal order. An id of a wrong length is cut or filled with zeros.

    Raises Undecodable.
    """
    try:
        message = HeadRequest.FromString(request)
    except DecodeError as error:
        raise Undecodable(f"expected readable spans, got {error}") from error
    pack = HEAD.pack
    return b"".join(
        [
            pack(
                span.trace_id,
                span.span_id,
                span.parent_span_id,
                span.start,
                span.end,
                span.flags,
                span.kind & 0xFF,
                span.status.code & 0xFF,
            )
            for resource in message.resources
            for scope in resource.scopes
            for span in scope.spans
        ]
    )


def links(request: bytes, trace_ids: Iterable[bytes]) -> dict[bytes, Links]:
    """Who is below whom in a few traces. It opens no other span.

    Serializers write a span's trace id first; a span that begins otherwise is not looked at.
    """
    found: dict[bytes, Links] = {trace_id: {} for trace_id in trace_ids}
    begins = {_TRACE + trace_id for trace_id in found}
    for resource in outline(request).resources:
        for scope in resource.scopes:
            for span in [raw for raw in scope.items if raw[:18] in begins]:
                span_id, parent = _ids(span)
                found[span[2:18]][span_id] = parent
    return found


def _ids(span: bytes) -> tuple[bytes, bytes]:
    """Of itself and of its parent."""
    if span[18:20] == _SPAN and span[28:30] == _PARENT:
        return span[20:28], span[30:38]
    try:
        fields = HeadFields.FromString(span)
    except DecodeError:
        return b"", b""
    return fields.span_id, fields.parent_span_id


def unpack_heads(data: bytes) -> Iterator[Head]:
    """The inverse of the packing, in the same order."""
    return map(Head._make, HEAD.iter_unpack(data))
