"""Spans set apart from a request: nothing is lost, moved or changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from costspan import testing, wire
from otlp_strategies import UNKNOWN_FIELD, requests

CHILD = testing.span(span_id=b"\x02" * 8, parent_span_id=b"\x01" * 8)


@given(requests(), st.sets(st.integers(0, 12)))
def test_the_halves_are_the_request_and_split_as_the_heads_say(
    request: bytes, named: set[int]
) -> None:
    """Span by span, with what is around it; the order within a half is that of the request."""
    parents = [head.parent_span_id for head in wire.unpack_heads(wire.heads(request))]
    expected = [n for n, parent in enumerate(parents) if n in named or not any(parent)]
    parts = wire.set_apart(request, named)
    if parts is None:
        assert not expected
        return
    assert list(parts.ordinals) == expected
    every = wire.each(request)
    assert wire.each(parts.apart) == _bare([every[n] for n in expected], request, parts.apart)
    others = [one for n, one in enumerate(every) if n not in expected]
    assert wire.each(parts.rest) == others


def _bare(singles: list[bytes], request: bytes, roots: bytes) -> list[bytes]:
    """Unknown fields of the request itself go with the rest, if there is one."""
    return singles if roots is request else [one.removeprefix(UNKNOWN_FIELD) for one in singles]


def test_a_parent_of_zeros_is_nobody_and_a_trace_state_hides_no_parent() -> None:
    zeros = testing.span(span_id=b"\x03" * 8, parent_span_id=bytes(8))
    stated = testing.span(span_id=b"\x04" * 8, parent_span_id=b"\x01" * 8)
    stated.trace_state = "a=b"
    parts = wire.set_apart(testing.request(CHILD, zeros, stated))
    assert parts is not None
    assert parts.ordinals == (1,)


def test_a_request_of_roots_alone_stays_the_same_object() -> None:
    request = testing.request(testing.span(), testing.span())
    assert wire.set_apart(request) == wire.Apart(b"", request, (0, 1))
    empty = ExportTraceServiceRequest(resource_spans=[ResourceSpans()]).SerializeToString()
    assert wire.set_apart(request + empty) == wire.Apart(b"", request + empty, (0, 1))


def test_other_spans_wait_too_if_they_are_named() -> None:
    """By their ordinals; each half keeps what is around it."""
    other = testing.span(span_id=b"\x03" * 8, parent_span_id=b"\x01" * 8)
    request = testing.request(CHILD, other) + testing.request(CHILD)
    parts = wire.set_apart(request, {1, 2})
    assert parts is not None
    assert (parts.rest, parts.apart) == (
        testing.request(CHILD), testing.request(other) + testing.request(CHILD)
    )  # fmt: skip


def test_a_request_without_roots_is_left_alone() -> None:
    assert wire.set_apart(testing.request(CHILD)) is None
