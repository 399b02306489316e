"""What every wire promises, held against a full decode: same reading, same meaning, nothing lost.

A compiled twin of `scan`, `splice` and `heads` joins by adding itself to WIRES.
"""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan import testing
from costspan import wire as plain_python
from costspan.errors import Undecodable
from costspan.model import OTHER, Value, Wanted
from costspan.wire.values import any_value, encode_attribute
from otlp_strategies import requests, spans

WIRES = [plain_python]


@pytest.fixture(scope="module", params=WIRES, ids=lambda wire: str(wire.__name__))
def wire(request: pytest.FixtureRequest) -> ModuleType:
    module: ModuleType = request.param
    return module


WANTED = Wanted(
    markers=(b"gen_ai.", b"prefix."),
    keys=frozenset({"gen_ai.usage.input_tokens", "gen_ai.request.model", "deep.json"}),
    prefixes=("prefix.",),
    long_keys=frozenset({"deep.json"}),
    resource_keys=frozenset({"service.name"}),
    own_keys=frozenset({"window.financial.price_ref"}),
)


def decoded(request: bytes) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(request)


def all_spans(request: bytes) -> list[Span]:
    return [
        span
        for resource in decoded(request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def naive_values(span: Span) -> dict[str, Value]:
    """What a full decode says of the wanted keys; the last of equal keys wins."""
    found: dict[str, Value] = {}
    for kv in span.attributes:
        if kv.key in WANTED.keys | WANTED.own_keys or kv.key.startswith("prefix."):
            found[kv.key] = any_value(kv.value)
    return found


def test_a_key_with_a_condition_is_read_where_it_holds_however_long(wire: ModuleType) -> None:
    """Neither where another value stands nor where none does."""
    asked = WANTED._replace(conditional=(("gen_ai.request.model", "tool", "input"),))
    models: list[dict[str, Value]] = [
        {"gen_ai.request.model": "tool"},
        {"gen_ai.request.model": "gpt"},
        {"gen_ai.usage.input_tokens": 7},
    ]
    body = testing.request(*(testing.span({"input": "x" * 9000, **said}) for said in models))
    read = [hit.values.get("input") for hit in wire.scan(body, asked)]
    assert read == ["x" * 9000, None, None]
    (without,) = wire.scan(testing.request(testing.span(models[0])), asked)
    assert without.values == models[0]


def test_unknown_keys_of_a_namespace_are_handed_over_by_name_up_to_a_number(
    wire: ModuleType,
) -> None:
    """Beyond it as one; what is familiar, indexed or of another namespace is not."""
    asked = WANTED._replace(namespaces=("gen_ai.",), familiar=("gen_ai.input.",))
    strange: dict[str, Value] = {f"gen_ai.strange_{number}": number for number in range(70)}
    plain: dict[str, Value] = {
        "gen_ai.input.messages": "[]",
        "gen_ai.prompt.0.content": "hi",
        "other.key": 1,
    }
    made = testing.span({**strange, **plain, "gen_ai.request.model": "m"})
    hits = wire.scan(testing.request(made), asked)

    seen = hits[0].values.keys()

    assert seen - strange.keys() == {OTHER, "gen_ai.request.model"}
    assert len(seen & strange.keys()) == 64


@given(requests())
def test_scan_reads_what_a_full_decode_reads(wire: ModuleType, request_: bytes) -> None:
    hits = {hit.ordinal: hit for hit in wire.scan(request_, WANTED)}

    for ordinal, span in enumerate(all_spans(request_)):
        raw = span.SerializeToString()
        if b"gen_ai." in raw or b"prefix." in raw:
            expected = naive_values(span)
            seen = hits.get(ordinal)
            assert ({**seen.values, **seen.own} if seen else {}) == expected
            if seen:
                assert (seen.trace_id, seen.span_id) == (span.trace_id, span.span_id)
                assert (seen.start_ns, seen.end_ns) == (
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                )
                assert (seen.name, seen.kind, seen.status) == (
                    span.name,
                    span.kind,
                    span.status.code,
                )
        else:
            assert ordinal not in hits


@given(requests(), st.data())
def test_splice_appends_exactly_what_was_asked_and_keeps_everything_else(
    wire: ModuleType, request_: bytes, data: st.DataObject
) -> None:
    total = wire.count(request_)
    chosen = data.draw(st.sets(st.integers(0, total - 1)) if total else st.just(set[int]()))
    added = encode_attribute("window.financial.total_cost", 0.25)

    result = wire.splice(request_, dict.fromkeys(chosen, added))

    expected = decoded(request_)
    for ordinal, span in enumerate(
        s for r in expected.resource_spans for c in r.scope_spans for s in c.spans
    ):
        if ordinal in chosen:
            span.attributes.extend(testing.key_values({"window.financial.total_cost": 0.25}))
    assert decoded(result).SerializeToString(deterministic=True) == expected.SerializeToString(
        deterministic=True
    )


@given(requests())
def test_with_nothing_to_add_the_same_object_leaves(wire: ModuleType, request_: bytes) -> None:
    assert wire.splice(request_, {}) is request_
    assert wire.splice(request_, {0: b""}) is request_


@given(requests())
def test_heads_are_those_of_a_full_decode_in_document_order(
    wire: ModuleType, request_: bytes
) -> None:
    expected = [
        (s.trace_id, s.span_id, s.start_time_unix_nano, s.end_time_unix_nano, s.flags, s.kind)
        for s in all_spans(request_)
    ]

    found = list(wire.unpack_heads(wire.heads(request_)))

    assert [
        (h.trace_id, h.span_id, h.start_ns, h.end_ns, h.flags, h.kind) for h in found
    ] == expected
    assert len(wire.heads(request_)) == 80 * wire.count(request_)


@given(requests(), st.integers(1, 400))
def test_pieces_hold_every_span_once_in_order_under_its_own_resource(
    wire: ModuleType, request_: bytes, max_bytes: int
) -> None:
    def with_context(request: bytes) -> list[tuple[bytes, bytes, bytes]]:
        return [
            (
                resource.resource.SerializeToString(),
                scope.scope.SerializeToString(),
                span.SerializeToString(),
            )
            for resource in decoded(request).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    pieces = wire.cut(request_, max_bytes)

    assert [part for piece in pieces for part in with_context(piece)] == with_context(request_)


@given(st.lists(spans(), min_size=2, max_size=30))
def test_pieces_stay_within_the_limit_unless_one_span_alone_is_above_it(
    wire: ModuleType, drawn: list[Span]
) -> None:
    request_ = testing.request(*drawn)
    frame = len(testing.request()) + 20  # resource, scope and the lengths around them
    limit = max(span.ByteSize() for span in drawn) + frame + 40

    assert all(len(piece) <= limit for piece in wire.cut(request_, limit))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_either_read_or_called_undecodable(
    wire: ModuleType, data: bytes
) -> None:
    try:
        wire.count(data)
    except Undecodable:
        return
    wire.scan(data, WANTED)
    wire.cut(data, 50)
    wire.splice(data, {0: encode_attribute("a", "b")})
    if wire.readable(data):
        wire.heads(data)


@given(
    st.text(min_size=1),
    st.one_of(
        st.text(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
    ),
)
def test_an_encoded_attribute_decodes_to_itself(key: str, value: str | bool | float) -> None:  # noqa: FBT001  drawn by hypothesis
    span = Span.FromString(encode_attribute(key, value))
    expected = KeyValue(key=key, value=testing.any_value(value))

    assert list(span.attributes) == [expected]
