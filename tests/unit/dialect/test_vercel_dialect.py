"""Vercel's AI SDK: roots and calls, who counts how by release and provider, names."""

from __future__ import annotations

import json
import math

import pytest

from costspan.dialect import DEFAULT_DIMENSIONS
from costspan.model import AGGREGATE, LEAF, Value
from hits import call_of

AI = ("ai", "")
CLAUDE: dict[str, Value] = {
    "ai.operationId": "ai.streamText.doStream",
    "ai.model.provider": "anthropic.messages",
    "ai.model.id": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 5000,
    "gen_ai.usage.output_tokens": 70,
    "ai.usage.cachedInputTokens": 1000,
}
BESIDE = {"input": 5000, "cache_read": 1000, "output": 70}
INSIDE = {"input": 4000, "cache_read": 1000, "output": 70}
SIX = {"ai.request.headers.user-agent": "my-app/2 ai/6.0.324"}


def metadata(**providers: object) -> dict[str, Value]:
    return {"ai.response.providerMetadata": json.dumps(providers)}


@pytest.mark.parametrize(
    "operation", ["generateText", "streamText", "generateObject", "streamObject", "embedMany"]
)
def test_a_root_repeats_its_calls(operation: str) -> None:
    call = call_of({"ai.operationId": f"ai.{operation}", "ai.usage.promptTokens": 5}, scope=AI)

    assert (call.role, call.billed, call.billed_reason) == (AGGREGATE, False, "not_inference")


@pytest.mark.parametrize(
    ("operation", "meant"),
    [
        ("ai.generateText.doGenerate", "chat"),
        ("ai.streamObject.doStream", "chat"),
        ("ai.embed.doEmbed", "embeddings"),
        ("ai.embedMany.doEmbed", "embeddings"),
    ],
)
def test_the_request_below_it_is_the_call(operation: str, meant: str) -> None:
    """Its embeddings have one count under a name of their own."""
    call = call_of({"ai.operationId": operation, "ai.usage.tokens": 5}, scope=AI)

    assert (call.role, call.operation, call.usage) == (LEAF, meant, {"input": 5})


@pytest.mark.parametrize("operation", ["ai.generateSpeech", "ai.transcribe"])
def test_audio_has_no_span_but_the_root(operation: str) -> None:
    """@ai-sdk/otel 1.0.173, onAudioOperationEnd: usage goes to the root span."""
    call = call_of(
        {"gen_ai.operation.name": operation, "gen_ai.usage.input_tokens": 5}, scope=("gen_ai", "")
    )

    assert (call.role, call.billed) == (LEAF, True)


@pytest.mark.parametrize(
    ("more", "usage", "step"),
    [
        ({}, BESIDE, "emitter"),  # 4, and streams of 5
        ({"ai.request.headers.user-agent": "ai/5.0.277"}, BESIDE, "emitter"),
        (SIX, INSIDE, "emitter"),
        ({"ai.usage.inputTokenDetails.noCacheTokens": 4000}, INSIDE, "explicit_split"),
        (metadata(anthropic={"usage": {"input_tokens": 4000}}), INSIDE, "raw_input"),
        # a provider package of 5 under 6, which passes on what it counted
        ({**SIX, **metadata(anthropic={"usage": {"input_tokens": 5000}})}, BESIDE, "raw_input"),
    ],
)
def test_claudes_input_by_release(more: dict[str, Value], usage: dict[str, int], step: str) -> None:
    """The scope has no version; what else a span says of its library or of the API decides."""
    call = call_of({**CLAUDE, **more}, scope=AI)

    assert (call.usage, call.decided_by) == (usage, step)


@pytest.mark.parametrize("provider", ["amazon-bedrock", "gateway", "google.vertex.anthropic"])
def test_claude_elsewhere_is_counted_like_claude(provider: str) -> None:
    call = call_of({**CLAUDE, "ai.model.provider": provider}, scope=AI)

    assert call.usage == BESIDE


def test_openai_counts_inside() -> None:
    call = call_of({**CLAUDE, "ai.model.provider": "openai.chat", "ai.model.id": "gpt-5"}, scope=AI)

    assert (call.usage, call.provider) == (INSIDE, "openai")


