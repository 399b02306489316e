"""Find the spans that carry usage and read what is wanted of them. Nothing is judged or changed.

A span is opened only if its raw bytes hold a marker; protobuf does not escape strings, so a marker
can't be missed, and a prompt that happens to hold one only costs time: the reading itself follows
the structure.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from costspan.model import OTHER, Hit, Value, Wanted
from costspan.wire.request import outline
from costspan.wire.schema import SpanFields
from costspan.wire.values import any_value

_CAP = 2048  # characters; above it only the keys that may be long (JSON) are read
_CONTEXTS = 1_000
_STRANGERS = 64  # unknown keys that are told by name: they become labels of a metric


class _Names(dict[str, str]):
    """The name under which a key is handed over, "" = it is not wanted. Remembered, to a limit."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__({key: key for key in wanted.keys | wanted.own_keys})
        self._most = len(self) + _CONTEXTS
        self._prefixes = wanted.prefixes
        self._namespaces = wanted.namespaces
        self._familiar = wanted.familiar
        self._strangers = set[str]()

    def __missing__(self, key: str) -> str:
        name = key if key.startswith(self._prefixes) else self._stranger(key)
        if len(self) < self._most:
            self[key] = name
        return name

    def _stranger(self, key: str) -> str:
        """An unknown key of a known namespace. One with an index is content: gen_ai.prompt.0."""
        if not key.startswith(self._namespaces) or key.startswith(self._familiar):
            return ""
        if any(map(str.isdecimal, key.split("."))):
            return ""
        if key not in self._strangers and len(self._strangers) >= _STRANGERS:
            return OTHER
        self._strangers.add(key)
        return key


class _Reader:
    """The tables for one Wanted."""

    def __init__(self, wanted: Wanted) -> None:
        self._names = _Names(wanted)
        self._long = wanted.long_keys
        self._own = wanted.own_keys
        self._conditional = wanted.conditional
        self._resource_keys = wanted.resource_keys
        self._resources: dict[bytes, Mapping[str, Value]] = {}
        self._scopes: dict[bytes, tuple[str, str]] = {}

    def attributes(
        self, pairs: Mapping[str, AnyValue]
    ) -> tuple[dict[str, Value], dict[str, Value]]:
        """(values, own) of one span."""
        names, values = self._names, {}
        for key in pairs:
            name = names[key]
            if name:
                value = pairs[key]
                # texts and counts are nearly all there is; asking which member is set costs more
                text = value.string_value
                if len(text) <= _CAP or key in self._long:
                    values[name] = text or value.int_value or any_value(value)
        for key, said, other in self._conditional:
            if values.get(key) == said and other in pairs:
                values[other] = any_value(pairs[other])
        if self._own.isdisjoint(values):
            return values, {}
        own = {key: values.pop(key) for key in self._own & values.keys()}
        return values, own

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
    reader, hits, base = _reader(wanted), list[Hit](), 0
    for resource in outline(request).resources:
        for scope in resource.scopes:
            items = scope.items
            # Most scopes are those of HTTP or database clients: their spans are searched together,
            # which takes less time than a search in each.
            together = b"".join(items)
            here = [marker for marker in live if marker in together]
            for index, raw in enumerate(items if here else ()):
                for marker in here:
                    if marker in raw:
                        hits += _hit(base + index, raw, resource.resource, scope.scope, reader)
                        break
            base += len(items)
    return hits


def _hit(ordinal: int, raw: bytes, resource: bytes, scope: bytes, reader: _Reader) -> list[Hit]:
    """The span as a Hit; none if it holds a marker's letters and nothing that is wanted."""
    try:
        span = SpanFields.FromString(raw)
    except DecodeError:
        return []
    values, own = reader.attributes(span.attributes)
    if not values and not own:
        return []
    hit = Hit(
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
        span.dropped,
    )
    return [hit]
