"""Spans that wait, set apart in a request of their own. No view on what becomes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from costspan.wire.request import outline
from costspan.wire.schema import HeadFields, Request

# How SDKs begin a span: fields 1, 2 and 4 in this order, ids of 16, 8 and 8 bytes, no trace state
_TRACE, _SPAN, _PARENT = b"\x0a\x10", b"\x12\x08", b"\x22\x08"
_NOBODY = bytes(8)


class Apart(NamedTuple):
    """A request in two."""

    rest: bytes  # b"" = there is nothing else
    apart: bytes
    ordinals: tuple[int, ...]  # of what is apart, in the request as it was


class _Scope(NamedTuple):
    """Spans of one scope, all by their places."""

    resource: int
    scope: int
    spans: Sequence[int]
    first: int  # ordinal of the scope's first span


def set_apart(request: bytes, others: Collection[int] = ()) -> Apart | None:
    """Spans without a parent and those at the ordinals `others`, and the rest, spans verbatim.

    None if there are none. Resources and scopes are repeated as in `cut`. Raises Undecodable.
    """
    message = outline(request)
    scopes = list(_scopes(message, others))
    if not scopes:
        return None
    ordinals = tuple(each.first + span for each in scopes for span in each.spans)
    _take_out(message, scopes)
    if not any(scope.items for resource in message.resources for scope in resource.scopes):
        return Apart(b"", request, ordinals)
    return Apart(message.SerializeToString(), _alone(outline(request), scopes), ordinals)


def _scopes(message: Any, others: Collection[int]) -> Iterator[_Scope]:
    """Those in which a span waits."""
    first = 0
    for place, resource in enumerate(message.resources):
        for index, scope in enumerate(resource.scopes):
            items = scope.items
            ordinals = enumerate(items, first)
            spans = [n - first for n, span in ordinals if n in others or _is_root(span)]
            if spans:
                yield _Scope(place, index, spans, first)
            first += len(items)


def _alone(message: Any, scopes: Sequence[_Scope]) -> bytes:
    """A request of these spans, out of an outline that is taken apart."""
    request = Request()
    for place, group in groupby(scopes, key=attrgetter("resource")):
        resource, kept = message.resources[place], request.resources.add()
        for each in group:
            scope = resource.scopes[each.scope]
            spans = [scope.items[span] for span in each.spans]
            scope.ClearField("items")
            kept.scopes.add().MergeFrom(scope)
            kept.scopes[-1].items.extend(spans)
        resource.ClearField("scopes")
        kept.MergeFrom(resource)
    data: bytes = request.SerializeToString()
    return data


def _take_out(message: Any, scopes: Sequence[_Scope]) -> None:
    """Remove these spans, and what is left empty by that."""
    for each in reversed(scopes):
        resource = message.resources[each.resource]
        items = resource.scopes[each.scope].items
        for span in reversed(each.spans):
            del items[span]
        if not items:
            del resource.scopes[each.scope]
        if not resource.scopes:
            del message.resources[each.resource]


def _is_root(span: bytes) -> bool:
    """Whether its parent is nobody, as the ledger reads it: absent, or zeros."""
    if span[28:30] == _PARENT and span[18:20] == _SPAN and span[:2] == _TRACE:
        return span[30:38] == _NOBODY
    try:
        parent: bytes = HeadFields.FromString(span).parent_span_id
    except DecodeError:
        return False
    return not any(parent[:8])
