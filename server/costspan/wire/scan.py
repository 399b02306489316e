"""Find the spans that carry usage and read what is wanted of them. Nothing is judged or changed.

A span is opened only if its raw bytes hold a marker; protobuf does not escape strings, so a marker
can't be missed, and a prompt that happens to hold one only costs time: the reading itself follows
the structure. Raw attributes are looked up in a bounded table keyed by their bytes, since most of
them repeat (model, provider, operation); a miss is decoded once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from costspan.model import Hit, Value, Wanted
from costspan.wire.request import outline
from costspan.wire.schema import SpanFields
from costspan.wire.values import any_value, decode_attribute

_SHORT = 96  # bytes; up to here an attribute is worth keeping in the table
_CAP = 2048  # bytes; above it only the keys that may be long (JSON) are read
_TABLE_SIZE = 20_000
_CONTEXTS = 1_000


class _Names(dict[bytes, str]):
    """Key bytes to key, prefixes included."""

    def __init__(self, keys: frozenset[str], prefixes: tuple[str, ...]) -> None:
        super().__init__((key.encode(), key) for key in keys)
        self._prefixes = tuple(prefix.encode() for prefix in prefixes)

    def get(self, key: bytes, default: str | None = None) -> str | None:  # type: ignore[override]  # narrower on purpose
        name = super().get(key)
        if name is None and key.startswith(self._prefixes):
            return key.decode(errors="replace")
        return name or default


class _Table(dict[bytes, tuple[str, Value] | None]):
    """Raw attribute to (key, value) or None. Emptied when full: cheaper than keeping an order."""

    def __init__(self, names: _Names) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, raw: bytes) -> tuple[str, Value] | None:
        found = decode_attribute(raw, self._names)
        if len(self) >= _TABLE_SIZE:
            self.clear()
        self[raw] = found
        return found


class _Reader:
    """The tables for one Wanted."""

    def __init__(self, wanted: Wanted) -> None:
        keys = wanted.keys | wanted.own_keys
        self._names = _Names(keys, wanted.prefixes)
        self._table = _Table(self._names)
        self._long = _Names(wanted.long_keys, ())
        self._own = wanted.own_keys
        self._resource_keys = wanted.resource_keys
        self._resources: dict[bytes, Mapping[str, Value]] = {}
        self._scopes: dict[bytes, tuple[str, str]] = {}

    def attributes(self, raws: list[bytes]) -> tuple[dict[str, Value], dict[str, Value]]:
        """(values, own) of one span; of equal keys the last wins."""
        table, decode = self._table, self._decode_long
        found = [table[raw] if len(raw) <= _SHORT else decode(raw) for raw in raws]
        values = dict(filter(None, found))
        if self._own.isdisjoint(values):
            return values, {}
        own = {key: values.pop(key) for key in self._own & values.keys()}
        return values, own

    def _decode_long(self, raw: bytes) -> tuple[str, Value] | None:
        return decode_attribute(raw, self._names if len(raw) <= _CAP else self._long)

    def resource(self, raw: bytes) -> Mapping[str, Value]:
        found = self._resources.get(raw)
        if found is None:
            found = self._decode_resource(raw)
            if len(self._resources) >= _CONTEXTS:
                self._resources.clear()
            self._resources[raw] = found
        return found

    def _decode_resource(self, raw: bytes) -> Mapping[str, Value]:
        try:
            attributes = Resource.FromString(raw).attributes
        except DecodeError:
            return {}
        keys = self._resource_keys
        return {kv.key: any_value(kv.value) for kv in attributes if "" in keys or kv.key in keys}

    def scope(self, raw: bytes) -> tuple[str, str]:
        found = self._scopes.get(raw)
        if found is None:
            try:
                scope = InstrumentationScope.FromString(raw)
                found = (scope.name, scope.version)
            except DecodeError:
                found = ("", "")
            if len(self._scopes) >= _CONTEXTS:
                self._scopes.clear()
            self._scopes[raw] = found
        return found


@lru_cache(maxsize=8)
def _reader(wanted: Wanted) -> _Reader:
    return _Reader(wanted)


def scan(request: bytes, wanted: Wanted) -> list[Hit]:
    """Every span that holds a marker and at least one wanted attribute, in document order.

    Raises Undecodable.
    """
    live = [marker for marker in wanted.markers if marker in request]
    if not live:
        return []
    reader, hits, ordinal = _reader(wanted), [], -1
    for resource in outline(request).resources:
        for scope in resource.scopes:
            for raw in scope.items:
                ordinal += 1
                for marker in live:
                    if marker in raw:
                        hit = _hit(ordinal, raw, resource.resource, scope.scope, reader)
                        if hit is not None:
                            hits.append(hit)
                        break
    return hits


def _hit(ordinal: int, raw: bytes, resource: bytes, scope: bytes, reader: _Reader) -> Hit | None:
    span = SpanFields.FromString(raw)
    values, own = reader.attributes(span.attributes)
    if not values and not own:
        return None
    return Hit(
        ordinal,
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        span.kind,
        span.start,
        span.end,
        span.status.code,
        span.flags,
        reader.scope(scope),
        reader.resource(resource),
        values,
        own,
    )
