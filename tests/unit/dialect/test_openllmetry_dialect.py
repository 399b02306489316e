"""OpenLLMetry: its older keys, its entities, and the packages that count in their own way."""

from __future__ import annotations

import pytest

from costspan.model import AGGREGATE, LEAF, WITNESS, Value
from hits import call_of

# The Bedrock package's own test: 4 uncached tokens beside 18 131 cached ones.
BEDROCK: dict[str, Value] = {
    "gen_ai.provider.name": "aws.bedrock",
    "gen_ai.usage.input_tokens": 4,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.total_tokens": 54,
    "gen_ai.usage.cache_read.input_tokens": 18131,
}


def test_python_anthropic_counts_cached_tokens_inside() -> None:
    """0.62.4 __init__.py sums input, cache creation and cache read."""
    call = call_of(
        {
            "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.input_tokens": 1754,
            "gen_ai.usage.output_tokens": 561,
            "gen_ai.usage.cache_creation.input_tokens": 1733,
            "gen_ai.usage.cache_read.input_tokens": 0,
        },
        scope=("opentelemetry.instrumentation.anthropic", "0.62.4"),
    )

    assert (
        call.dialect,
        call.convention,
        call.decided_by,
    ) == ("openllmetry", "inclusive", "emitter")
    assert call.usage == {"input": 21, "cache_write_5m": 1733, "output": 561}


def test_javascript_anthropic_counts_them_beside() -> None:
    """Npm 0.27.0 dist/index.mjs passes the raw input_tokens on, here larger than the cached."""
    call = call_of(
        {
            "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.input_tokens": 2000,
            "gen_ai.usage.output_tokens": 561,
            "gen_ai.usage.cache_read.input_tokens": 1733,
        },
        scope=("@traceloop/instrumentation-anthropic", "0.27.0"),
    )

    assert (call.convention, call.decided_by) == ("exclusive", "emitter")
    assert call.usage == {"input": 2000, "cache_read": 1733, "output": 561}


def test_bedrock_counts_them_beside() -> None:
    call = call_of(BEDROCK, scope=("opentelemetry.instrumentation.bedrock", "0.62.4"))

    assert call.convention == "exclusive"
    assert call.usage == {"input": 4, "cache_read": 18131, "output": 50}


def test_the_numbers_prove_it_where_the_scope_is_unknown() -> None:
    call = call_of(BEDROCK, scope=("", ""))

    assert (call.convention, call.decided_by) == ("exclusive", "cached_exceeds_input")
    assert call.usage == {"input": 4, "cache_read": 18131, "output": 50}


@pytest.mark.parametrize("library", ["google_generativeai", "vertexai"])
def test_googles_thoughts_are_found_in_the_total(library: str) -> None:
    """0.62.4 span_utils.py: output is candidates only, the provider's total has the thoughts."""
    call = call_of(
        {
            "gen_ai.provider.name": "gcp.gemini",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "llm.usage.total_tokens": 170,
        },
        scope=(f"opentelemetry.instrumentation.{library}", "0.62.4"),
    )

    assert call.usage == {"input": 100, "output": 70, "reasoning": 50}


def test_the_keys_of_2023_are_read() -> None:
    """semantic-conventions-ai 0.1: capitalised system, llm.usage.*, llm.request.type."""
    call = call_of(
        {
            "gen_ai.system": "OpenAI",
            "llm.request.type": "completion",
            "gen_ai.request.model": "gpt-3.5-turbo-instruct",
            "llm.usage.prompt_tokens": 10,
            "llm.usage.completion_tokens": 5,
            "llm.usage.total_tokens": 15,
        },
        scope=("", ""),
    )

    assert (
        call.dialect,
        call.provider,
        call.operation,
    ) == ("openllmetry", "openai", "text_completion")
    assert call.usage == {"input": 10, "output": 5}


def test_an_agent_that_repeats_usage_is_not_billed() -> None:
    """CrewAI 0.62: the agent span holds a running sum over the agent's life."""
    call = call_of(
        {
            "traceloop.span.kind": "agent",
            "traceloop.entity.name": "Researcher",
            "gen_ai.usage.prompt_tokens": 5000,
            "gen_ai.usage.completion_tokens": 100,
        },
        scope=("opentelemetry.instrumentation.crewai.instrumentation", "0.36.0"),
    )

    assert (call.role, call.billed, call.billed_reason) == (AGGREGATE, False, "not_inference")
    assert call.identity.agent == "Researcher"
    assert call.usage == {"input": 5000, "output": 100}


def test_an_entity_is_named_by_its_kind() -> None:
    workflow = call_of({"traceloop.span.kind": "workflow", "traceloop.workflow.name": "nightly"})
    tool = call_of(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "search",
            "traceloop.workflow.name": "nightly",
        }
    )

    assert (workflow.role, workflow.identity.workflow) == (WITNESS, "nightly")
    assert (
        tool.identity.tool,
        tool.identity.workflow,
        tool.identity.agent,
    ) == ("search", "nightly", "")


def test_association_properties_name_user_and_session() -> None:
    call = call_of(
        {
            "gen_ai.usage.input_tokens": 1,
            "traceloop.association.properties.user_id": "u-1",
            "traceloop.association.properties.session_id": "s-1",
        }
    )

    assert (call.identity.user, call.identity.session) == ("u-1", "s-1")


def test_a_stated_cache_without_counts_still_has_a_status() -> None:
    call = call_of(
        {
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.prompt_caching": "write",
        },
        scope=("opentelemetry.instrumentation.bedrock", "0.40.0"),
    )

    assert (call.role, call.cache_status) == (LEAF, "write")
