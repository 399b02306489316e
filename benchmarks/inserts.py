"""What the ClickHouse stand-in reads of an insert, and its answers to the Collector's exporter.

The exporter's client asks who the server is and, before every insert, what columns the table has;
both in the Native format as the native protocol wraps it, which the embedded store does not speak.
https://clickhouse.com/docs/native-protocol/server#data
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from costspan import wire
from costspan.wire.native import text
from costspan.wire.values import varint

_OF_SPANS = re.compile(r'INSERT INTO ("otel"\.)?"?otel_traces')  # as the Collector says it, and we
_BLOCK_INFO = bytes.fromhex("010002ffffffff00")  # no overflow, bucket -1

_ATTRIBUTES = "Map(LowCardinality(String), String)"
_OTEL_TRACES = {
    "Timestamp": "DateTime64(9)",
    "TraceId": "String",
    "SpanId": "String",
    "ParentSpanId": "String",
    "TraceState": "String",
    "SpanName": "LowCardinality(String)",
    "SpanKind": "LowCardinality(String)",
    "ServiceName": "LowCardinality(String)",
    "ResourceAttributes": _ATTRIBUTES,
    "ScopeName": "String",
    "ScopeVersion": "String",
    "SpanAttributes": _ATTRIBUTES,
    "Duration": "UInt64",
    "StatusCode": "LowCardinality(String)",
    "StatusMessage": "String",
    "Events.Timestamp": "Array(DateTime64(9))",
    "Events.Name": "Array(LowCardinality(String))",
    "Events.Attributes": f"Array({_ATTRIBUTES})",
    "Links.TraceId": "Array(String)",
    "Links.SpanId": "Array(String)",
    "Links.TraceState": "Array(String)",
    "Links.Attributes": f"Array({_ATTRIBUTES})",
}
_DESCRIBED = ("default_type", "default_expression", "comment", "codec_expression", "ttl_expression")
_REVISION = 54460  # of the protocol, as the client asks for it


def spans(query: str, data: bytes) -> int:
    """The rows of an insert into the table of spans; 0 of one into another table."""
    if not _OF_SPANS.match(query):
        return 0
    first, begin = _varint(data, 0)
    if query.endswith("ProtobufList"):
        return wire.count(data[begin : begin + first])
    rows, _ = _varint(data, begin)  # behind the number of columns
    return rows


def _hello() -> bytes:
    """Who the stand-in says that it is: one row."""
    revision = struct.pack("<I", _REVISION)
    return _block(1, [
        ("displayName()", "String", text("stand-in")),
        ("version()", "String", text("26.9.1.1")),
        ("revision()", "UInt32", revision),
        ("timezone()", "String", text("UTC")),
    ])  # fmt: skip


def _description() -> bytes:
    """The columns of the table of spans, a row each: name, type and five empty texts."""
    rows = len(_OTEL_TRACES)
    nothing = text("") * rows
    columns = [
        ("name", "String", b"".join(map(text, _OTEL_TRACES))),
        ("type", "String", b"".join(map(text, _OTEL_TRACES.values()))),
        *((name, "String", nothing) for name in _DESCRIBED),
    ]
    return _block(rows, columns)


def _block(rows: int, columns: Sequence[tuple[str, str, bytes]]) -> bytes:
    # since revision 54454 a byte behind the type says whether the values are packed in another way
    parts = [text(name) + text(kind) + b"\0" + data for name, kind, data in columns]
    return b"".join((_BLOCK_INFO, varint(len(columns)), varint(rows), *parts))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends."""
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


ANSWERS = {
    b"SELECT displayName(), version(), revision(), timezone()": _hello(),
    b'DESCRIBE TABLE "otel"."otel_traces"': _description(),
}
