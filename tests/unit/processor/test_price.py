"""What a call is charged: ours if we know a price, theirs if only they do, else a reason."""

from __future__ import annotations

import msgspec
import pytest

from costspan.model import Charge, Line, LlmCall, Value
from costspan.processor.price import price
from costspan_pricing import Pricer
from hits import SECOND, START, call_of, small_pricer

MICRO = 10**12  # attos: a millionth of a dollar, so dollars per million tokens are per token
CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    return small_pricer()


def _priced(
    values: dict[str, Value], pricer: Pricer, own: dict[str, Value] | None = None
) -> LlmCall:
    call = call_of(values, own=own)
    price(call, pricer)
    return call


def test_a_charge_is_the_quote_as_text(pricer: Pricer) -> None:
    charge = _priced({**CHAT, "gen_ai.usage.cache_read.input_tokens": 400}, pricer).charge

    assert (
        Line("input", 600, str(5 * MICRO // 2), str(1500 * MICRO)),
        Line("cache_read", 400, str(5 * MICRO // 4), str(500 * MICRO)),
        Line("output", 100, str(10 * MICRO), str(1000 * MICRO)),
    ) == charge.lines
    assert ("priced", "", str(3000 * MICRO)) == (charge.status, charge.reason, charge.total)
    assert (str(3000 * MICRO), str(500 * MICRO)) == (charge.list_total, charge.savings)
    assert "gpt-4o" == charge.priced_model
    assert charge.price_ref.startswith("book@")


def test_the_instant_is_the_spans_end_in_whole_seconds(pricer: Pricer) -> None:
    """The price changes at START + 1 s; a double of nanoseconds would round the last instant up."""
    before, after = call_of(CHAT), call_of(CHAT)
    before.end_ns = START + SECOND - 1
    after.end_ns = START + SECOND
    price(before, pricer)
    price(after, pricer)

    assert (str(6500 * MICRO), str(3500 * MICRO)) == (before.charge.total, after.charge.total)


def test_a_span_without_an_end_is_priced_at_its_start(pricer: Pricer) -> None:
    call = call_of(CHAT)
    call.end_ns = 0
    price(call, pricer)

    assert str(6500 * MICRO) == call.charge.total


def test_the_latest_instant_of_the_wire_is_an_instant(pricer: Pricer) -> None:
    call = call_of(CHAT)
    call.end_ns = 2**64 - 1
    price(call, pricer)

    assert "priced" == call.charge.status


def test_the_model_that_answered_is_priced(pricer: Pricer) -> None:
    call = _priced(
        {**CHAT, "gen_ai.request.model": "my-alias", "gen_ai.response.model": "gpt-4o"}, pricer
    )

    assert "gpt-4o" == call.charge.priced_model


def test_an_answering_model_that_nobody_knows_leaves_the_asked_one(pricer: Pricer) -> None:
    """Compatible servers answer with a path of their own; what was assumed is said."""
    call = _priced({**CHAT, "gen_ai.response.model": "/models/snapshot-7"}, pricer)

    assert ("priced", "gpt-4o") == (call.charge.status, call.charge.priced_model)
    assert "model=request" in call.charge.assumed


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gen_ai.request.model": ""}, "no_model"),
        ({"gen_ai.request.model": "gpt-99"}, "unknown_model"),
        ({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, "no_usage"),
        ({"openai.response.service_tier": "flex"}, "unknown_context"),
    ],
)
def test_unknown_is_a_reason_and_never_zero(
    change: dict[str, Value], reason: str, pricer: Pricer
) -> None:
    charge = _priced({**CHAT, **change}, pricer).charge

    assert ("unpriced", reason, "", ()) == (
        charge.status,
        charge.reason,
        charge.total,
        charge.lines,
    )


def test_our_price_goes_before_a_reported_one(pricer: Pricer) -> None:
    call = _priced({**CHAT, "gen_ai.usage.total_cost": 9.0}, pricer)

    assert ("priced", str(3500 * MICRO)) == (call.charge.status, call.charge.total)
    assert str(9 * 10**18) == call.reported_cost


def test_a_reported_cost_is_the_total_where_we_know_none(pricer: Pricer) -> None:
    charge = _priced(
        {**CHAT, "gen_ai.request.model": "gpt-99", "operation.cost": 0.25}, pricer
    ).charge

    assert Charge("provider_reported", total=str(10**18 // 4), price_ref="reported") == charge


def test_nonsense_is_invalid_whatever_it_is_said_to_cost(pricer: Pricer) -> None:
    charge = _priced(
        {**CHAT, "gen_ai.usage.input_tokens": -1, "operation.cost": 0.25}, pricer
    ).charge

    assert Charge("invalid_usage") == charge


def test_buckets_that_contradict_each_other_are_invalid(pricer: Pricer) -> None:
    """A record from elsewhere may hold what no reading of a span would make."""
    call = msgspec.structs.replace(call_of(CHAT), usage={"input": 5, "output": 1, "reasoning": 9})
    price(call, pricer)

    assert ("invalid_usage", None) == (call.charge.status, call.usage)
    assert "reasoning (9)" in call.invalid


def test_an_aggregate_has_a_price_and_no_bill(pricer: Pricer) -> None:
    """The ledger bills it if nothing below it was seen, and never prices again."""
    call = _priced({**CHAT, "gen_ai.operation.name": "invoke_agent"}, pricer)

    assert ("priced", False, "not_inference") == (
        call.charge.status,
        call.billed,
        call.billed_reason,
    )


@pytest.mark.parametrize(
    ("values", "own"),
    [
        ({"gen_ai.agent.name": "planner"}, {}),
        ({**CHAT, "gen_ai.operation.name": "count_tokens"}, {}),
        (CHAT, {"window.financial.price_ref": "book@1;m;;list@0"}),
    ],
)
def test_what_is_no_call_of_ours_is_not_priced(
    values: dict[str, Value], own: dict[str, Value], pricer: Pricer
) -> None:
    call = _priced(values, pricer, own)

    assert (Charge(), False) == (call.charge, call.billed)


def test_a_cached_response_without_a_count_is_priced_as_counted_and_marked(pricer: Pricer) -> None:
    charge = _priced({**CHAT, "gen_ai.response.cached": True}, pricer).charge

    assert str(3500 * MICRO) == charge.total
    assert "cached_response:priced as counted" in charge.assumed


def test_with_a_count_the_discounted_rate_is_all_there_is_to_say(pricer: Pricer) -> None:
    values = {**CHAT, "gen_ai.response.cached": True, "gen_ai.usage.cache_read.input_tokens": 400}

    assert "cached_response:priced as counted" not in _priced(values, pricer).charge.assumed


def test_a_stated_context_reaches_the_book(pricer: Pricer) -> None:
    call = _priced({**CHAT, "gen_ai.cost.data_residency": "us"}, pricer)

    assert any(mark.startswith("geo=us") for mark in call.charge.assumed)
