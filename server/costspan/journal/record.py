"""The bytes of one frame in a file: a codec, and no I/O. Segments and dead letters are made of it.

    magic 4 | crc of the head 4 | payload length 4 | crc of the payload 4 | seq 8 | received_ns 8 |
    items 4 | flags 2 | signal length 2 | metadata length 4 | calls length 4 | signal
    payload: metadata (msgpack) | body | calls

All little endian. Two checksums (CRC-32, as zlib has it), for two reasons: that of the payload does
not depend on the seq, so that writers compute it side by side before they take their turn; and
with a head that is whole, a flipped bit in the body costs that record only, counted exactly.

A body holds bytes of strangers, who might put a record into a prompt. The head's checksum starts
from `salt`, a secret of the file: after damage a forged record is not taken for a real one.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import msgspec

from costspan.model import Frame, Metadata

MAGIC = b"\xf5cjr"  # 0xf5 is in no UTF-8 text: prompts do not hold it by accident
_FIXED = struct.Struct("<4sIIIQqIHHII")
_CHECKED = 8  # the head's checksum covers what follows it
FIXED_SIZE = _FIXED.size
MAX_SIGNAL = 64  # bytes of a signal's name
_metadata_encoder = msgspec.msgpack.Encoder()
_metadata_decoder = msgspec.msgpack.Decoder(Metadata)


class Corrupt(ValueError):
    """The bytes are not what was written."""


class Payload(NamedTuple):
    """What of a record does not depend on its seq."""

    metadata: bytes
    crc: int
    length: int
    size: int  # of the whole record


class Head(NamedTuple):
    """What a record says of itself before its payload."""

    size: int  # of the head itself, signal included
    length: int  # of the payload
    crc: int  # of the payload
    seq: int
    received_ns: int
    items: int
    flags: int
    signal: str
    metadata_length: int
    calls_length: int

    @property
    def total(self) -> int:
        """Bytes of the whole record."""
        return self.size + self.length


def seal(frame: Frame) -> Payload:
    """The payload's checksum and length: the costly part, for which no seq is needed."""
    metadata = _metadata_encoder.encode(frame.metadata) if frame.metadata else b""
    crc = zlib.crc32(frame.calls, zlib.crc32(frame.body, zlib.crc32(metadata)))
    length = len(metadata) + len(frame.body) + len(frame.calls)
    return Payload(metadata, crc, length, FIXED_SIZE + len(frame.signal.encode()) + length)


def head(frame: Frame, payload: Payload, salt: int = 0) -> bytes:
    """The head of the record. Raises ValueError for a name of a signal that is too long."""
    signal = frame.signal.encode()
    if len(signal) > MAX_SIGNAL:
        raise ValueError(f"expected a signal of at most {MAX_SIGNAL} bytes, saw {frame.signal!r}")
    fields = (
        *(payload.length, payload.crc, frame.seq, frame.received_ns, frame.items, frame.flags),
        *(len(signal), len(payload.metadata), len(frame.calls)),
    )
    checked = _FIXED.pack(b"", 0, *fields)[_CHECKED:] + signal
    return MAGIC + zlib.crc32(checked, salt).to_bytes(4, "little") + checked


def parts(frame: Frame, payload: Payload, salt: int = 0) -> tuple[bytes, ...]:
    """The record in pieces, for one `writev`: the body is not copied."""
    return head(frame, payload, salt), payload.metadata, frame.body, frame.calls


def encode(frame: Frame, salt: int = 0) -> bytes:
    """The record of a frame."""
    return b"".join(parts(frame, seal(frame), salt))


def read_head(data: bytes | memoryview, offset: int = 0, salt: int = 0) -> Head | None:
    """The head that begins at `offset`; None if none does, or not all of it is there."""
    if len(data) < offset + FIXED_SIZE or data[offset : offset + 4] != MAGIC:
        return None
    fields = _FIXED.unpack_from(data, offset)
    _, crc, length, payload_crc, seq, received_ns, items, flags, named, metadata, calls = fields
    end = offset + FIXED_SIZE + named
    if named > MAX_SIGNAL or len(data) < end or metadata + calls > length:
        return None
    if zlib.crc32(data[offset + _CHECKED : end], salt) != crc:
        return None
    signal = bytes(data[offset + FIXED_SIZE : end]).decode(errors="replace")
    return Head(
        *(FIXED_SIZE + named, length, payload_crc, seq, received_ns, items, flags),
        *(signal, metadata, calls),
    )


def intact(head: Head, payload: bytes | memoryview) -> bool:
    """Whether the payload is the one that was written with this head."""
    return len(payload) == head.length and zlib.crc32(payload) == head.crc


def decode(head: Head, payload: bytes | memoryview) -> Frame:
    """The frame of a head and its payload. Raises Corrupt if they do not belong together."""
    if not intact(head, payload):
        raise Corrupt(f"record {head.seq}: its {head.length} bytes do not match their checksum")
    return unpack(head, payload)


def unpack(head: Head, payload: bytes | memoryview) -> Frame:
    """The frame, when the payload is known to be intact."""
    body_at, calls_at = head.metadata_length, head.length - head.calls_length
    metadata = _metadata_decoder.decode(payload[:body_at]) if body_at else ()
    return Frame(
        head.seq,
        head.received_ns,
        head.signal,
        head.flags,
        metadata,
        bytes(payload[body_at:calls_at]),
        bytes(payload[calls_at:]),
        head.items,
    )
