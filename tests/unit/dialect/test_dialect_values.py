"""Values that SDKs really send: what is a count, a name, a sum of money, and what is nonsense."""

from __future__ import annotations

import pytest

from costspan.dialect.values import attos, count, is_zero, text
from costspan.model import Value
from hits import call_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (7, 7),
        (7.0, 7),  # JavaScript SDKs
        ("7", 7),  # Spring AI: Micrometer writes strings
        (" 7 ", 7),
        ("7.0", 7),
        (10**12, 10**12),
    ],
)
def test_a_whole_number_is_a_count_in_any_type(value: Value, expected: int) -> None:
    assert expected == count(value)


@pytest.mark.parametrize("value", [None, "", "  ", float("nan"), "NaN", "null", "None"])
def test_what_says_nothing_is_unknown_and_not_zero(value: Value) -> None:
    """Vercel AI 4 writes NaN for a stream whose usage never came."""
    assert count(value) is None


@pytest.mark.parametrize(
    "value",
    [
        -1,
        True,
        False,
        1.5,
        float("inf"),
        float("-inf"),
        -0.5,
        10**12 + 1,
        2**63 - 1,
        1e300,
        "1.5",
        "-3",
        "1_000",
        "1e3",
        "٣",
        "9" * 5000,
        "many",
        b"7",
        [7],
        {"input": 7},
    ],
)
def test_nonsense_is_refused_with_what_was_seen(value: Value) -> None:
    with pytest.raises(ValueError, match="expected a whole number of tokens") as refusal:
        count(value)

    assert len(str(refusal.value)) < 120


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gpt-4o", "gpt-4o"),
        (5, "5"),
        (True, "true"),
        (0.5, "0.5"),
        (None, ""),
        ([], ""),
        (b"x", ""),
    ],
)
def test_a_name_is_text(value: Value, expected: str) -> None:
    assert expected == text(value)


def test_a_name_longer_than_any_name_is_cut() -> None:
    assert len(text("x" * 100_000)) == 512


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("0.0123", "12300000000000000"),
        ("8e-08", "80000000000"),  # Pydantic AI's embedding of 4 tokens
        ("0.1", "100000000000000000"),
        ("3", "3000000000000000000"),
        ("0.000000000000000001", "1"),
    ],
)
def test_a_reported_cost_is_exact(stated: str, expected: str) -> None:
    assert expected == attos(stated)


@pytest.mark.parametrize(
    "stated", ["", "0", "0.0", "-1", "nan", "inf", "1e99", "true", "$1", "0.1 USD", "1e-30"]
)
def test_what_is_no_sum_of_money_is_not_reported(stated: str) -> None:
    """Zero neither: OpenLIT and LiteLLM report 0 for a model that they do not know."""
    assert not attos(stated)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("0", True), ("0.0", True), ("0e-7", True), ("1e-9", False), ("", False), ("-0", False)],
)
def test_a_stated_zero_is_told_from_silence(stated: str, *, expected: bool) -> None:
    assert expected == is_zero(stated)


@pytest.mark.parametrize("value", [-5, True, 1.5, "many", [1]])
def test_nonsense_on_a_span_flags_it_and_bills_nothing(value: Value) -> None:
    call = call_of({"gen_ai.usage.input_tokens": value, "gen_ai.usage.output_tokens": 5})

    assert call.usage is None
    assert call.invalid.startswith("gen_ai.usage.input_tokens: expected a whole number")
    assert call.billed


@pytest.mark.parametrize("zero", [0, 0.0, "0", float("nan"), None, ""])
def test_nothing_in_and_nothing_out_is_unknown(zero: Value) -> None:
    """openai_v2 2.4b0 writes 0/0 for streams without usage: no model call is free of tokens."""
    call = call_of(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": zero,
            "gen_ai.usage.output_tokens": zero,
        }
    )

    assert (call.usage, call.invalid, call.convention) == (None, "", "")
    assert (call.billed, call.billed_reason) == (False, "no_usage")
