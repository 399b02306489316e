"""Append encoded attributes to chosen spans of a request. Nothing else of it changes."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.wire.request import outline


def splice(request: bytes, extra: Mapping[int, bytes]) -> bytes:
    """The request with `extra[ordinal]` appended to those spans' bytes.

    Appending a field to a message's bytes adds to its repeated field: no span is decoded, and what
    we don't know travels verbatim. With nothing to add the same object comes back: re-encoding
    keeps the meaning, not the bytes. Raises Undecodable.
    """
    if not any(extra.values()):
        return request
    message = outline(request)
    base = 0
    wanted = sorted(ordinal for ordinal, added in extra.items() if added)
    at = 0
    for resource in message.resources:
        for scope in resource.scopes:
            items = scope.items
            end = base + len(items)
            while at < len(wanted) and wanted[at] < end:
                ordinal = wanted[at]
                items[ordinal - base] += extra[ordinal]
                at += 1
            base = end
    data: bytes = message.SerializeToString()
    return data