def test_a_tracer_of_the_application_changes_nothing() -> None:
    """`experimental_telemetry.tracer` gives the spans any scope; their keys are Vercel's."""
    call = call_of(CLAUDE, scope=("my-tracer", "3"))

    assert (call.usage, call.dialect) == (BESIDE, "vercel")


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("anthropic", {"cacheReadInputTokens": 1000, "cacheCreationInputTokens": 0}),
        ("bedrock", {"usage": {"cacheReadInputTokens": 1000, "cacheWriteInputTokens": None}}),
    ],
)
def test_what_4_says_of_the_cache_stands_in_the_metadata(
    provider: str, said: dict[str, object]
) -> None:
    """JavaScript writes NaN as null."""
    values = {key: value for key, value in CLAUDE.items() if key != "ai.usage.cachedInputTokens"}
    call = call_of({**values, **metadata(**{provider: said})}, scope=AI)

    assert (call.usage, call.cache_status) == (BESIDE, "hit")


def test_openais_cached_tokens_of_4_are_inside() -> None:
    """@ai-sdk/openai 1.3.24."""
    call = call_of(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "openai.chat",
            "ai.usage.promptTokens": 5000,
            "ai.usage.completionTokens": 70,
            **metadata(openai={"cachedPromptTokens": 1000, "reasoningTokens": 64}),
        },
        scope=AI,
    )

    assert call.usage == {**INSIDE, "reasoning": 64}


def test_usage_that_never_came_is_unknown() -> None:
    """In 4.3.19, stream-text.ts, a stream begins with NaN in both counts."""
    call = call_of(
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.usage.promptTokens": math.nan,
            "ai.usage.completionTokens": math.nan,
            "gen_ai.usage.input_tokens": math.nan,
            "gen_ai.usage.output_tokens": math.nan,
        },
        scope=AI,
    )

    assert (call.usage, call.invalid, call.billed_reason) == (None, "", "no_usage")


@pytest.mark.parametrize(
    ("more", "output"),
    [
        # 5: candidatesTokenCount, and Google's total
        ({"ai.usage.totalTokens": 5600}, 600),
        # 6, streamObject: the SDK's own sum
        ({"ai.usage.totalTokens": 5200}, 200),
        ({"ai.usage.totalTokens": 5200, **SIX}, 200),
    ],
)
def test_googles_thoughts_by_release(more: dict[str, Value], output: int) -> None:
    """Beside the output in 5, inside in 6; only the total tells where no version stands."""
    call = call_of(
        {
            "ai.operationId": "ai.streamObject.doStream",
            "ai.model.provider": "google.generative-ai",
            "ai.model.id": "gemini-2.5-flash",
            "ai.usage.inputTokens": 5000,
            "ai.usage.outputTokens": 200,
            "ai.usage.reasoningTokens": 150 if output == 200 else 400,
            **more,
        },
        scope=AI,
    )

    assert call.usage is not None
    assert call.usage["output"] == output


def test_names_come_from_what_the_application_told_the_sdk() -> None:
    call = call_of(
        {
            **CLAUDE,
            "ai.telemetry.functionId": "summarise",
            "ai.telemetry.metadata.userId": "u-1",
            "ai.telemetry.metadata.sessionId": "s-1",
            "ai.telemetry.metadata.team": "search",
        },
        scope=AI,
        dimensions=DEFAULT_DIMENSIONS,
    )
    who = call.identity

    assert (who.agent, who.user, who.session) == ("summarise", "u-1", "s-1")
    assert who.dimensions["team"] == "search"


def test_the_tier_that_served_is_read_from_the_metadata() -> None:
    call = call_of({**CLAUDE, **metadata(anthropic={"usage": {"service_tier": "priority"}})})

    assert call.context["tier"] == "priority"


def test_7_counts_inside_for_every_provider() -> None:
    """@ai-sdk/otel: official keys, official meaning, a scope without a version."""
    call = call_of(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.input_tokens": 5000,
            "gen_ai.usage.cache_read.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 70,
        },
        scope=("gen_ai", ""),
    )

    assert (call.usage, call.decided_by) == (INSIDE, "emitter")
