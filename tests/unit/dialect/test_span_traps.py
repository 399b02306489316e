"""Double counting that one span shows: what it is (T1, T2, T10), what it says (T8, T13, T14).

What a trace shows (T1 to T7, T9 to T12) is in `unit/ledger/test_billing_traps.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from costspan.clock import SystemClock
from costspan.journal.memory import MemoryJournal
from costspan.model import AGGREGATE, METRICS, TOKEN_COUNTER, ReaderSpec, Value
from costspan.pipeline import Meter, Pipeline
from costspan.telemetry import Telemetry
from hits import call_of, small_pricer

GENAI = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
OLDER = {"gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 10}
OPENINFERENCE = {"llm.token_count.prompt": 100, "llm.token_count.completion": 10}
VERCEL = {"ai.usage.inputTokens": 100, "ai.usage.outputTokens": 10}
DETAILS = {"gen_ai.usage.details.cache_read_tokens": 80}
CACHED = {"gen_ai.usage.cache_read.input_tokens": 80}


@pytest.mark.parametrize(
    ("scope", "name", "said"),
    [
        ("strands.telemetry.tracer", "invoke_agent a", {"gen_ai.operation.name": "invoke_agent"}),
        ("agent_framework", "invoke_agent a", {"gen_ai.operation.name": "invoke_agent"}),
        ("gen_ai", "invoke_agent gpt-4o", {"gen_ai.operation.name": "invoke_agent"}),
        ("gen_ai", "step 1", {"gen_ai.operation.name": "agent_step"}),
        ("pydantic-ai", "agent run", {"agent_name": "a"}),
        ("openlit.instrumentation.smolagents", "step", {"gen_ai.operation.name": "invoke_agent"}),
        ("openinference.instrumentation.smolagents", "run", {"openinference.span.kind": "AGENT"}),
        ("opentelemetry.instrumentation.crewai", "a.agent", {"traceloop.span.kind": "agent"}),
        ("github.copilot", "invoke_agent", {"gen_ai.operation.name": "invoke_agent"}),
        ("langchain_azure_ai", "invoke_agent a", {"gen_ai.operation.name": "invoke_agent"}),
        ("opentelemetry.instrumentation.ag2", "c", {"gen_ai.operation.name": "conversation"}),
        ("@mastra/otel-exporter", "agent: a", {"gen_ai.operation.name": "agent.run"}),
        ("sentry", "invoke_agent a", {"gen_ai.operation.type": "agent"}),
    ],
)
def test_t1_an_agent_s_span_with_the_keys_of_a_call_is_none(
    scope: str, name: str, said: Mapping[str, Value]
) -> None:
    call = call_of(
        {**GENAI, "gen_ai.request.model": "gpt-4o", **said}, scope=(scope, ""), name=name
    )

    assert (call.role, call.billed) == (AGGREGATE, False)


@pytest.mark.parametrize("root", ["ai.generateText", "ai.streamText", "ai.generateObject"])
def test_t2_a_root_of_vercel_s_is_no_call(root: str) -> None:
    call = call_of({**VERCEL, "ai.operationId": root, "ai.model.id": "gpt-4o"}, scope=("ai", ""))

    assert (call.role, call.billed) == (AGGREGATE, False)


@pytest.mark.parametrize(
    "said",
    [
        {"gen_ai.operation.name": "count_tokens"},
        {"gen_ai.operation.name": "tokenize"},
        {"openinference.span.kind": "TOKEN_COUNTER"},
    ],
)
def test_t10_a_counter_of_tokens_never_bills(said: Mapping[str, Value]) -> None:
    call = call_of({"gen_ai.usage.input_tokens": 100, **said})

    assert (call.role, call.billed, call.billed_reason) == (
        TOKEN_COUNTER,
        False,
        "token_counter",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (GENAI, OLDER),  # Strands
        (GENAI, OPENINFERENCE),  # OpenInference's Pydantic AI, its converter of Vercel's spans
        (GENAI, VERCEL),  # Vercel 4 to 6
        (GENAI | CACHED, DETAILS),  # Pydantic AI
        (OPENINFERENCE, VERCEL),
    ],
    ids=["strands", "openinference", "vercel", "pydantic", "both converted"],
)
def test_t8_two_families_on_one_span_are_one_count(
    one: Mapping[str, Value], other: Mapping[str, Value]
) -> None:
    assert call_of({**one, **other}).usage == call_of(one).usage


def test_t8_of_two_families_that_differ_the_newest_is_believed_and_gaps_are_filled() -> None:
    """An application wrote one, its instrumentation the other."""
    call = call_of({**GENAI, **OPENINFERENCE, "llm.token_count.prompt": 70,
                    "llm.token_count.prompt_details.cache_read": 40})  # fmt: skip

    assert call.usage == {"input": 60, "cache_read": 40, "output": 10}


def test_t13_usage_that_an_sdk_cut_off_is_unknown_and_not_nothing() -> None:
    """128 attributes of messages, and the counts after them are gone."""
    messages: dict[str, Value] = {
        f"llm.input_messages.{n}.message.content": "..." for n in range(128)
    }
    call = call_of({**messages, "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o",
                    "llm.response.model_name": "gpt-4o"})  # fmt: skip

    assert (call.usage, call.billed, call.billed_reason) == (None, False, "no_usage")


def test_t13_a_count_of_which_half_is_cut_off_bills_the_half_that_is_there() -> None:
    call = call_of({"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100})

    assert (call.usage, call.billed) == ({"input": 100}, True)
    assert "gen_ai.usage.output_tokens" in call.missing


def test_t14_metrics_with_the_same_tokens_are_forwarded_and_never_priced() -> None:
    body = ExportMetricsServiceRequest()
    metric = body.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name = "gen_ai.client.token.usage"
    point = metric.histogram.data_points.add(sum=1000.0, count=1)
    model = point.attributes.add(key="gen_ai.request.model")
    model.value.string_value = "gpt-4o"
    telemetry, clock = Telemetry(), SystemClock()
    reader = ReaderSpec("otlp", frozenset({METRICS}), "backpressure")
    journal = MemoryJournal([reader], 1 << 20, telemetry, clock)
    Pipeline(journal, Meter.by(small_pricer()), telemetry, clock).accept(
        METRICS, body.SerializeToString(), (), "http"
    )
    (frame,) = journal.read("otlp", 1 << 20, 0)

    assert (frame.body, frame.calls) == (body.SerializeToString(), b"")
