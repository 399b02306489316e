"""Requests to one Native block of `otel_traces`, with a shallow decode. No table but this one.

The values are those that the Collector's ClickHouse exporter writes: names of kinds and codes,
lower-case hex ids, attributes as text with structure as JSON. `005_otel_traces_otlp_mv.sql` does
the same inside ClickHouse; where pdata and ClickHouse print a number differently (1e21, nan, inf)
both follow ClickHouse. A String of ClickHouse is encoded like one of protobuf, so most attributes
are two slices of the bytes that came.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from costspan.errors import Undecodable
from costspan.model import Value
from costspan.wire import native
from costspan.wire.native import Block, string
from costspan.wire.request import outline
from costspan.wire.schema import AttributeBytes, ResourceFields, RowFields, ScopeFields
from costspan.wire.values import any_value

_TIME = "DateTime64(9)"
_MAP = "Map(String, String)"
# 2100-01-01. Beyond 2106 a DateTime wraps around, and the table's TTL would take the row for old.
LAST_INSTANT = 4_102_444_800 * 10**9

_KINDS = [
    string(name)
    for name in (b"Unspecified", b"Internal", b"Server", b"Client", b"Producer", b"Consumer")
]
_CODES = [string(name) for name in (b"Unset", b"Ok", b"Error")]
_EMPTY = string(b"")
_WIDTHS = {8, 16}  # bytes of a span id and of a trace id
_NO_IDS = {bytes(width) for width in _WIDTHS}

_KEY, _VALUE, _STRING = 0x0A, 0x12, 0x0A
_ONE_BYTE = 0x80  # below it, a varint is one byte
_SHORT = 96  # bytes; an attribute up to here is worth keeping
_TABLE_SIZE = 20_000

_Entry = tuple[bytes, bytes]  # key and value, each an encoded String


class _Entries(dict[bytes, _Entry]):
    """Raw attribute to its entry. Emptied when full: cheaper than keeping an order."""

    def __missing__(self, raw: bytes) -> _Entry:
        entry = _entry(raw)
        if len(raw) <= _SHORT:
            if len(self) >= _TABLE_SIZE:
                self.clear()
            self[raw] = entry
        return entry


_entries = _Entries()


class _Maps:
    """A Map(String, String) column that grows; of equal keys the last wins."""

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._keys: list[bytes] = []
        self._values: list[bytes] = []

    def add(self, raws: Iterable[bytes]) -> None:
        entries = dict(map(_entries.__getitem__, raws))
        self._lengths.append(len(entries))
        self._keys += entries
        self._values += entries.values()

    def repeat(self, entries: dict[bytes, bytes], times: int) -> None:
        """The same map for several rows."""
        self._lengths += [len(entries)] * times
        self._keys += [b"".join(entries)] * times
        self._values += [b"".join(entries.values())] * times

    def encode(self) -> bytes:
        return native.offsets(self._lengths) + b"".join(self._keys) + b"".join(self._values)


class _Rows:
    """What is gathered of all spans before the columns are encoded."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: list[bytes] = []
        self.scope_names: list[bytes] = []
        self.scope_versions: list[bytes] = []
        self.resources = _Maps()

    def add_request(self, request: bytes) -> None:
        for group in outline(request).resources:
            raws = ResourceFields.FromString(group.resource).attributes
            resource = dict(map(_entries.__getitem__, raws))
            service = resource.get(_SERVICE_NAME, _EMPTY)
            for scope_items in group.scopes:
                self._add_scope(scope_items, resource, service)

    def _add_scope(self, group: Any, resource: dict[bytes, bytes], service: bytes) -> None:
        spans, scope = group.items, ScopeFields.FromString(group.scope)
        self.spans.extend(map(RowFields.FromString, spans))
        self.services += [service] * len(spans)
        self.scope_names += [string(scope.name)] * len(spans)
        self.scope_versions += [string(scope.version)] * len(spans)
        self.resources.repeat(resource, len(spans))


_SERVICE_NAME = string(b"service.name")


def block(requests: Sequence[bytes]) -> bytes:
    """The spans of all requests, in order, as one Native block with 22 columns of plain types.

    Raises Undecodable if one of them can't be read to the last attribute.
    """
    rows = _Rows()
    try:
        for request in requests:
            rows.add_request(request)
        return _encode(rows)
    except DecodeError as error:
        raise Undecodable(f"expected readable spans, got {error}") from error


def _encode(rows: _Rows) -> bytes:
    spans = rows.spans
    out = Block(len(spans))
    out.add("Timestamp", _TIME, _instants([span.start for span in spans]))
    out.add("TraceId", "String", _ids([span.trace_id for span in spans]))
    out.add("SpanId", "String", _ids([span.span_id for span in spans]))
    out.add("ParentSpanId", "String", _ids([span.parent_span_id for span in spans]))
    out.add("TraceState", "String", native.strings(span.trace_state for span in spans))
    out.add("SpanName", "String", native.strings(span.name for span in spans))
    out.add("SpanKind", "String", _names(_KINDS, [span.kind for span in spans]))
    out.add("ServiceName", "String", b"".join(rows.services))
    out.add("ResourceAttributes", _MAP, rows.resources.encode())
    out.add("ScopeName", "String", b"".join(rows.scope_names))
    out.add("ScopeVersion", "String", b"".join(rows.scope_versions))
    out.add("SpanAttributes", _MAP, _attributes(spans))
    durations = [max(span.end - span.start, 0) for span in spans]
    out.add("Duration", "UInt64", native.unsigned(durations))
    out.add("StatusCode", "String", _names(_CODES, [span.status.code for span in spans]))
    out.add("StatusMessage", "String", native.strings(span.status.message for span in spans))
    _add_events(out, [span.events for span in spans])
    _add_links(out, [span.links for span in spans])
    return out.encode()


