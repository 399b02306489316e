"""OpenInference: its counts, its kinds, and Nova, which counts in its own way."""

from __future__ import annotations

import pytest

from costspan.dialect import DEFAULT_DIMENSIONS, recognise
from costspan.model import AGGREGATE, LEAF, TOKEN_COUNTER, Value
from hits import call_of, hit

LLM: dict[str, Value] = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "claude-sonnet-4-5",
    "llm.provider": "anthropic",
    "llm.token_count.prompt": 1754,
    "llm.token_count.completion": 561,
    "llm.token_count.total": 2315,
}
ANTHROPIC = ("openinference.instrumentation.anthropic", "3.1.0")


def test_anthropic_write() -> None:
    """Its own test: 21 + 1733 written, 561 out."""
    call = call_of({**LLM, "llm.token_count.prompt_details.cache_write": 1733}, scope=ANTHROPIC)

    assert (call.dialect, call.operation, call.provider) == ("openinference", "chat", "anthropic")
    assert (
        call.convention,
        call.decided_by,
        call.cache_status,
    ) == ("inclusive", "emitter", "write")
    assert call.usage == {"input": 21, "cache_write_5m": 1733, "output": 561}


def test_anthropic_read() -> None:
    """The second call of the same test reads what the first wrote."""
    call = call_of({**LLM, "llm.token_count.prompt_details.cache_read": 1733}, scope=ANTHROPIC)

    assert call.usage == {"input": 21, "cache_read": 1733, "output": 561}
    assert call.cache_status == "hit"


def test_envoys_spelling_of_a_cache_write() -> None:
    call = call_of(
        {**LLM, "llm.token_count.prompt_details.cache_creation": 1733},
        scope=("envoyproxy/ai-gateway", ""),
    )

    assert call.usage == {"input": 21, "cache_write_5m": 1733, "output": 561}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("bedrock.invoke_model", "exclusive"),
        ("bedrock.invoke_model_with_response_stream", "exclusive"),
        ("bedrock.converse", "inclusive"),
        ("bedrock.converse_stream", "inclusive"),
    ],
)
def test_nova_is_exclusive_only_when_invoked_raw(span: str, expected: str) -> None:
    """Bedrock 0.1.61: InvokeModel passes cacheReadInputTokenCount on, Converse folds it in."""
    call = call_of(
        {
            **LLM,
            "llm.provider": "aws",
            "llm.model_name": "us.amazon.nova-pro-v1:0",
            "llm.token_count.prompt_details.cache_read": 700,
        },
        scope=("openinference.instrumentation.bedrock", "0.1.61"),
        name=span,
    )

    assert (expected, "emitter") == (call.convention, call.decided_by)


def test_claude_invoked_raw_is_inclusive() -> None:
    call = call_of(
        {**LLM, "llm.provider": "aws", "llm.token_count.prompt_details.cache_read": 700},
        scope=("openinference.instrumentation.bedrock", "0.1.61"),
        name="bedrock.invoke_model",
    )

    assert call.convention == "inclusive"


def test_vertexai_hides_thoughts_in_the_total() -> None:
    call = call_of(
        {**LLM, "llm.token_count.total": 2400}, scope=("openinference.instrumentation.vertexai", "")
    )

    assert call.usage == {"input": 1754, "output": 646, "reasoning": 85}


@pytest.mark.parametrize(
    ("kind", "role", "operation"),
    [
        ("LLM", LEAF, "chat"),
        ("EMBEDDING", LEAF, "embeddings"),
        ("RERANKER", LEAF, "rerank"),
        ("AGENT", AGGREGATE, "invoke_agent"),
        ("CHAIN", AGGREGATE, "chain"),
        ("TOOL", AGGREGATE, "execute_tool"),
        ("RETRIEVER", AGGREGATE, "retrieval"),
        ("TOKEN_COUNTER", TOKEN_COUNTER, "count_tokens"),
    ],
)
def test_the_kind_decides_what_is_billed(kind: str, role: str, operation: str) -> None:
    call = call_of({**LLM, "openinference.span.kind": kind})

    assert (role, operation, role == LEAF) == (call.role, call.operation, call.billed)


def test_the_same_span_in_two_conventions_is_counted_once() -> None:
    """openinference-instrumentation-pydantic-ai 0.1.30 rewrites gen_ai.* beside the original."""
    call = call_of(
        {
            **LLM,
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 1754,
            "gen_ai.usage.output_tokens": 561,
        },
        scope=("pydantic-ai", "2.68.0"),
    )

    assert call.usage == {"input": 1754, "output": 561}
    assert call.dialect == "pydantic_ai"


def test_a_crew_that_has_only_a_total_is_unknown_usage() -> None:
    """Crewai 1.1.21: Crew.kickoff carries llm.token_count.total alone; it can't be split."""
    call = call_of({"openinference.span.kind": "CHAIN", "llm.token_count.total": 900})

    assert (call.role, call.usage, call.billed) == (AGGREGATE, None, False)


