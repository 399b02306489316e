"""Attribute values in both directions: an AnyValue to plain Python, an attribute to bytes."""

from __future__ import annotations

import struct

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from costspan.model import Value

_MORE = 0x80  # set in every byte of a varint but the last
_MAX_DEPTH = 16
_double = struct.Struct("<d")


def any_value(value: AnyValue, depth: int = 0) -> Value:
    """An AnyValue as plain Python; deeper than 16 levels it is None."""
    kind = value.WhichOneof("value")
    if kind is None or depth > _MAX_DEPTH:
        return None
    if kind == "array_value":
        return [any_value(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {kv.key: any_value(kv.value, depth + 1) for kv in value.kvlist_value.values}
    plain: Value = getattr(value, kind)
    return plain


def varint(value: int) -> bytes:
    """A protobuf varint of an int >= 0."""
    out = bytearray()
    while value >= _MORE:
        out.append(value & 0x7F | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


_SPAN_ATTRIBUTE = b"\x4a"  # Span: 9 = attributes, length-delimited
_keys: dict[str, bytes] = {}


def _key_bytes(key: str) -> bytes:
    """The encoded `key` field; interned, since we write the same few names for ever."""
    encoded = _keys.get(key)
    if encoded is None:
        data = key.encode()
        encoded = b"\x0a" + varint(len(data)) + data
        if len(_keys) < 1000:  # noqa: PLR2004  far above the number of names that we write
            _keys[key] = encoded
    return encoded


def _value_bytes(value: str | float) -> bytes:
    match value:
        case bool():
            return b"\x10\x01" if value else b"\x10\x00"
        case str():
            data = value.encode()
            return b"\x0a" + varint(len(data)) + data
        case int():
            return b"\x18" + varint(value & (2**64 - 1))
        case float():
            return b"\x21" + _double.pack(value)


def encode_attribute(key: str, value: str | float) -> bytes:
    """A complete `attributes` field of Span, ready to be appended to a span's bytes."""
    inner = _value_bytes(value)
    body = _key_bytes(key) + b"\x12" + varint(len(inner)) + inner
    return _SPAN_ATTRIBUTE + varint(len(body)) + body
