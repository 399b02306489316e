"""The Native format and `wire.block`: bytes that a reader written here takes apart again."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import Undecodable
from costspan.model import Value
from costspan.testing import key_values, request, span
from costspan.wire import native
from costspan.wire.block import block
from costspan.wire.nested import nested
from unit.clickhouse.native_reader import read_block


def attributes_of(body: bytes) -> list[dict[str, str]]:
    return read_block(block([body]))["SpanAttributes"]


@given(st.integers(1 - 10**38, 10**38 - 1))
def test_a_decimal_is_the_integer_itself(attos: int) -> None:
    """Sixteen bytes, little-endian, signed: no digit passes through a float or a context."""
    assert int.from_bytes(native.decimal(attos), "little", signed=True) == attos


@pytest.mark.parametrize("attos", [10**38, -(10**38)])
def test_a_decimal_of_39_digits_is_refused(attos: int) -> None:
    """What Decimal(38) can't hold is an error with a sentence."""
    with pytest.raises(ValueError, match="at most 38 digits"):
        native.decimal(attos)


@given(st.lists(st.one_of(st.none(), st.integers(-(10**30), 10**30))))
def test_null_is_marked_and_not_only_zero(values: list[int | None]) -> None:
    """Of a nullable column the first bytes say which values are unknown."""
    data = native.Amounts().nullable(["" if value is None else str(value) for value in values])

    assert list(data[: len(values)]) == [value is None for value in values]
    assert data[len(values) :] == b"".join(native.decimal(value or 0) for value in values)


@given(st.lists(st.text()))
def test_texts_survive(values: list[str]) -> None:
    """Any text of any length comes back from a String column."""
    out = native.Block(len(values))
    out.add("a", "String", native.texts(values))

    assert read_block(out.encode()) == {"a": values}


flat: st.SearchStrategy[Value] = st.one_of(
    st.text(max_size=300), st.booleans(), st.integers(-(2**63), 2**63 - 1)
)


@given(st.dictionaries(st.text(min_size=1, max_size=200), flat, max_size=8))
def test_flat_attributes_are_their_plain_text(attributes: dict[str, Value]) -> None:
    """Texts bare, integers in digits, booleans as true and false; sliced or decoded, the same."""
    plain: dict[type, Callable[[Any], str]] = {str: str, int: str, bool: lambda x: str(x).lower()}

    assert attributes_of(request(span(attributes))) == [
        {key: plain[type(value)](value) for key, value in attributes.items()}
    ]


@pytest.mark.parametrize("size", [0, 1, *range(121, 129), 16_000, 16_384, 2**21])
def test_a_text_of_any_length_is_whole(size: int) -> None:
    """Where a length grows by a byte, the slices do not slip."""
    assert attributes_of(request(span({"k" * 130: "y" * size, "k": "x" * size}))) == [
        {"k" * 130: "y" * size, "k": "x" * size}
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5e-5, "0.000015"), (1e-7, "1e-7"), (2.0, "2"), (-0.0, "-0"), (1e16, "1" + "0" * 16),
        (1e21, "1e21"), (float("nan"), "nan"), (float("-inf"), "-inf"), (0.1, "0.1"),
        (1.25e-9, "1.25e-9"), (b"\x00\xff", "AP8="), (None, ""), ([], "[]"), ({}, "{}"),
        (["a/\u2028", 1, None, 2.0, b"\xff"], '["a/\\u2028",1,null,2,"/w=="]'),
        ({"b": [True], "a": {"x": None}}, '{"a":{"x":null},"b":[true]}'),
    ],
)  # fmt: skip
def test_other_values_are_written_as_clickhouse_writes_them(value: Value, text: str) -> None:
    """Doubles without a superfluous exponent, bytes as base64, structure as compact JSON."""
    assert attributes_of(request(span({"v": value}))) == [{"v": text}]


def test_of_equal_keys_the_last_wins() -> None:
    """A key that comes twice is there once, with its second value."""
    made = span({"k": "first", "other": 1})
    made.attributes.extend(key_values({"k": "second"}))

    assert attributes_of(request(made)) == [{"k": "second", "other": "1"}]


