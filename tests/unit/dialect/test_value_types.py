"""In which types libraries send counts, sums and names: each test is a row, named after who does.

The second table is what they call the providers.
"""

from __future__ import annotations

import json

import pytest

from costspan.model import Value
from hits import call_of

_CHAT: dict[str, Value] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
_CACHED = {"input": 476, "cache_read": 1024, "output": 200}


def test_spring_ai_strings_for_everything() -> None:
    call = call_of(
        {**_CHAT, "gen_ai.usage.input_tokens": "1234", "gen_ai.usage.output_tokens": "56"},
        scope=("org.springframework.boot", "4.0.1"),
    )

    assert call.usage == {"input": 1234, "output": 56}


def test_agentgateway_cost_decimal_strings() -> None:
    call = call_of(
        {**_CHAT, "gen_ai.usage.input_tokens": 100, "agw.ai.usage.cost.total": "0.000250"},
        scope=("agentgateway", "1.4.2"),
    )

    assert call.reported_cost == "250000000000000"


@pytest.mark.parametrize(
    ("sent", "usage"),
    [
        (123, {"input": 123, "output": 7}),
        (123.0, {"input": 123, "output": 7}),
        (float("nan"), {"output": 7}),
    ],
)
def test_javascript_sdks_double_int_or_nan(sent: Value, usage: dict[str, int]) -> None:
    """Version 4 of Vercel's SDK writes NaN where an API stated nothing: that is unknown, not 0."""
    call = call_of(
        {"ai.operationId": "ai.generateText.doGenerate", "ai.usage.promptTokens": sent,
         "ai.usage.completionTokens": 7.0},
        scope=("ai", ""),
    )  # fmt: skip

    assert call.usage == usage


def test_javascript_sdks_half_a_token_is_nonsense() -> None:
    call = call_of({**_CHAT, "gen_ai.usage.input_tokens": 1.5})

    assert call.usage is None
    assert "gen_ai.usage.input_tokens" in call.invalid


def test_mlflow_json_encoded_strings() -> None:
    """A text has quotes of its own, and a dict is a text."""
    call = call_of(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.llm.model": '"gpt-4o"',
            "mlflow.chat.tokenUsage": '{"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}',
        },
        scope=("mlflow.tracing.provider", ""),
    )

    assert (call.operation, call.request_model) == ("chat", "gpt-4o")
    assert call.usage == {"input": 5, "output": 2}


def test_langfuse_json_strings_in_usage_details_and_cost_details() -> None:
    call = call_of(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": '{"input": 476, "input_cache_read": 1024,'
            ' "output": 200}',
            "langfuse.observation.cost_details": '{"total": 0.0042}',
        },
        scope=("langfuse-sdk", "5.0.4"),
    )

    assert call.usage == _CACHED
    assert call.reported_cost == "4200000000000000"


def test_langsmith_details_python_repr() -> None:
    call = call_of(
        {
            **_CHAT,
            "langsmith.span.kind": "llm",
            "gen_ai.usage.input_tokens": 1500,
            "gen_ai.usage.output_tokens": 200,
            "gen_ai.usage.input_token_details": "{'cache_read': 1024, 'note': None}",
        },
        scope=("langsmith", ""),
    )

    assert call.usage == _CACHED


@pytest.mark.parametrize(
    ("scope", "key", "document"),
    [
        ("ai", "ai.response.providerMetadata", {"openai": {"cachedPromptTokens": 1024}}),
        ("logfire.openai", "gen_ai.usage.raw", {"prompt_tokens_details": {"cached_tokens": 1024}}),
    ],
)
def test_vercel_and_logfire_json_strings(scope: str, key: str, document: object) -> None:
    call = call_of(
        {
            **_CHAT,
            "gen_ai.usage.input_tokens": 1500,
            "gen_ai.usage.output_tokens": 200,
            key: json.dumps(document),
        },
        scope=(scope, ""),
    )

    assert call.usage == _CACHED


def test_litellm_hidden_params_json_string() -> None:
    call = call_of(
        {**_CHAT, "gen_ai.usage.input_tokens": 5, "hidden_params": '{"cache_hit": true}'},
        scope=("litellm", ""),
    )

    assert call.gateway == "litellm"


def test_openinference_metadata_json_string() -> None:
    call = call_of(
        {"openinference.span.kind": "LLM", "llm.token_count.prompt": 5,
         "metadata": '{"tenant": "acme", "nested": {"deep": [1, 2]}}'}
    )  # fmt: skip

    assert call.identity.dimensions["tenant"] == "acme"


@pytest.mark.parametrize("key", ["gen_ai.response.finish_reasons", "gen_ai.response.finish_reason"])
@pytest.mark.parametrize("sent", [["stop"], '["stop"]', "stop,tool_calls"])
def test_finish_reasons_array_json_string_or_comma_string(key: str, sent: Value) -> None:
    """Nothing of the price depends on them, in whichever form they come."""
    counted = {**_CHAT, "gen_ai.usage.input_tokens": 5}

    assert call_of({**counted, key: sent}).usage == {"input": 5}


@pytest.mark.parametrize(
    ("sent", "status"), [({"gen_ai.usage.cache_read.input_tokens": 0}, "miss"), ({}, "")]
)
def test_openllmetry_zero_cached_is_a_miss_and_an_absent_key_is_silence(
    sent: dict[str, Value], status: str
) -> None:
    """OpenLLMetry writes 0 where nothing was stated; Pydantic AI and util-genai leave it out."""
    call = call_of(
        {**_CHAT, "gen_ai.usage.input_tokens": 5, **sent},
        scope=("opentelemetry.instrumentation.openai.v1", "0.62.4"),
    )

    assert call.cache_status == status
    assert call.usage == {"input": 5}


_PROVIDERS = {
    "openai": "openai OpenAI openai.chat openai.responses openai.embedding",
    "azure.ai.openai": "az.ai.openai azure azure-openai azure.openai azure-openai.chat",
    "azure.ai.inference": "az.ai.inference microsoft.foundry",
    "anthropic": "Anthropic anthropic.messages vertex.anthropic.messages",
    "aws.bedrock": "AWS bedrock amazon-bedrock bedrock_converse aws amazon_bedrock aws.anthropic",
    "gcp.vertex_ai": "vertex_ai vertexai google_vertex_ai google-vertex google.vertex.chat"
    " gcp.anthropic",
    "gcp.gemini": "gemini Google google google_genai google.generative-ai gcp.gen_ai",
    "x_ai": "xai xai.chat",
    "mistral_ai": "mistral mistralai MistralAI",
    "moonshot_ai": "moonshot",
    "": "strands-agents langchain Langchain crewai gcp.vertex.agent spring_ai agent_framework"
    " pydantic-ai litellm",
}


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [(sent, canonical) for canonical, names in _PROVIDERS.items() for sent in names.split()],
)
@pytest.mark.parametrize("key", ["gen_ai.provider.name", "gen_ai.system"])
def test_providers_have_one_name_and_frameworks_are_none(
    key: str, sent: str, canonical: str
) -> None:
    assert call_of({**_CHAT, key: sent, "gen_ai.usage.input_tokens": 5}).provider == canonical


def test_a_compatible_host_is_not_openai() -> None:
    """Who answers is in the address; an SDK names the API that it was written for."""
    sent: dict[str, Value] = {**_CHAT, "gen_ai.system": "openai", "gen_ai.usage.input_tokens": 5}

    assert call_of({**sent, "server.address": "acme.openai.azure.com"}).provider == (
        "azure.ai.openai"
    )
    assert call_of({**sent, "server.address": "api.groq.com"}).provider == "groq"
