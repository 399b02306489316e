"""One attribute, in both directions: raw KeyValue bytes to (key, value), and a value to bytes.

Reading takes the three encodings that nearly every exporter writes by hand (key first, one value,
nothing else) and leaves anything else to the generated classes: about 1 us instead of 2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from costspan.model import Value

_KEY, _VALUE = 0x0A, 0x12  # KeyValue: 1 = key, 2 = value, both length-delimited
_STRING, _BOOL, _INT, _DOUBLE = 0x0A, 0x10, 0x18, 0x21  # AnyValue: 1, 2, 3, 4
_SHORT = 0x80  # below it a varint is one byte
_MAX_DEPTH = 16
_double = struct.Struct("<d")


def decode_attribute(raw: bytes, names: Mapping[bytes, str]) -> tuple[str, Value] | None:
    """The wanted key and its value; None if its key isn't in `names`.

    `names` maps the key's bytes to the key; it may compute answers for prefixes. A damaged
    attribute is None: the span is forwarded as it came.
    """
    size = len(raw)
    if size > 4 and raw[0] == _KEY and raw[1] < _SHORT:  # noqa: PLR2004  two tags, two lengths
        at = raw[1] + 2
        name = names.get(raw[2:at])
        if name is None and size > at and raw[at] == _VALUE:
            return None
        if size > at + 3 and raw[at] == _VALUE and raw[at + 1] == size - at - 2:
            tag = raw[at + 2]
            if tag == _STRING and raw[at + 3] == size - at - 4 and raw[at + 3] < _SHORT:
                return _text(name, raw[at + 4 :])
            if tag == _INT and size <= at + 13 and raw[-1] < _SHORT:
                number = _varint(raw[at + 3 :])
                if number is not None:
                    return (name, number) if name else None
            if tag == _DOUBLE and size == at + 11:
                return (name, _double.unpack_from(raw, at + 3)[0]) if name else None
    return _generic(raw, names)


def _text(name: str | None, data: bytes) -> tuple[str, Value] | None:
    try:
        return (name, data.decode()) if name else None
    except UnicodeDecodeError:
        return None


def _varint(data: bytes) -> int | None:
    """The int64 that these bytes are; None if they are more than one varint."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < _SHORT and shift < 7 * len(data):
            return None
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _generic(raw: bytes, names: Mapping[bytes, str]) -> tuple[str, Value] | None:
    try:
        attribute = KeyValue.FromString(raw)
    except DecodeError:
        return None
    name = names.get(attribute.key.encode())
    return (name, any_value(attribute.value)) if name else None


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
    while value >= _SHORT:
        out.append(value & 0x7F | _SHORT)
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
