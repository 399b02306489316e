"""What an SDK's limits took away is noted, so that somebody can be told which limit it was."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan import wire
from costspan.dialect import DEFAULT_DIMENSIONS, recognise, wanted
from costspan.model import Value
from costspan.testing import request, span
from hits import call_of

_USAGE = "metadata.usage_object"
_CALL: Mapping[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 10,
}


def test_json_that_ends_in_the_middle_is_named() -> None:
    whole = "{'completion_tokens': 200, 'prompt_tokens_details': {'cached_tokens': 1024}}"

    assert call_of({**_CALL, _USAGE: whole[:40]}).cut == (_USAGE,)
    assert call_of({**_CALL, _USAGE: whole}).cut == ()
    assert call_of({**_CALL, _USAGE: "no JSON"}).cut == ()


def test_dropped_attributes_are_counted() -> None:
    """`dropped_attributes_count` of the span, as its SDK wrote it."""
    message = ExportTraceServiceRequest.FromString(request(span(_CALL)))
    message.resource_spans[0].scope_spans[0].spans[0].dropped_attributes_count = 17
    (hit,) = wire.scan(message.SerializeToString(), wanted(DEFAULT_DIMENSIONS, frozenset()))
    call = recognise(hit, DEFAULT_DIMENSIONS)

    assert call is not None
    assert call.dropped == 17
