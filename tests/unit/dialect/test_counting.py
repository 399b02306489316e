"""Inclusive or exclusive: the order of the steps, and what contradicts itself."""

from __future__ import annotations

from costspan.model import LlmCall, Value
from hits import call_of


def _call(scope: tuple[str, str], read: int, total: int | None = None) -> LlmCall:
    values: dict[str, Value] = {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": read,
    }
    if total is not None:
        values["gen_ai.usage.total_tokens"] = total
    return call_of(values, scope=scope)


UNKNOWN = ("my.app", "1")


def test_an_unknown_emitter_follows_the_conventions() -> None:
    call = _call(UNKNOWN, read=80)

    assert (call.convention, call.decided_by) == ("inclusive", "default")
    assert call.usage == {"input": 20, "cache_read": 80, "output": 10}


def test_a_total_that_adds_the_cached_tokens_proves_exclusive() -> None:
    call = _call(UNKNOWN, read=80, total=190)

    assert (call.convention, call.decided_by) == ("exclusive", "total")
    assert call.usage == {"input": 100, "cache_read": 80, "output": 10}


def test_a_total_without_them_proves_nothing_new() -> None:
    """OpenLLMetry and others compute in + out themselves, whatever in contains."""
    assert (
        _call(UNKNOWN, read=80, total=110).convention,
        _call(UNKNOWN, read=80, total=110).decided_by,
    ) == ("inclusive", "default")


def test_more_cached_than_input_overrides_what_the_table_says() -> None:
    """The package sums, but a release that did not would be seen here."""
    call = _call(("opentelemetry.instrumentation.anthropic", "0.62.4"), read=500)

    assert (call.convention, call.decided_by) == ("exclusive", "cached_exceeds_input")
    assert call.usage == {"input": 100, "cache_read": 500, "output": 10}


def test_it_is_nonsense_where_the_count_can_only_be_inclusive() -> None:
    """OpenAI's API counts cached tokens inside, and its instrumentation passes that on."""
    call = _call(("opentelemetry.instrumentation.openai_v2", "2.4b0"), read=500)

    assert call.usage is None
    assert call.invalid == "500 cached tokens exceed the 100 input tokens that contain them"


def test_cached_tokens_without_any_input_are_the_whole_prompt() -> None:
    call = call_of(
        {"gen_ai.usage.cache_read.input_tokens": 5, "gen_ai.usage.output_tokens": 1},
        scope=("opentelemetry.instrumentation.openai_v2", "2.4b0"),
    )

    assert call.usage == {"cache_read": 5, "output": 1}


def test_exactly_as_many_cached_as_input_leaves_no_fresh_input() -> None:
    assert _call(UNKNOWN, read=100).usage == {"cache_read": 100, "output": 10}


def test_writes_count_as_cached() -> None:
    """100 < 80 read + 30 written: can't be inclusive."""
    call = call_of(
        {
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 10,
            "gen_ai.usage.cache_read.input_tokens": 80,
            "gen_ai.usage.cache_creation.input_tokens": 30,
        }
    )

    assert call.decided_by == "cached_exceeds_input"
    assert call.usage == {"input": 100, "cache_read": 80, "cache_write_5m": 30, "output": 10}
