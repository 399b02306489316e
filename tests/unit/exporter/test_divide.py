"""One frame in two: nothing is lost, doubled or moved, and every call stays with its span."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan import wire
from costspan.exporter.divide import divide
from costspan.model import (
    CALL_ROWS,
    LOGS,
    OWN,
    SOLO,
    TRACE_TOTALS,
    Frame,
    decode_calls,
    decode_totals,
    encode_calls,
    encode_totals,
)
from costspan.testing import frame, request, span
from records import call, totals


def spans_of(frame_: Frame) -> list[tuple[str, str]]:
    """Service and name of each span, in document order."""
    message = ExportTraceServiceRequest.FromString(frame_.body)
    return [
        (resource.resource.attributes[0].value.string_value, each.name)
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for each in scope.spans
    ]


def leaves(frame_: Frame, depth: int = 0) -> Iterator[tuple[Frame, int]]:
    halves = divide(frame_)
    if halves is None:
        yield frame_, depth
    else:
        for half in halves:
            yield from leaves(half, depth + 1)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_halving_ends_at_single_spans_in_order_each_with_its_call(sizes: list[int]) -> None:
    """Every second span has a call; resources of any number of spans, also none."""
    bodies = [
        request(*(span(name=f"{r}.{n}") for n in range(size)), service=f"s{r}")
        for r, size in enumerate(sizes)
    ]
    whole = frame(b"".join(bodies), items=sum(sizes))._replace(seq=7)
    names = [name for _, name in spans_of(whole)]
    calls = [call(name=name, ordinal=n) for n, name in enumerate(names) if n % 2]
    whole = whole._replace(calls=encode_calls(calls))

    found = list(leaves(whole))

    parts = [part for part, _ in found]
    assert [one for part in parts for one in spans_of(part)] == spans_of(whole)
    assert all(part.items == wire.count(part.body) <= 1 for part in parts) or not names
    assert {part.seq for part in parts} == {7}
    kept = [(c.name, c.ordinal) for part in parts for c in decode_calls(part.calls)]
    assert kept == [(c.name, 0) for c in calls] or not names
    assert max(depth for _, depth in found) <= max(1, sum(sizes)).bit_length()


def test_fields_that_nobody_knows_are_in_both_halves() -> None:
    body = request(span(name="a"), span(name="b")) + b"\xfa\x3e\x03new"  # field 1007

    halves = divide(frame(body, items=2))

    assert halves is not None
    assert all(b"new" in half.body for half in halves)


@pytest.mark.parametrize(
    "whole",
    [
        frame(request(span(), span()), items=2)._replace(flags=SOLO),
        frame(request(span()), items=1),
        frame(b"", items=0),
        frame(b"\xff\xff", items=2, signal=LOGS),
        frame(b"\xff\xff", items=2, signal=CALL_ROWS),
        frame(request(span(), span()), items=2, calls=b"\xff"),
        frame(b"?", items=2, signal="profiles"),
    ],
    ids=["solo", "one span", "empty", "no request", "no rows", "no calls", "profiles"],
)
def test_what_can_not_be_cut_is_left_alone(whole: Frame) -> None:
    assert divide(whole) is None


def test_rows_of_our_own_are_cut_between_records() -> None:
    calls = [call(name=name) for name in "abc"]
    rows = frame(encode_calls(calls), items=3, signal=CALL_ROWS)._replace(flags=OWN)
    all_totals = [totals(trace_id=bytes([n]) * 16) for n in range(4)]
    sums = frame(encode_totals(all_totals), items=4, signal=TRACE_TOTALS)._replace(flags=OWN)

    parts = [part for part, _ in leaves(rows)]
    assert [c.name for part in parts for c in decode_calls(part.body)] == ["a", "b", "c"]
    parts = [part for part, _ in leaves(sums)]
    assert [t for part in parts for t in decode_totals(part.body)] == all_totals
    assert all(part.items == 1 and part.flags == OWN for part in parts)
