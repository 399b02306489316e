"""A real library's agent that asks a tool the same again and again: found in what it exports."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from costspan.dialect import DEFAULT_DIMENSIONS, recognise, wanted
from costspan.ledger.rollup import rollup
from costspan.ledger.tree import grow
from costspan.wire import heads, scan, unpack_heads

pytestmark = pytest.mark.slow
REPEATS = 4


def exported() -> bytes:
    """The spans of a run in which the model answers with the same call of a tool each time."""
    from pydantic_ai import Agent, InstrumentationSettings  # noqa: PLC0415  (seconds)
    from pydantic_ai.capabilities import Instrumentation  # noqa: PLC0415
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart  # noqa: PLC0415
    from pydantic_ai.models.function import AgentInfo, FunctionModel  # noqa: PLC0415

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        turn = len(messages) // 2
        last = TextPart("done") if turn == REPEATS else ToolCallPart("search", {"q": "refunds"})
        return ModelResponse(parts=[last])

    def search(q: str) -> str:
        return f"nothing about {q}"

    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    settings = InstrumentationSettings(tracer_provider=provider)
    agent = Agent(FunctionModel(answer), name="planner", capabilities=[Instrumentation(settings)])
    agent.tool_plain(search)
    agent.run_sync("Where is my refund?")
    return encode_spans(spans.get_finished_spans()).SerializeToString()


def test_a_loop_is_found_in_the_spans_of_pydantic_ai() -> None:
    """Its tools name their agent, so they are read by default."""
    request = exported()
    hits = scan(request, wanted(DEFAULT_DIMENSIONS, frozenset()))
    calls = [call for hit in hits if (call := recognise(hit, DEFAULT_DIMENSIONS)) is not None]
    rolled = rollup(calls, [head[1:] for head in unpack_heads(heads(request))])
    assert grow(rolled).repeated_tools == REPEATS - 1