def test_several_requests_are_one_block_in_order() -> None:
    """Every request keeps its resource and scope; 22 columns."""
    requests = [
        request(span(name="a"), span(name="b"), service="one", scope=("s", "1")),
        request(span(name="c"), service="two", scope=("t", "2"), resource={"n": 5}),
    ]
    columns = read_block(block(requests))

    assert len(columns) == 22
    assert columns["SpanName"] == ["a", "b", "c"]
    assert columns["ServiceName"] == ["one", "one", "two"]
    assert columns["ScopeName"] == ["s", "s", "t"]
    assert columns["ResourceAttributes"][2] == {"service.name": "two", "n": "5"}


def test_no_request_is_a_block_without_rows() -> None:
    """Nothing in, nothing out."""
    assert read_block(block([]))["TraceId"] == []


@pytest.mark.parametrize("width", [0, 5, 8, 16, 20])
def test_ids_are_lower_case_hex_of_any_width(width: int) -> None:
    """Whatever length a client sends; an id of zeros is none where zeros mean none."""
    spans = [span(trace_id=bytes([0xAB] * width)), span(trace_id=bytes(16))]

    assert read_block(block([request(*spans)]))["TraceId"] == ["ab" * width, ""]


def test_odd_clocks_stay_in_the_range_of_the_columns() -> None:
    """An end before the start is a duration of 0; a start after 2100 is set to 2100."""
    columns = read_block(block([request(span(start_ns=2**64 - 1, end_ns=5))]))

    assert columns["Duration"] == [0]
    assert columns["Timestamp"] == [4_102_444_800 * 10**9]


def test_names_of_unknown_kinds_are_empty() -> None:
    """A kind or a code from the future is no error."""
    columns = read_block(block([request(span(kind=77, status=9), span(kind=1, status=2))]))

    assert columns["SpanKind"] == ["", "Internal"]
    assert columns["StatusCode"] == ["", "Error"]


def test_damaged_spans_are_refused() -> None:
    """Bytes that no reader takes are Undecodable, not a row."""
    with pytest.raises(Undecodable):
        block([b"\x0a\x05\x12\x03\x12\x01\xff"])


def test_a_reader_of_native_reads_what_struct_packs() -> None:
    """The reader of these tests is itself checked against bytes made by hand."""
    data = b"\x01\x02\x01a\x06UInt64" + struct.pack("<2Q", 3, 4)

    assert read_block(data) == {"a": [3, 4]}


# --- nested --------------------------------------------------------------------------------------

simple: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.text(), st.booleans(), st.integers(-9, 9), st.floats(), st.binary()
)
structured: st.SearchStrategy[Value] = st.one_of(
    st.dictionaries(st.text(), simple, max_size=2),
    st.lists(st.lists(simple, max_size=2), min_size=1, max_size=2).map(lambda x: [1, *x]),
    st.lists(st.dictionaries(st.text(), simple, max_size=1), min_size=1, max_size=2).map(list),
)
plain_attributes = st.dictionaries(
    st.text(), st.one_of(simple, st.lists(simple, max_size=3)), max_size=4
)


@given(st.lists(plain_attributes, max_size=4))
def test_flat_spans_are_not_nested(attributes: list[dict[str, Value]]) -> None:
    """Scalars and arrays of scalars, in any number of spans, are plain."""
    assert not nested(request(*map(span, attributes)))


@given(st.lists(plain_attributes, max_size=3), structured, st.integers(0, 3), st.integers(0, 3))
def test_one_structured_value_anywhere_is_found(
    attributes: list[dict[str, Value]], value: Value, place: int, position: int
) -> None:
    """In a span, its event, its link or a resource; first, last or in between."""
    spans = [span(fields) for fields in attributes]
    odd = span()
    spans.insert(position, odd)
    entry = key_values({"odd": value})
    resource = {"odd": value} if place == 3 else None
    if place < 3:
        holder = (odd, odd.events.add(), odd.links.add())[place]
        holder.attributes.extend(entry)

    assert nested(request(*spans, resource=resource))
