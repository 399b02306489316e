"""Which spans are calls, which bear witness, which are of no concern; and what is missing."""

from __future__ import annotations

import pytest

from costspan.dialect import DEFAULT_DIMENSIONS, DIALECTS, Dimensions, recognise, wanted
from costspan.dialect.documents import attribute
from costspan.dialect.genai import GENAI
from costspan.dialect.openinference import OPENINFERENCE
from costspan.dialect.table import REQUEST_MODEL, RESPONSE_ID, RESPONSE_MODEL
from costspan.model import AGGREGATE, ALREADY_METERED, LEAF, TOKEN_COUNTER, WITNESS, Value
from costspan.processor.enrich import OWN_KEYS
from hits import call_of, hit

USAGE: dict[str, Value] = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


@pytest.mark.parametrize(
    ("operation", "role"),
    [
        ("chat", LEAF),
        ("generate_content", LEAF),
        ("text_completion", LEAF),
        ("embeddings", LEAF),
        ("rerank", LEAF),
        ("image_generation", LEAF),
        ("speech", LEAF),
        ("CHAT", LEAF),
        ("something_new", LEAF),
        ("invoke_agent", AGGREGATE),
        ("create_agent", AGGREGATE),
        ("invoke_workflow", AGGREGATE),
        ("execute_tool", AGGREGATE),
        ("plan", AGGREGATE),
        ("fetch_response", TOKEN_COUNTER),
        ("retrieval", AGGREGATE),
        ("search_memory", AGGREGATE),
        ("count_tokens", TOKEN_COUNTER),
        ("tokenize", TOKEN_COUNTER),
    ],
)
def test_the_operation_decides_the_role(operation: str, role: str) -> None:
    call = call_of({**USAGE, "gen_ai.operation.name": operation})

    assert (role, role == LEAF) == (call.role, call.billed)


def test_usage_without_operation_or_model_is_a_call() -> None:
    """Instrumentation written by hand often sets two counts and nothing else."""
    call = call_of(USAGE)

    assert (
        call.role,
        call.operation,
        call.request_model,
        call.response_model,
    ) == (LEAF, "", "", "")
    assert call.usage == {"input": 10, "output": 5}


def test_an_agent_without_usage_bears_witness() -> None:
    call = call_of({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"})

    assert (
        call.role,
        call.usage,
        call.billed,
        call.identity.agent,
    ) == (WITNESS, None, False, "planner")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"},
        {"gen_ai.operation.name": "execute_tool"},
        {"gen_ai.agent.name": ""},
        {"session.id": "", "user.id": ""},
    ],
)
def test_neither_usage_nor_a_name_is_of_no_concern(values: dict[str, Value]) -> None:
    assert recognise(hit(values), DEFAULT_DIMENSIONS) is None


def test_a_failed_model_call_is_a_call_of_unknown_usage() -> None:
    values: dict[str, Value] = {"gen_ai.operation.name": "chat", "gen_ai.agent.name": "planner"}
    by_status = call_of(values, status=2)
    by_type = call_of({**values, "error.type": "timeout"})

    assert (
        by_status.role,
        by_status.usage,
        by_status.billed,
        by_status.billed_reason,
    ) == (LEAF, None, False, "no_usage")
    assert (by_type.role, by_type.error_type) == (LEAF, "timeout")


@pytest.mark.parametrize(
    "ended",
    [
        {"gen_ai.response.model": "gpt-4o-2024-08-06"},
        {"gen_ai.response.id": "chatcmpl-1"},
        {"gen_ai.response.finish_reason": "stop"},
        {"llm.response.finish_reason": "stop"},
        {"error.type": "timeout"},
    ],
)
@pytest.mark.parametrize(
    ("operation", "is_call"),
    [("chat", True), ("embeddings", True), ("invoke_agent", False), ("fetch_response", False)],
)
def test_a_call_that_ended_and_never_said_its_usage_is_a_call_of_unknown_usage(
    ended: dict[str, Value], operation: str, *, is_call: bool
) -> None:
    """A stream without include_usage. An agent that names the model of its calls is none."""
    values: dict[str, Value] = {"gen_ai.operation.name": operation, "gen_ai.request.model": "m"}
    call = recognise(hit({**values, **ended}), DEFAULT_DIMENSIONS)

    assert (call is not None) is is_call
    if call is not None:
        assert (call.role, call.usage, call.billed) == (LEAF, None, False)
        assert call.billed_reason == "no_usage"