def _add_events(out: Block, groups: list[Any]) -> None:
    ends = native.offsets(map(len, groups))
    events = [event for group in groups for event in group]
    out.add("Events.Timestamp", f"Array({_TIME})", ends + _instants([e.time for e in events]))
    out.add("Events.Name", "Array(String)", ends + native.strings(e.name for e in events))
    out.add("Events.Attributes", f"Array({_MAP})", ends + _attributes(events))


def _add_links(out: Block, groups: list[Any]) -> None:
    ends = native.offsets(map(len, groups))
    links = [link for group in groups for link in group]
    out.add("Links.TraceId", "Array(String)", ends + _ids([link.trace_id for link in links]))
    out.add("Links.SpanId", "Array(String)", ends + _ids([link.span_id for link in links]))
    out.add(
        "Links.TraceState", "Array(String)", ends + native.strings(x.trace_state for x in links)
    )
    out.add("Links.Attributes", f"Array({_MAP})", ends + _attributes(links))


# --- columns -------------------------------------------------------------------------------------


def _instants(values: list[int]) -> bytes:
    return native.signed([min(value, LAST_INSTANT) for value in values])


def _names(table: list[bytes], numbers: list[int]) -> bytes:
    """Names of an enum; a number that it does not know is an empty text."""
    known = range(len(table))
    return b"".join([table[number] if number in known else _EMPTY for number in numbers])


def _ids(values: list[bytes]) -> bytes:
    """Ids as lower-case hex; an id of zeros is none."""
    widths = set(map(len, values))
    if widths <= _WIDTHS and len(widths) == 1 and _NO_IDS.isdisjoint(values):
        width = widths.pop()
        length = chr(2 * width)  # as a separator it lands before every id but the first
        return (length + b"".join(values).hex(length, width)).encode()
    return native.strings(b"" if value in _NO_IDS else value.hex().encode() for value in values)


def _attributes(holders: Iterable[Any]) -> bytes:
    maps = _Maps()
    for raws in map(attrgetter("attributes"), holders):
        maps.add(raws)
    return maps.encode()


# --- one attribute -------------------------------------------------------------------------------


def _entry(raw: bytes) -> _Entry:
    """Key and value as Strings. A text in its usual encoding is sliced, not decoded."""
    size = len(raw)
    if size > 4 and raw[0] == _KEY and raw[1] < _ONE_BYTE:  # noqa: PLR2004  two tags, two lengths
        at = raw[1] + 2
        if size > at + 3 and raw[at] == _VALUE and _fills(raw, at + 1):
            value = at + 2 if raw[at + 1] < _ONE_BYTE else at + 3
            if raw[value] == _STRING and _fills(raw, value + 1):
                return raw[1:at], raw[value + 1 :]
    try:
        attribute = KeyValue.FromString(raw)
    except DecodeError:
        return _undecoded(raw)
    key = string(attribute.key.encode())
    return key, native.text(_text(any_value(attribute.value)))


def _undecoded(raw: bytes) -> _Entry:
    """For an attribute that a full decode refuses: its text as it came, structure as base64."""
    attribute = AttributeBytes.FromString(raw)
    value = attribute.value
    text = value.text or base64.b64encode(value.array or value.pairs)
    return string(attribute.key), string(text)


def _fills(raw: bytes, at: int) -> bool:
    """Whether the length at `at` (one or two bytes) and its content reach to the end."""
    left = len(raw) - at  # of the length and its content
    if left == 0 or raw[at] < _ONE_BYTE:
        return left == raw[at] + 1 if left else False
    return left > 1 and raw[at + 1] < _ONE_BYTE and left == (raw[at] & 0x7F | raw[at + 1] << 7) + 2


def _text(value: Value) -> str:
    """The value as the table shows it: texts bare, structure as JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return _json(value)


def _json(value: Value) -> str:  # noqa: PLR0911  one return for each kind
    """Compact JSON with ClickHouse's numbers; keys sorted, as Go does."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _double(value)
        case str():
            return _quoted(value)
        case bytes():
            return f'"{base64.b64encode(value).decode()}"'
        case list():
            return f"[{','.join(map(_json, value))}]"
        case dict():
            pairs = (f"{_quoted(key)}:{_json(value[key])}" for key in sorted(value))
            return f"{{{','.join(pairs)}}}"


def _quoted(value: str) -> str:
    quoted = json.dumps(value, ensure_ascii=False)
    return quoted.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _double(value: float) -> str:
    """The shortest digits that read back as the same double, with an exponent like JavaScript's."""
    shown = repr(value).removesuffix(".0")
    if "e" not in shown:
        return shown
    mantissa, exponent = shown.split("e")
    if -7 < int(exponent) < 21:  # noqa: PLR2004  Number::toString of ECMAScript
        return format(Decimal(shown), "f")
    return f"{mantissa}e{int(exponent)}"
