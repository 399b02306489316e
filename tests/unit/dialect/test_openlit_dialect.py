"""OpenLIT: each of its packages counts in its own way, and its frameworks repeat what they call."""

from __future__ import annotations

import pytest

from costspan.model import AGGREGATE, LEAF, Value
from hits import call_of

CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 3000,
    "gen_ai.usage.output_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 1000,
}


@pytest.mark.parametrize(
    ("package", "provider", "fresh"),
    [
        ("anthropic", "anthropic", 3000),
        ("bedrock", "aws.bedrock", 3000),
        ("langchain", "anthropic", 2000),
        ("litellm", "litellm", 2000),
        ("claude_agent_sdk", "anthropic", 2000),
        ("openai", "openai", 2000),
        ("a_package_of_tomorrow", "anthropic", 2000),
    ],
)
def test_the_package_says_how_it_counts(package: str, provider: str, fresh: int) -> None:
    """Scope names as 1.45.1 sends them: the provider alone would be wrong for LangChain."""
    call = call_of(
        {**CHAT, "gen_ai.provider.name": provider}, scope=(f"openlit.instrumentation.{package}", "")
    )

    assert call.usage == {"input": fresh, "cache_read": 1000, "output": 100}
    assert (call.dialect, call.decided_by) == ("openlit", "emitter")


@pytest.mark.parametrize(("provider", "fresh"), [("anthropic", 3000), ("openai", 2000)])
def test_packages_of_one_scope_are_told_apart_by_the_provider(provider: str, fresh: int) -> None:
    """1.33: openlit.otel.tracing."""
    call = call_of({**CHAT, "gen_ai.provider.name": provider}, scope=("openlit.otel.tracing", ""))

    assert call.usage == {"input": fresh, "cache_read": 1000, "output": 100}


@pytest.mark.parametrize(
    "operation", ["execute_task", "browser_run", "browser_step", "model_request", "invoke_workflow"]
)
def test_what_a_framework_adds_up_is_no_call(operation: str) -> None:
    call = call_of(
        {**CHAT, "gen_ai.operation.name": operation}, scope=("openlit.instrumentation.crewai", "")
    )

    assert (call.role, call.billed) == (AGGREGATE, False)


@pytest.mark.parametrize(
    ("operation", "canonical"),
    [("text_to_speech", "speech"), ("speech_to_text", "transcription"), ("audio", "audio")],
)
def test_speech_is_a_call(operation: str, canonical: str) -> None:
    call = call_of({**CHAT, "gen_ai.operation.name": operation})

    assert (call.role, call.operation) == (LEAF, canonical)


def test_the_sum_under_a_metrics_name_is_no_total() -> None:
    """LangChain's holds reasoning too: taken for a total it would prove what is not so."""
    call = call_of({**CHAT, "gen_ai.client.token.usage": 4100})

    assert call.usage == {"input": 2000, "cache_read": 1000, "output": 100}


def test_reasoning_in_its_google_adk_lies_inside_output() -> None:
    call = call_of(
        {
            **CHAT,
            "gen_ai.provider.name": "gcp.gemini",
            "gen_ai.usage.completion_tokens_details.reasoning_tokens": 60,
        },
        scope=("openlit.instrumentation.google_adk", ""),
    )

    assert call.usage == {"input": 2000, "cache_read": 1000, "output": 100, "reasoning": 60}