def test_every_call_without_usage_brings_its_span_to_us() -> None:
    """By its model, which every convention wants on a call, failed ones too."""
    asked = wanted(DEFAULT_DIMENSIONS, OWN_KEYS)
    models = {
        key
        for dialect in (GENAI, OPENINFERENCE)
        for meaning in (REQUEST_MODEL, RESPONSE_MODEL, RESPONSE_ID)
        for key in dialect.texts.get(meaning, ())
    }

    assert set() == {key for key in models if not any(m in key.encode() for m in asked.markers)}


def test_attributes_of_the_namespace_that_nobody_told_us_of_are_named() -> None:
    values: dict[str, Value] = {
        **USAGE,
        "gen_ai.usage.video.input_tokens": 3,
        "gen_ai.response.mood": "fine",
        "gen_ai.usage.cache_read.input_tokens": 0,
        "acme.gen_ai": 1,
    }

    assert call_of(values).unknown == ("gen_ai.response.mood", "gen_ai.usage.video.input_tokens")


def test_a_dimension_in_the_namespace_is_no_news() -> None:
    values: dict[str, Value] = {**USAGE, "gen_ai.squad": "red"}

    assert not call_of(values, dimensions=Dimensions({"squad": ("gen_ai.squad",)})).unknown


def test_a_failed_agent_bears_witness_only() -> None:
    call = call_of(
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}, status=2
    )

    assert call.role == WITNESS


def test_a_response_from_a_cache_is_a_hit_with_or_without_usage() -> None:
    with_usage = call_of({**USAGE, "gen_ai.response.cached": True})
    alone = call_of({"gen_ai.response.cached": True})

    assert (with_usage.cache_status, with_usage.usage) == ("hit", {"input": 10, "output": 5})
    assert (alone.cache_status, alone.usage, alone.billed) == ("hit", None, False)


def test_a_response_that_is_not_cached_says_nothing_alone() -> None:
    assert recognise(hit({"gen_ai.response.cached": False}), DEFAULT_DIMENSIONS) is None
    assert not call_of({**USAGE, "gen_ai.response.cached": False}).cache_status


@pytest.mark.parametrize(
    ("key", "count", "status"),
    [
        ("gen_ai.usage.cache_read.input_tokens", 3, "hit"),
        ("gen_ai.usage.cache_read.input_tokens", 0, "miss"),
        ("gen_ai.usage.cache_creation.input_tokens", 3, "write"),
        ("gen_ai.usage.cache_creation.input_tokens", 0, "miss"),
        ("gen_ai.usage.reasoning_tokens", 3, ""),
    ],
)
def test_the_cache_status_is_what_the_span_states(key: str, count: int, status: str) -> None:
    assert status == call_of({**USAGE, key: count}).cache_status


def test_a_read_makes_a_hit_whatever_was_written() -> None:
    call = call_of(
        {
            **USAGE,
            "gen_ai.usage.cache_read.input_tokens": 2,
            "gen_ai.usage.cache_write.input_tokens": 3,
        }
    )

    assert call.cache_status == "hit"


METERED: dict[str, Value] = {
    "window.financial.price_ref": "book@1;m;;list@0",
    "window.financial.total_cost": 0.5,
    "gen_ai.usage.cost": 0.5,
}


def test_a_span_that_another_costspan_metered_is_not_billed_again() -> None:
    call = call_of(USAGE, own=METERED)

    assert (
        call.role,
        call.billed,
        call.billed_reason,
        call.reported_cost,
    ) == (ALREADY_METERED, False, "already_metered", "")


def test_metering_again_can_be_asked_for() -> None:
    call = call_of(USAGE, own=METERED, remeter=True)

    assert (call.role, call.billed, call.reported_cost) == (LEAF, True, "")


