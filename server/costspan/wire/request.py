"""A request as a whole: decode it shallowly, judge it, count it, cut it. No span is opened."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan.errors import Undecodable
from costspan.wire.schema import Request
from costspan.wire.values import varint


def outline(request: bytes) -> Any:
    """The shallow message. Raises Undecodable if not even the outline parses."""
    try:
        return Request.FromString(request)
    except DecodeError as error:
        raise Undecodable(
            f"expected an OTLP export request, got {len(request)} bytes that are no protobuf "
            f"message of that shape ({error})"
        ) from error


def readable(request: bytes) -> bool:
    """Whether a full decode accepts every span, as the next hop will try to.

    upb refuses a whole request for one bad UTF-8 byte or for deep nesting; joined with others such
    a request would take them along.
    """
    try:
        ExportTraceServiceRequest.FromString(request)
    except DecodeError:
        return False
    return True


def count(request: bytes) -> int:
    """How many spans, metrics, log records or profiles it holds. Raises Undecodable."""
    return _count(outline(request))


def cut(request: bytes, max_bytes: int) -> list[bytes]:
    """The request in pieces of at most about `max_bytes`, items in document order.

    Each piece repeats the resource and the scope of its items. A single item above the limit is a
    piece of its own. A request within the limit comes back as the same object. Raises Undecodable.
    """
    if len(request) <= max_bytes:
        return [request]
    return _pieces(outline(request), max_bytes, sys.maxsize) or [request]


def halve(request: bytes) -> tuple[bytes, bytes, int] | None:
    """The request in two, items in document order, and how many the first half holds.

    None if there are fewer than two items. Raises Undecodable.
    """
    message = outline(request)
    middle = (_count(message) + 1) // 2
    halves = _pieces(message, sys.maxsize, middle)
    return None if len(halves) != 2 else (halves[0], halves[1], middle)  # noqa: PLR2004 (halves)


def each(request: bytes) -> list[bytes]:
    """A request for each item, in document order. Raises Undecodable."""
    return _pieces(outline(request), sys.maxsize, 1)


def _count(message: Any) -> int:
    return sum(len(scope.items) for resource in message.resources for scope in resource.scopes)


def _pieces(message: Any, max_bytes: int, max_items: int) -> list[bytes]:
    """An outline, which is taken apart, as requests of at most so much each."""
    pieces: list[_Piece] = []
    for resource in message.resources:
        scopes = [(list(scope.items), _frame(scope, "items")) for scope in resource.scopes]
        resource_frame = _frame(resource, "scopes")
        for items, scope_frame in scopes:
            _fill(pieces, items, (resource_frame, scope_frame), (max_bytes, max_items))
    request_frame = _frame(message, "resources")
    return [request_frame + piece.encode() for piece in pieces]


def partition(request: bytes, key: Callable[[bytes], int]) -> dict[int, tuple[bytes, int]]:
    """A request for each key that an item has, with the number of its items. Raises Undecodable.

    Resources and scopes are repeated as in `cut`; items keep their order.
    """
    message = outline(request)
    pieces: dict[int, _Piece] = {}
    counts: Counter[int] = Counter()
    for resource in message.resources:
        scopes = [(list(scope.items), _frame(scope, "items")) for scope in resource.scopes]
        resource_frame = _frame(resource, "scopes")
        for items, scope_frame in scopes:
            frames = resource_frame, scope_frame
            for item in items:
                chosen = key(item)
                pieces.setdefault(chosen, _Piece()).add(item, frames)
                counts[chosen] += 1
    return {chosen: (piece.encode(), counts[chosen]) for chosen, piece in pieces.items()}


def _frame(message: Any, field: str) -> bytes:
    """The message without its repeated field: resource or scope, schema_url, unknown fields."""
    message.ClearField(field)
    data: bytes = message.SerializeToString()
    return data


class _Piece:
    """Items under their (resource, scope) frames, in order."""

    def __init__(self) -> None:
        self.size = 0
        self.count = 0
        self._groups: list[tuple[tuple[bytes, bytes], list[bytes]]] = []

    def add(self, item: bytes, frames: tuple[bytes, bytes]) -> None:
        if not self._groups or self._groups[-1][0] is not frames:
            self._groups.append((frames, []))
            self.size += len(frames[0]) + len(frames[1]) + _LENGTHS
        self._groups[-1][1].append(item)
        self.count += 1
        self.size += len(item) + _LENGTHS

    def encode(self) -> bytes:
        """Nested messages are length-prefixed, so they are closed inside out."""
        return b"".join(
            _nested(b"\x0a", resource + _nested(b"\x12", scope + _items(items)))
            for (resource, scope), items in self._groups
        )


_LENGTHS = 6  # a tag and the longest length that fits a piece


def _fill(
    pieces: list[_Piece], items: list[bytes], frames: tuple[bytes, bytes], most: tuple[int, int]
) -> None:
    max_bytes, max_items = most
    for item in items:
        last = pieces[-1] if pieces else None
        if not last or last.size + len(item) + _LENGTHS > max_bytes or last.count == max_items:
            pieces.append(_Piece())
        pieces[-1].add(item, frames)


def _nested(tag: bytes, body: bytes) -> bytes:
    return tag + varint(len(body)) + body


def _items(items: list[bytes]) -> bytes:
    return b"".join(_nested(b"\x12", item) for item in items)
