"""LiteLLM: usage in a dict as Python shows it, its call types, and a span that is not its own."""

from __future__ import annotations

import pytest

from costspan.dialect import DEFAULT_DIMENSIONS, recognise
from costspan.model import AGGREGATE, LEAF, Value
from hits import call_of, hit

V1: dict[str, Value] = {
    "llm.request.type": "acompletion",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
    "hidden_params": "{}",
}
SCOPE = ("litellm", "")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": None}}, "cache_read"),
        ({"cache_read_input_tokens": 400, "flag": True, "cost": None}, "cache_read"),
        ({"cache_creation_input_tokens": 400}, "cache_write_5m"),
        ({"prompt_tokens_details": {"cache_write_tokens": 400}}, "cache_write_5m"),
        ({"cache_read_input_tokens": 400, "note": "it's"}, "cache_read"),
        ({"cache_read_input_tokens": 400, "note": 'a "b"'}, "cache_read"),
    ],
)
def test_details_are_read_from_a_dict_as_python_shows_it(
    usage: dict[str, object], expected: str
) -> None:
    call = call_of({**V1, "metadata.usage_object": str(usage)}, scope=SCOPE)

    assert call.usage == {"input": 600, expected: 400, "output": 100}


@pytest.mark.parametrize(
    "usage",
    ["", "None", "{", "{'cached_tokens", "{'cached_tokens': open('x')}", "[1]", "{'a': " * 99],
)
def test_what_is_no_dict_says_nothing(usage: str) -> None:
    call = call_of({**V1, "metadata.usage_object": usage}, scope=SCOPE)

    assert call.usage == {"input": 1000, "output": 100}
    assert call.invalid == ""


def test_the_totals_of_the_dict_are_not_read() -> None:
    """A fetched response has it and no usage of its own, since that was billed before (1.109.1)."""
    silent: dict[str, Value] = {
        "llm.request.type": "aget_responses",
        "gen_ai.request.model": "gpt-4o",
        "metadata.usage_object": "{'prompt_tokens': 9, 'completion_tokens': 1}",
    }

    assert recognise(hit(silent, scope=SCOPE), DEFAULT_DIMENSIONS) is None


@pytest.mark.parametrize("scope", [SCOPE, ("renamed", "2"), ("app", "1")])
def test_it_is_known_under_another_scope(scope: tuple[str, str]) -> None:
    """OTEL_TRACER_NAME renames it, and version 1 writes onto the application's span."""
    call = call_of(
        {**V1, "metadata.usage_object": "{'cache_read_input_tokens': 400}"}, scope=scope, name="run"
    )

    assert (call.dialect, call.convention, call.decided_by) == ("litellm", "inclusive", "emitter")


def test_on_a_span_that_is_no_call_its_usage_waits_for_what_lies_below() -> None:
    """The next call overwrites it, so what children say of their own calls goes before it."""
    call = call_of({**V1, "gen_ai.operation.name": "invoke_agent"}, scope=("app", "1"))

    assert (call.role, call.billed) == (AGGREGATE, False)


@pytest.mark.parametrize(
    ("call_type", "operation", "role"),
    [
        ("completion", "text_completion", LEAF),
        ("acompletion", "chat", LEAF),
        ("aresponses", "chat", LEAF),
        ("anthropic_messages", "chat", LEAF),
        ("aembedding", "embeddings", LEAF),
        ("aimage_generation", "image_generation", LEAF),
        ("atranscription", "transcription", LEAF),
        ("aspeech", "speech", LEAF),
        ("arerank", "rerank", LEAF),
        ("aretrieve_batch", "aretrieve_batch", LEAF),
        ("aget_responses", "fetch_response", AGGREGATE),
        ("call_mcp_tool", "execute_tool", AGGREGATE),
        ("asend_message", "invoke_agent", AGGREGATE),
    ],
)
def test_the_called_function_is_the_operation(call_type: str, operation: str, role: str) -> None:
    call = call_of({**V1, "llm.request.type": call_type}, scope=SCOPE)

    assert (call.operation, call.role) == (operation, role)


@pytest.mark.parametrize(
    ("answered", "model"), [("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"), ("", "azure/prod")]
)
def test_the_deployment_is_the_model_if_the_answer_names_none(answered: str, model: str) -> None:
    call = call_of(
        {
            **V1,
            "gen_ai.request.model": "fast",
            "gen_ai.response.model": answered,
            "litellm.provider.model": "azure/prod",
        },
        scope=SCOPE,
    )

    assert (call.request_model, call.response_model) == ("fast", model)


def test_who_called_goes_before_whose_key_it_was() -> None:
    """Version 1 writes every key, most of them empty."""
    call = call_of(
        {
            **V1,
            "metadata.user_api_key_end_user_id": "",
            "llm.user": "customer-7",
            "metadata.user_api_key_user_id": "owner",
        },
        scope=SCOPE,
    )

    assert call.identity.user == "customer-7"


@pytest.mark.parametrize("prefix", ["metadata.", "litellm.metadata."])
def test_without_a_caller_the_owner_of_the_key_is_the_user(prefix: str) -> None:
    call = call_of({**V1, f"{prefix}user_api_key_user_id": "owner"}, scope=SCOPE)

    assert call.identity.user == "owner"


@pytest.mark.parametrize("key", ["gen_ai.cost.total_cost", "litellm.cost.total"])
def test_its_cost_is_a_reported_one(key: str) -> None:
    assert call_of({**V1, key: 0.5}, scope=SCOPE).reported_cost == "500000000000000000"


def test_parts_of_its_cost_are_circumstances() -> None:
    call = call_of(
        {**V1, "gen_ai.cost.service_tier": "flex", "gen_ai.cost.data_residency": "us"}, scope=SCOPE
    )

    assert call.context == {"tier": "flex", "geo": "us"}