def test_a_foreign_total_without_a_price_is_a_reported_cost() -> None:
    call = call_of(USAGE, own={"window.financial.total_cost": 0.25})

    assert (call.role, call.reported_cost) == (LEAF, "250000000000000000")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"gen_ai.usage.cost": 0.1}, "100000000000000000"),
        ({"operation.cost": 8e-08}, "80000000000"),
        ({"llm.cost.total": 0.5, "openinference.span.kind": "LLM"}, "500000000000000000"),
        ({"agw.ai.usage.cost.total": "0.00125"}, "1250000000000000"),
        ({"gen_ai.cost.total_tokens": 0.5}, "500000000000000000"),  # Sentry: dollars
        ({"github.copilot.cost": 1}, ""),  # premium requests
        ({"gen_ai.usage.cost": 0}, ""),
        ({"gen_ai.usage.cost": "a lot"}, ""),
        ({"gen_ai.usage.cost": True}, ""),
    ],
)
def test_a_reported_cost_counts_only_in_dollars(values: dict[str, Value], expected: str) -> None:
    assert expected == call_of({**USAGE, **values}).reported_cost


def test_the_de_facto_cost_is_read_where_the_scan_puts_it() -> None:
    """`gen_ai.usage.cost` is a name that we write too, so a scan hands it over as our own."""
    assert call_of(USAGE, own={"gen_ai.usage.cost": 0.1}).reported_cost == "100000000000000000"


DRAFT = "gen_ai.usage.cost."


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({DRAFT + "amount": 0.1, DRAFT + "currency": "USD"}, "100000000000000000"),
        ({DRAFT + "amount": 0.1, DRAFT + "currency": "usd"}, "100000000000000000"),
        ({DRAFT + "amount": 0.1, DRAFT + "currency": "EUR"}, ""),
        ({DRAFT + "amount": 0.1}, ""),
        ({"gen_ai.usage.cost": 0.1, DRAFT + "currency": "EUR"}, ""),
        ({"window.financial.total_cost": 0.1, "window.financial.currency": "EUR"}, ""),
        ({"window.financial.total_cost": 0.1, "window.financial.currency": "USD"}, "1" + "0" * 17),
        ({DRAFT + "amount": 0, DRAFT + "currency": "USD", "gen_ai.usage.cost": 2}, "2" + "0" * 18),
    ],
)
def test_a_cost_among_our_own_names_counts_only_in_dollars(
    own: dict[str, Value], expected: str
) -> None:
    """A scan hands over as our own what has our names, and what leaves them no place."""
    assert own.keys() <= wanted(DEFAULT_DIMENSIONS, OWN_KEYS).own_keys
    assert expected == call_of(USAGE, own=own).reported_cost


def test_a_cost_without_tokens_is_a_call() -> None:
    call = call_of({"gen_ai.usage.cost": 0.1})

    assert (call.role, call.usage, call.billed) == (LEAF, None, True)


def test_recommended_attributes_that_no_spelling_states_are_named() -> None:
    assert call_of(USAGE).missing == (
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
    )
    assert call_of(
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "openai",
            "llm.model_name": "gpt-4o",
            "llm.token_count.prompt": 5,
        }
    ).missing == ("gen_ai.response.model", "gen_ai.usage.output_tokens")


def test_only_model_calls_miss_anything() -> None:
    assert call_of({**USAGE, "gen_ai.operation.name": "invoke_agent"}).missing == ()


def test_every_count_that_we_read_brings_its_span_to_us() -> None:
    """A marker missing here would be a call never seen."""
    asked = wanted(DEFAULT_DIMENSIONS, OWN_KEYS)
    keys = {key for dialect in DIALECTS for keys in dialect.counts.values() for key in keys}
    # What stands in a document only adds to a span that has counts of its own; Claude Code's plain
    # words stand beside gen_ai.request.model, which opens its spans.
    counts = {key for key in keys if attribute(key) == key and "." in key}
    names = {
        "gen_ai.agent.name",
        "agent.name",
        "gen_ai.workflow.name",
        "traceloop.workflow.name",
        "gen_ai.response.cached",
        "gen_ai.usage.cost",
    }

    assert set() == {
        key for key in counts | names if not any(m in key.encode() for m in asked.markers)
    }
    assert set(map(attribute, keys)) | names <= asked.keys


def test_dimensions_are_asked_of_spans_and_of_resources() -> None:
    asked = wanted(Dimensions({"squad": ("squad.name", "team")}), frozenset({"x"}))

    assert {"squad.name", "team"} <= asked.keys & asked.long_keys & asked.resource_keys
    assert "service.name" in asked.resource_keys
    assert "x" in asked.own_keys


def test_the_name_that_marks_a_metered_span_is_one_that_we_write() -> None:
    assert "window.financial.price_ref" in OWN_KEYS
