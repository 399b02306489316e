"""OTLP as hypothesis draws it: values, spans and requests, with fields that we do not know."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan import testing
from costspan.model import Value

KEYS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.request.model",
    "http.request.method",
    "window.financial.price_ref",
    "deep.json",
    "prefix.any",
)
UNKNOWN_FIELD = b"\xfa\x3e\x03xyz"  # field 1007, length-delimited: from a later version of OTLP

scalars = st.one_of(
    st.text(max_size=150),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=20),
)
values: st.SearchStrategy[Value] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=12))
ids = st.integers(0, 40).map(lambda n: n.to_bytes(8, "big"))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """A span with any attributes, duplicate keys included, and perhaps an unknown field."""
    made = testing.span(
        trace_id=draw(ids) * 2,
        span_id=draw(ids),
        parent_span_id=draw(st.one_of(st.just(b""), ids)),
        name=draw(st.text(max_size=20)),
        kind=draw(st.integers(0, 5)),
        start_ns=draw(st.integers(0, 2**64 - 1)),
        end_ns=draw(st.integers(0, 2**64 - 1)),
        status=draw(st.integers(0, 2)),
        flags=draw(st.integers(0, 2**32 - 1)),
    )
    for key, value in draw(st.lists(st.tuples(keys, values), max_size=6)):
        made.attributes.extend(testing.key_values({key: value}))
    if draw(st.booleans()):
        made.MergeFromString(UNKNOWN_FIELD)
    return made


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request of several resources and scopes, unknown fields at any level."""
    message = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 3))):
        resource = message.resource_spans.add(schema_url=draw(st.text(max_size=5)))
        if draw(st.booleans()):
            resource.resource.attributes.extend(testing.key_values({"service.name": "a"}))
        for _ in range(draw(st.integers(0, 3))):
            scope = resource.scope_spans.add(spans=draw(st.lists(spans(), max_size=4)))
            if draw(st.booleans()):
                scope.scope.name = draw(st.text(max_size=5))
            if draw(st.booleans()):
                scope.MergeFromString(UNKNOWN_FIELD)
        if draw(st.booleans()):
            resource.MergeFromString(UNKNOWN_FIELD)
    if draw(st.booleans()):
        message.MergeFromString(UNKNOWN_FIELD)
    return message.SerializeToString()