def test_a_kind_without_usage_or_name_is_of_no_concern() -> None:
    assert recognise(hit({"openinference.span.kind": "LLM"}), DEFAULT_DIMENSIONS) is None


def test_names_of_embedding_models_are_models() -> None:
    call = call_of(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.model_name": "text-embedding-3-small",
            "llm.token_count.prompt": 12,
        }
    )

    assert call.request_model == "text-embedding-3-small"
    assert call.usage == {"input": 12}
    assert "gen_ai.usage.output_tokens" not in call.missing


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"id":"msg_01Xy-z","container":null,"content":[]}', "msg_01Xy-z"),
        ('{"id": "chatcmpl-9", "choices": []}', "chatcmpl-9"),
        ('{"id":"resp_a1","object":"response","output":"' + "x" * 5_000 + '"}', "resp_a1"),
        ('{"choices": [{"id":"chatcmpl-9"}]}', ""),  # not the id of the whole
        ('{"id":"7","name":"what the model was asked to answer in JSON"}', ""),
        ("The id is msg_01.", ""),
        ("", ""),
    ],
)
def test_the_response_id_is_read_from_the_answer(answer: str, expected: str) -> None:
    """Only one of the provider's own: a model that answers in JSON must not make two calls one."""
    assert call_of({**LLM, "output.value": answer}).response_id == expected


def test_an_id_under_its_own_key_goes_before_the_answers() -> None:
    values: dict[str, Value] = {"gen_ai.response.id": "msg_1", "output.value": '{"id":"msg_2"}'}

    assert call_of({**LLM, **values}).response_id == "msg_1"


ANTHROPIC_ANSWER = (
    '{"id":"msg_1","content":[],"usage":{"input_tokens":21,"cache_creation_input_tokens":1733,'
    '"cache_creation":{"ephemeral_1h_input_tokens":1000,"ephemeral_5m_input_tokens":733},'
    '"service_tier":"priority","inference_geo":"us","speed":"fast"}}'
)


def test_an_anthropic_answer_says_tier_speed_place_and_lifetime() -> None:
    """No key has them: anthropic 3.1.0 _utils.py leaves the split by lifetime to the answer."""
    call = call_of(
        {
            **LLM,
            "llm.token_count.prompt": 1754,
            "llm.token_count.completion": 5,
            "llm.token_count.prompt_details.cache_write": 1733,
            "output.value": ANTHROPIC_ANSWER,
        }
    )

    assert call.usage == {
        "input": 21,
        "cache_write_5m": 733,
        "cache_write_1h": 1000,
        "output": 5,
    }
    assert call.context == {"tier": "priority", "speed": "fast", "geo": "us"}


@pytest.mark.parametrize(
    ("answer", "context"),
    [
        ('{"id":"chatcmpl-1","service_tier":"flex","usage":{"prompt_tokens":5}}', {"tier": "flex"}),
        ('{"id":"resp_1","service_tier":"default","usage":null}', {"tier": "default"}),
        ('{"id":"ticket-7","service_tier":"priority"}', {}),  # the model was asked for JSON
        ('{"id":"msg_1","usage":{"service_tier":7}}', {}),
        ('{"id":"msg_1","service_tier":"flex", cut', {}),
        ("__REDACTED__", {}),
    ],
)
def test_a_tier_is_read_only_from_an_answer_of_the_providers_making(
    answer: str, context: dict[str, str]
) -> None:
    assert call_of({**LLM, "output.value": answer}).context == context


def test_the_tier_that_served_goes_before_the_one_that_was_asked_for() -> None:
    values: dict[str, Value] = {
        "llm.invocation_parameters": '{"service_tier": "flex"}',
        "output.value": '{"id":"chatcmpl-1","service_tier":"default"}',
    }

    assert call_of({**LLM, **values}).context == {"tier": "default"}


def test_a_call_that_failed_is_a_call_of_unknown_usage() -> None:
    """In openai 0.1.66: model, arguments and an exception event; neither counts nor an end."""
    failed: dict[str, Value] = {"llm.model_name": "gpt-4o", "openinference.span.kind": "LLM"}
    call = call_of(failed, status=2)

    assert (call.role, call.usage, call.billed_reason) == (LEAF, None, "no_usage")


def test_a_span_that_only_prepares_a_call_is_none() -> None:
    """In llama-index 4.6.1: `_prepare_chat_with_tools` has the kind LLM and a model, no answer."""
    prepared: dict[str, Value] = {"llm.model_name": "gpt-4o", "openinference.span.kind": "LLM"}

    assert recognise(hit(prepared), DEFAULT_DIMENSIONS) is None


def test_an_answer_without_usage_is_a_call_of_unknown_usage() -> None:
    """A chain that repeats how its model ended is none."""
    silent: dict[str, Value] = {"llm.model_name": "gpt-4o", "llm.finish_reason": "stop"}
    call = call_of({**silent, "openinference.span.kind": "LLM"})

    assert (call.role, call.usage, call.billed_reason) == (LEAF, None, "no_usage")
    assert (
        recognise(hit({**silent, "openinference.span.kind": "CHAIN"}), DEFAULT_DIMENSIONS) is None
    )
