"""The comparison with LiteLLM's map: what differs is found, and needs a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from crosscheck.compare import Comparison, Difference, compare
from crosscheck.names import named
from crosscheck.rates import exact, rates
from crosscheck.reasons import Reason, judge, read

from costspan_pricing import Pricer, load_book

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
PER = {"input": 10**6, "output": 10**6, "cache_read": 10**6, "cache_write_5m": 10**6}


@pytest.fixture
def pricer(tmp_path: Path) -> Pricer:
    """A book with one model of xAI's: a band, batch, and a price cut in the past."""
    model = {
        "id": "grok-9",
        "prices": [
            {"rates": {"input": "9", "output": "9"}},
            {
                "from": "2026-01-01T00:00:00Z",
                "rates": {"input": "3", "output": "15", "cache_read": "0.75"},
                "bands": [{"over": 199999, "rates": {"input": "6", "output": "30"}}],
            },
        ],
        "variants": [{"when": {"processing": "batch"}, "rates": {"input": "1.5"}}],
    }
    book = {
        "format": "costspan.prices/v2", "notice": "", "source": {}, "per": PER, "owners": {},
        "providers": {"x-ai": {"models": [model]}},
    }  # fmt: skip
    file = tmp_path / "book.json"
    file.write_text(json.dumps(book))
    return Pricer(load_book(file))


def compared(pricer: Pricer, **said: Any) -> Comparison:
    return compare({"xai/grok-9": {"litellm_provider": "xai", **said}}, pricer, AT)


def test_equal_rates_agree_to_the_last_digit(pricer: Pricer) -> None:
    """3e-06 dollars a token is 3 a million, in the band 6 and 30, in batch 1.5."""
    found = compared(
        pricer,
        input_cost_per_token=3e-06,
        output_cost_per_token=1.5e-05,
        cache_read_input_token_cost=7.5e-07,
        input_cost_per_token_above_200k_tokens=6e-06,
        output_cost_per_token_above_200k_tokens=3e-05,
        input_cost_per_token_batches=1.5e-06,
        max_tokens=131072,
    )
    assert found == Comparison(6, (), {})


def test_a_difference_names_the_rate_and_both_prices(pricer: Pricer) -> None:
    found = compared(pricer, input_cost_per_token_above_200k_tokens=4.5e-06)

    (difference,) = found.differences
    assert difference[:5] == ("x-ai", "xai/grok-9", "input>200000", Decimal("4.5"), Decimal(6))
    assert str(difference).startswith("x-ai xai/grok-9 input>200000: 4.5, ours 6 (")


def test_a_rate_that_we_lack_is_a_difference_unless_it_is_free(pricer: Pricer) -> None:
    """Flex is not in the book; a price of 0 for what we do not price says nothing."""
    found = compared(pricer, input_cost_per_token_flex=1e-06, output_cost_per_token_flex=0.0)

    (difference,) = found.differences
    assert (difference.rate, difference.ours) == ("input/flex", None)
    assert found.skipped == {"free there, no rate here": 1}


def test_prices_by_the_hour_are_compared_at_their_hours(tmp_path: Path) -> None:
    """LiteLLM has the peak price of 02:00 outside, that of noon inside `off_peak_pricing`."""
    hours = {"from": "01:00", "to": "04:00", "days": "12345", "rates": {"input": "0.3"}}
    price = {"rates": {"input": "0.15"}, "hours": [hours]}
    book = {
        "format": "costspan.prices/v2", "notice": "", "source": {}, "per": PER, "owners": {},
        "providers": {"deepseek": {"models": [{"id": "deepseek-x", "prices": [price]}]}},
    }  # fmt: skip
    file = tmp_path / "hours.json"
    file.write_text(json.dumps(book))
    entry = {
        "litellm_provider": "deepseek",
        "input_cost_per_token": 3e-07,
        "off_peak_pricing": {"input_cost_per_token": 1.5e-07},
    }
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC)

    found = compare({"deepseek-x": entry}, Pricer(load_book(file)), sunday)

    assert found == Comparison(2, (), {})


def test_reasoning_is_compared_with_the_rate_that_it_is_billed_at(pricer: Pricer) -> None:
    assert compared(pricer, output_cost_per_reasoning_token=1.5e-05).agree == 1


def test_models_that_the_book_does_not_have_are_counted_not_judged(pricer: Pricer) -> None:
    entries = {
        "xai/grok-1": {"litellm_provider": "xai", "input_cost_per_token": 1e-06},
        "replicate/x": {"litellm_provider": "replicate", "input_cost_per_token": 1e-06},
    }
    found = compare(entries, pricer, AT)

    assert found.differences == ()
    assert dict(found.skipped) == {
        "unknown_model": 1,
        "entries of other providers, or not by the token": 1,
    }


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (2.0000000000000002e-07, "2E-7"),
        (3.75e-07, "3.75E-7"),
        (8.333333333333334e-08, "8.33333333333E-8"),
        (0.0, "0"),
        (1, "1"),
    ],
)
def test_floats_are_read_as_the_decimal_that_was_meant(value: float, meant: str) -> None:
    assert str(exact(value)) == meant


