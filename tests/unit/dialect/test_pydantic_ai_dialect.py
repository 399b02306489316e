"""Pydantic AI and Logfire: details of usage, runs that repeat it, answers that were rejected."""

from __future__ import annotations

import json

import pytest

from costspan.dialect import DEFAULT_DIMENSIONS, recognise
from costspan.model import AGGREGATE, LEAF, WITNESS, Value
from hits import call_of, hit

CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "google-vertex",
    "gen_ai.request.model": "gemini-2.5-flash",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
V2 = ("pydantic-ai", "2.68.0")


@pytest.mark.parametrize(
    ("version", "output"),
    [("0.4.0", 160), ("1.0.0", 100), ("2.68.0", 100), ("10.0.0", 100)],
)
def test_googles_thoughts_lie_inside_output_since_1_0(version: str, output: int) -> None:
    """models/google.py: candidates alone in 0.4, candidates and thoughts in 1.0."""
    call = call_of(
        {**CHAT, "gen_ai.usage.details.thoughts_tokens": 60}, scope=("pydantic-ai", version)
    )

    assert call.usage == {"input": 1000, "output": output, "reasoning": 60}


@pytest.mark.parametrize(
    ("stated", "canonical"),
    [
        ("google-gla", "gcp.gemini"),
        ("google", "gcp.gemini"),
        ("google-vertex", "gcp.vertex_ai"),
        ("google-cloud", "gcp.vertex_ai"),
        ("grok", "x_ai"),
    ],
)
def test_its_names_of_providers_are_known(stated: str, canonical: str) -> None:
    """providers/*.py of 1.0.0 and 2.68.0."""
    assert call_of({**CHAT, "gen_ai.provider.name": stated}, scope=V2).provider == canonical


def test_two_names_of_the_cached_tokens_are_one_count() -> None:
    call = call_of(
        {
            **CHAT,
            "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.details.cache_read_tokens": 400,
            "gen_ai.usage.details.cached_content_tokens": 400,
        },
        scope=V2,
    )

    assert call.usage == {"input": 600, "cache_read": 400, "output": 100}


def test_modalities_are_parts_of_the_totals() -> None:
    call = call_of(
        {
            **CHAT,
            "gen_ai.usage.details.input_audio_tokens": 300,
            "gen_ai.usage.details.image_candidates_tokens": 40,
        },
        scope=V2,
    )

    assert call.usage == {"input": 700, "audio_input": 300, "output": 60, "image_output": 40}


def test_an_advisors_tokens_come_on_top_and_a_compactions_do_not() -> None:
    """models/anthropic/_response.py: only the latter are added to the totals."""
    call = call_of(
        {
            **CHAT,
            "gen_ai.usage.details.advisor_input_tokens": 50,
            "gen_ai.usage.details.advisor_output_tokens": 7,
            "gen_ai.usage.details.compaction_input_tokens": 300,
        },
        scope=V2,
    )

    assert call.usage == {"input": 1050, "output": 107}


@pytest.mark.parametrize("name", ["agent run", "invoke_agent researcher"])
def test_a_run_that_states_no_operation_is_known_by_its_name(name: str) -> None:
    values = {key: value for key, value in CHAT.items() if key != "gen_ai.operation.name"}
    call = call_of(
        {**values, "agent_name": "researcher"}, scope=("pydantic-ai", "1.0.0"), name=name
    )

    assert (call.role, call.operation, call.billed) == (AGGREGATE, "invoke_agent", False)
    assert call.identity.agent == "researcher"


@pytest.mark.parametrize(
    ("scope", "name"),
    [("app", "agent run"), ("pydantic-ai", "an agent run"), ("pydantic-ai", "")],
)
def test_the_name_counts_for_nothing_in_another_scope(scope: str, name: str) -> None:
    values = {key: value for key, value in CHAT.items() if key != "gen_ai.operation.name"}

    assert call_of(values, scope=(scope, "1.0.0"), name=name).role == LEAF


def test_an_operation_goes_before_the_name() -> None:
    call = call_of({**CHAT, "gen_ai.operation.name": "chat"}, scope=V2, name="agent run")

    assert (call.role, call.operation) == (LEAF, "chat")


def test_a_rejected_attempt_is_a_call() -> None:
    values = {key: value for key, value in CHAT.items() if key != "gen_ai.operation.name"}
    call = call_of(values, scope=V2, name="model request attempt gemini-2.5-flash", status=2)

    assert (call.role, call.operation, call.billed) == (LEAF, "chat", True)


def test_an_attempt_that_never_was_answered_is_a_call_of_unknown_usage() -> None:
    call = call_of(
        {"gen_ai.request.model": "gpt-4o"}, scope=V2, name="model request attempt gpt-4o", status=2
    )

    assert (call.role, call.usage, call.billed_reason) == (LEAF, None, "no_usage")


@pytest.mark.parametrize(
    "family", ["gen_ai.aggregated_usage.", "gen_ai.usage.partial.", "pydantic_ai.decision.usage."]
)
def test_sums_and_parts_under_keys_of_their_own_are_no_usage(family: str) -> None:
    values: dict[str, Value] = {f"{family}input_tokens": 10, f"{family}output_tokens": 1}

    assert recognise(hit({"gen_ai.operation.name": "chat", **values}), DEFAULT_DIMENSIONS) is None
    call = call_of({"gen_ai.agent.name": "a", **values}, scope=V2)
    assert (call.role, call.usage) == (WITNESS, None)


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (
            {"prompt_tokens_details": {"cached_tokens": 400}},
            {"input": 600, "cache_read": 400, "output": 100},
        ),
        (
            {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 400}},
            {"input": 600, "cache_read": 400, "output": 100},
        ),
        (
            {"output_tokens_details": {"reasoning_tokens": 60}},
            {"input": 1000, "output": 100, "reasoning": 60},
        ),
        ({"prompt_tokens": 9}, {"input": 1000, "output": 100}),
    ],
)
def test_logfire_leaves_details_to_the_raw_usage(
    raw: dict[str, object], usage: dict[str, int]
) -> None:
    """The totals on the span are those of the call: the raw ones count in the API's own way."""
    call = call_of({**CHAT, "gen_ai.usage.raw": json.dumps(raw)}, scope=("logfire.openai", "5.4.0"))

    assert call.usage == usage
    assert call.dialect == "pydantic_ai"
