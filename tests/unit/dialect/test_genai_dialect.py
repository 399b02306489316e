"""The GenAI conventions: every spelling read, one family counted, every known emitter understood.

Numbers come from the libraries' own tests where a case names one.
"""

from __future__ import annotations

import pytest

from costspan.dialect.genai import GENAI
from costspan.dialect.table import CACHE_READ, CACHE_WRITE, INPUT, OUTPUT, REASONING
from costspan.model import Value
from hits import call_of

CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
CACHED = {
    "gen_ai.usage.cache_read.input_tokens": 600,
    "gen_ai.usage.cache_write.input_tokens": 100,
}


def test_a_current_span_is_read_whole() -> None:
    call = call_of(CHAT)

    assert (call.dialect, call.operation, call.provider) == ("genai", "chat", "openai")
    assert (call.request_model, call.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert call.response_id == "chatcmpl-1"
    assert call.usage == {"input": 1000, "output": 100}
    assert (call.billed, call.billed_reason, call.role) == (True, "leaf", "leaf")


def test_what_the_span_is_goes_into_the_record_unchanged() -> None:
    call = call_of(CHAT, scope=("lib", "2"), name="chat gpt-4o", status=2)

    assert (
        call.ordinal,
        call.trace_id,
        call.span_id,
        call.parent_span_id,
    ) == (7, b"\x01" * 16, b"\x02" * 8, b"\x03" * 8)
    assert (call.name, call.kind, call.status) == ("chat gpt-4o", 3, 2)
    assert call.end_ns - call.start_ns == 1_000_000_000
    assert (call.scope_name, call.scope_version, call.service) == ("lib", "2", "app")


@pytest.mark.parametrize("meaning", [INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING])
def test_every_spelling_of_a_count_is_that_count(meaning: str) -> None:
    """A span with any one spelling is priced like a span with the current one."""
    others = {key: value for key, value in {**CHAT, **CACHED}.items() if key not in _all(meaning)}
    found = [call_of({**others, key: 90}).usage for key in GENAI.counts[meaning]]

    assert [found[0]] * len(found) == found
    assert found[0] is not None


def _all(meaning: str) -> tuple[str, ...]:
    return GENAI.counts[meaning]


def test_dual_emission_is_one_count() -> None:
    """OTEL_SEMCONV_STABILITY_OPT_IN with /dup writes old and new names: never their sum."""
    both = {**CHAT, "gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": 100}

    assert call_of(both).usage == {"input": 1000, "output": 100}


def test_an_older_spelling_fills_a_gap() -> None:
    mixed: dict[str, Value] = {
        "gen_ai.usage.prompt_tokens": 5,
        "gen_ai.usage.output_tokens": 7,
        "llm.token_count.completion": 9,
    }

    assert call_of(mixed).usage == {"input": 5, "output": 7}


def test_a_newer_spelling_that_says_nothing_leaves_the_word_to_an_older() -> None:
    mixed: dict[str, Value] = {
        "gen_ai.usage.input_tokens": float("nan"),
        "gen_ai.usage.prompt_tokens": 5,
        "gen_ai.usage.output_tokens": 7,
    }

    assert call_of(mixed).usage == {"input": 5, "output": 7}


def test_cached_tokens_are_inside_the_input_of_the_conventions() -> None:
    """Semantic conventions 1.40: input_tokens SHOULD include all cached tokens."""
    call = call_of({**CHAT, **CACHED})

    assert call.usage == {"input": 300, "cache_read": 600, "cache_write_5m": 100, "output": 100}
    assert (call.convention, call.decided_by) == ("inclusive", "default")


def test_reasoning_is_kept_as_a_part_of_output() -> None:
    call = call_of({**CHAT, "gen_ai.usage.reasoning.output_tokens": 60})

    assert call.usage == {"input": 1000, "output": 100, "reasoning": 60}


def test_more_reasoning_than_output_proves_that_output_leaves_it_out() -> None:
    call = call_of({**CHAT, "gen_ai.usage.reasoning_tokens": 400})

    assert call.usage == {"input": 1000, "output": 500, "reasoning": 400}


def test_cache_writes_are_split_by_lifetime_where_the_sdk_says_it() -> None:
    """anthropic-python 2.12: the total is stated beside its two parts."""
    call = call_of(
        {
            **CHAT,
            "gen_ai.usage.cache_write.input_tokens": 500,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 200,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 300,
        },
        scope=("com.anthropic.sdk.python", "2.12.0"),
    )

    assert call.usage == {"input": 500, "cache_write_5m": 200, "cache_write_1h": 300, "output": 100}


def test_a_zero_total_of_cache_writes_gives_way_to_its_parts() -> None:
    """langchain-anthropic 1.7 zeroes cache_creation when it has the parts."""
    call = call_of(
        {
            **CHAT,
            "gen_ai.usage.cache_creation.input_tokens": 0,
            "gen_ai.usage.cache_creation.1h_input_tokens": 300,
        }
    )

    assert call.usage == {"input": 700, "cache_write_1h": 300, "output": 100}


def test_parts_of_a_cache_write_beyond_its_total_are_nonsense() -> None:
    call = call_of(
        {
            **CHAT,
            "gen_ai.usage.cache_creation.input_tokens": 100,
            "gen_ai.usage.cache_creation.1h_input_tokens": 300,
        }
    )

    assert call.usage is None
    assert "300 (1 hour) exceed their total of 100" in call.invalid


def test_a_compaction_step_is_billed_with_its_call() -> None:
    """anthropic-python 2.12 leaves the compaction's tokens out of the totals."""
    call = call_of(
        {
            **CHAT,
            "anthropic.usage.compaction.input_tokens": 50,
            "anthropic.usage.compaction.output_tokens": 5,
        }
    )

    assert call.usage == {"input": 1050, "output": 105}


def test_modalities_are_parts_of_the_totals() -> None:
    """The conventions' own example: 100 text of which 40 are cached, and 200 image."""
    call = call_of(
        {
            "gen_ai.usage.input_tokens": 300,
            "gen_ai.usage.output_tokens": 80,
            "gen_ai.usage.cache_read.input_tokens": 40,
            "gen_ai.usage.image.input_tokens": 200,
            "gen_ai.usage.audio.output_tokens": 30,
        }
    )

    expected = {"input": 60, "cache_read": 40, "image_input": 200}
    assert {**expected, "output": 50, "audio_output": 30} == call.usage


def test_cached_audio_has_a_bucket_of_its_own() -> None:
    call = call_of(
        {
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 50,
            "gen_ai.usage.audio.input_tokens": 70,
            "gen_ai.usage.audio.cache_read.input_tokens": 30,
            "gen_ai.usage.output_tokens": 1,
        }
    )

    expected = {"input": 10, "audio_input": 40, "cache_read": 20, "cache_read_audio": 30}
    assert {**expected, "output": 1} == call.usage


def test_audio_that_may_be_the_cached_part_is_counted_once() -> None:
    """All of the prompt is audio, 50 of it cached: no negative text, no token twice."""
    call = call_of(
        {
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 50,
            "gen_ai.usage.audio.input_tokens": 100,
            "gen_ai.usage.output_tokens": 1,
        }
    )

    assert call.usage == {"audio_input": 50, "cache_read": 50, "output": 1}


def test_more_audio_than_input_is_nonsense() -> None:
    call = call_of({**CHAT, "gen_ai.usage.audio.input_tokens": 1001})

    assert call.usage is None
    assert "audio and image tokens exceed the input tokens" in call.invalid


@pytest.mark.parametrize(
    ("scope", "provider", "expected"),
    [
        # opentelemetry-instrumentation-genai-bedrock 1.3b0: raw inputTokens
        (("opentelemetry.instrumentation.genai.bedrock", "1.3b0"), "aws.bedrock", "exclusive"),
        # older util-genai: the library is not in the scope
        (("opentelemetry.util.genai.handler", "0.2b0"), "aws.bedrock", "exclusive"),
        (("opentelemetry.util.genai.handler", "0.2b0"), "openai", "inclusive"),
        # botocore 0.66b2
        (
            ("opentelemetry.instrumentation.botocore.bedrock-runtime", "0.66b2"),
            "aws.bedrock",
            "exclusive",
        ),
        (("opentelemetry.instrumentation.genai.anthropic", "1.3b0"), "anthropic", "inclusive"),
        (("pydantic-ai", "2.68.0"), "anthropic", "inclusive"),
        # others that write the official keys with a meaning of their own
        (("openlit.otel.tracing", ""), "anthropic", "exclusive"),
        (("openlit.otel.tracing", ""), "openai", "inclusive"),
        (("agent_framework", "1.23"), "aws.bedrock", "exclusive"),
        (("opentelemetry.instrumentation.ag2", ""), "anthropic", "exclusive"),
        (("opentelemetry.instrumentation.ag2", ""), "openai", "inclusive"),
        (("org.springframework.boot", ""), "anthropic", "exclusive"),
    ],
)
def test_a_known_emitter_counts_as_its_source_says(
    scope: tuple[str, str], provider: str, expected: str
) -> None:
    """The same three numbers, which no arithmetic can tell apart, mean two things."""
    call = call_of({**CHAT, **CACHED, "gen_ai.provider.name": provider}, scope=scope)

    uncached = {"inclusive": 300, "exclusive": 1000}[expected]
    assert expected == call.convention
    assert call.usage is not None
    assert uncached == call.usage["input"]


def test_openlit_counts_googles_reasoning_beside_output() -> None:
    """OpenLIT 1.45, google_ai_studio/utils.py: thoughts are not in completion tokens."""
    call = call_of(
        {
            **CHAT,
            "gen_ai.provider.name": "gcp.gemini",
            "gen_ai.usage.reasoning_tokens": 40,
        },
        scope=("openlit.otel.tracing", ""),
    )

    assert call.usage == {"input": 1000, "output": 140, "reasoning": 40}