def test_bands_in_a_list_are_read_too() -> None:
    tiers = [
        {"range": [0, 256000.0], "input_cost_per_token": 5e-08},
        {"range": [256000.0, 1e6], "input_cost_per_token": 2.5e-07},
    ]
    found = {rate.label: rate.usd for rate in rates({"tiered_pricing": tiers})}

    assert found == {"input": Decimal("5E-8"), "input>256000": Decimal("2.5E-7")}


@pytest.mark.parametrize(
    ("key", "litellm_provider", "expected"),
    [
        ("gpt-4o", "openai", ("openai", "gpt-4o", {})),
        ("gemini/gemini-2.5-pro", "gemini", ("gcp.gemini", "gemini-2.5-pro", {})),
        (
            "vertex_ai/claude-opus-4@1",
            "vertex_ai-anthropic_models",
            ("gcp.vertex_ai", "claude-opus-4@1", {}),
        ),
        ("azure/gpt-4.1", "azure", ("azure", "gpt-4.1", {})),
        (
            "azure/eu/gpt-4.1",
            "azure",
            ("azure", "gpt-4.1", {"deployment": "data-zone", "region": "westeurope"}),
        ),
        ("us.amazon.nova-pro-v1:0", "bedrock", ("aws", "us.amazon.nova-pro-v1:0", {})),
        (
            "bedrock/us-gov-west-1/meta.llama3-8b-instruct-v1:0",
            "bedrock",
            ("aws", "meta.llama3-8b-instruct-v1:0", {"region": "us-gov-west-1"}),
        ),
        ("bedrock/us-east-1/1-month-commitment/cohere.command-text-v14", "bedrock", None),
        ("azure/us-gov/o3-mini", "azure", None),
        ("azure/low/1536-x-1024/gpt-image-1", "azure", None),
        ("replicate/meta/llama", "replicate", None),
    ],
)
def test_their_keys_are_understood(
    key: str, litellm_provider: str, expected: tuple[str, str, dict[str, str]] | None
) -> None:
    assert named(key, litellm_provider) == expected


def difference(key: str = "xai/grok-9", rate: str = "input") -> Difference:
    return Difference("x-ai", key, rate, Decimal(3), Decimal(2), ())


def reason(**said: Any) -> Reason:
    entry: dict[str, Any] = {
        "provider": "x-ai",
        "models": ("xai/*",),
        "verdict": "different_product",
        "because": "a reason",
        "checked": AT.date(),
    }
    return Reason(**(entry | said))


def test_a_difference_needs_a_reason() -> None:
    (fault,) = judge([difference()], []).faults

    assert fault == "no reason for x-ai xai/grok-9 input: 3, ours 2"


def test_the_first_reason_that_fits_counts() -> None:
    reasons = [reason(rates=("output*",)), reason(rates=("input*",)), reason(verdict="unpublished")]
    verdicts = judge([difference(), difference(rate="output>200000")], reasons)

    assert verdicts.explained == {"different_product": 2}
    assert verdicts.faults == ["reasons[2] explains nothing any more: x-ai xai/* *"]


def test_our_own_mistake_fails_even_when_it_is_known() -> None:
    (fault,) = judge([difference()], [reason(verdict="ours_wrong")]).faults

    assert fault.startswith("ours is wrong: x-ai xai/grok-9 input: 3, ours 2")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("verdict: litellm_wrong, because: it is", "a verdict of litellm_wrong needs a `url`"),
        ("verdict: litellm_stale, because: it is", "a verdict of litellm_stale needs a `url`"),
        ("verdict: fine, because: it is", "Invalid enum value 'fine'"),
        ("verdict: unpublished, because: ' '", "expected a sentence in `because`, got nothing"),
        ("verdict: unpublished, because: it is, note: x", "Object contains unknown field `note`"),
    ],
)
def test_a_reason_that_says_too_little_is_refused(
    tmp_path: Path, entry: str, expected: str
) -> None:
    file = tmp_path / "crosscheck.yaml"
    file.write_text(f"reasons:\n- {{provider: x-ai, models: [x], checked: 2026-11-23, {entry}}}")

    with pytest.raises(ValueError, match=r"crosscheck\.yaml: reasons\[0\]: ") as refused:
        read(file)

    assert expected in str(refused.value)
