"""The 80-byte head of every span of a request: what a tree needs, and no attribute."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from costspan.errors import Undecodable
from costspan.wire.schema import HeadRequest

# trace id, span id, parent span id, start, end, flags, kind, status; 26 bytes for what may come
HEAD = struct.Struct("<16s8s8sQQIBB26x")
HEAD_SIZE = 80


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


def unpack_heads(data: bytes) -> Iterator[Head]:
    """The inverse of the packing, in the same order."""
    return map(Head._make, HEAD.iter_unpack(data))
