"""One frame as bytes: the same frame comes back, or none."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.journal import record
from costspan.journal.record import Corrupt
from costspan.model import OWN, SOLO, Frame

FRAMES = st.builds(
    Frame,
    seq=st.integers(0, 2**64 - 1),
    received_ns=st.integers(-(2**63), 2**63 - 1),
    signal=st.text("abcdefghijklmnopqrstuvwxyz_é", max_size=32),
    flags=st.sampled_from([0, SOLO, OWN, SOLO | OWN]),
    metadata=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3).map(tuple),
    body=st.binary(max_size=200),
    calls=st.binary(max_size=40),
    items=st.integers(0, 2**32 - 1),
)
FRAME = Frame(7, 1_700_000_000_000, "traces", SOLO, (("tenant", "a"),), b"body", b"calls", 3)


def read(data: bytes, salt: int = 0) -> Frame | None:
    head = record.read_head(data, 0, salt)
    if head is None:
        return None
    return record.decode(head, data[head.size : head.total])


@given(FRAMES, st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(frame: Frame, salt: int) -> None:
    data = record.encode(frame, salt)
    assert read(data, salt) == frame
    assert len(data) == record.seal(frame).size


@given(st.integers(0, len(record.encode(FRAME)) * 8 - 1))
def test_no_flipped_bit_goes_unnoticed(bit: int) -> None:
    data = bytearray(record.encode(FRAME))
    data[bit // 8] ^= 1 << bit % 8
    with suppress(Corrupt):
        assert read(bytes(data)) is None


@given(st.integers(0, len(record.encode(FRAME)) - 1))
def test_a_record_that_is_cut_short_is_none(length: int) -> None:
    with suppress(Corrupt):
        assert read(record.encode(FRAME)[:length]) is None


def test_a_record_forged_without_the_salt_of_the_file_is_none() -> None:
    assert read(record.encode(FRAME, salt=1), salt=2) is None


def test_a_head_tells_of_its_record_though_the_body_is_damaged() -> None:
    data = bytearray(record.encode(FRAME))
    data[data.index(b"body")] ^= 1
    head = record.read_head(bytes(data))

    assert head is not None
    assert (head.seq, head.signal, head.items, head.total) == (7, "traces", 3, len(data))
    with pytest.raises(Corrupt, match="record 7"):
        read(bytes(data))


def test_the_layout_is_the_one_that_is_documented() -> None:
    """A file of one version is read by the next: the layout may only change with the format."""
    data = record.encode(FRAME._replace(metadata=()))

    assert data[:4] == b"\xf5cjr"
    assert struct.unpack_from("<I", data, 8) == (len(b"bodycalls"),)
    assert struct.unpack_from("<QqIHHII", data, 16) == (7, 1_700_000_000_000, 3, SOLO, 6, 0, 5)
    assert data[record.FIXED_SIZE :] == b"tracesbodycalls"


def test_a_name_of_a_signal_that_would_not_be_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="at most 64 bytes"):
        record.encode(FRAME._replace(signal="x" * 65))
