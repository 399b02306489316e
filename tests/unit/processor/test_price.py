"""What a call is charged: ours if we know a price, theirs if only they do, else a reason."""

from __future__ import annotations

import msgspec
import pytest

from costspan.model import Charge, Line, LlmCall, Value
from costspan.processor.price import price
from costspan_pricing import Context, Pricer, Quote, Usage, load_book
from costspan_pricing.ratecard.load import read_card
from hits import BOOK, SECOND, START, call_of, small_pricer

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


# --- answers from a gateway's cache --------------------------------------------------------------

READ: dict[str, Value] = {"gen_ai.usage.cache_read.input_tokens": 400}


def test_an_answer_from_a_gateways_cache_is_free_and_saves_the_call(pricer: Pricer) -> None:
    charge = _priced({**CHAT, "litellm.cache_hit": True}, pricer).charge

    assert ("priced", "0", "0", str(3500 * MICRO), ()) == (
        charge.status,
        charge.total,
        charge.list_total,
        charge.savings,
        charge.lines,
    )
    assert ("gateway_cache:litellm",) == charge.modifiers
    assert "gpt-4o" == charge.priced_model
    assert charge.price_ref.startswith("book@")


def test_it_saves_against_the_same_call_without_any_cache(pricer: Pricer) -> None:
    """1000 tokens in at 2.5 and 100 out at 10: what the provider's cache took off counts too."""
    charge = _priced({**CHAT, **READ, "litellm.cache_hit": True}, pricer).charge

    assert ("0", str(3500 * MICRO)) == (charge.total, charge.savings)


def test_an_unknown_models_cached_answer_is_free_and_saves_nobody_knows_what(
    pricer: Pricer,
) -> None:
    values = {**CHAT, "gen_ai.request.model": "gpt-99", "litellm.cache_hit": True}
    charge = _priced(values, pricer).charge

    assert ("priced", "", "0", "", "gateway_cache") == (
        charge.status,
        charge.reason,
        charge.total,
        charge.savings,
        charge.price_ref,
    )


def test_a_reported_cost_beside_a_cached_answer_is_kept(pricer: Pricer) -> None:
    call = _priced({**CHAT, "litellm.cache_hit": True, "litellm.cost.total": 0.5}, pricer)

    assert ("0", str(10**18 // 2)) == (call.charge.total, call.reported_cost)


def test_the_flag_with_cached_tokens_is_the_discounted_rate(pricer: Pricer) -> None:
    """A reported zero does not outweigh them: 600 at 2.5, 400 at 1.25, 100 at 10."""
    values = {**CHAT, **READ, "gen_ai.response.cached": True, "operation.cost": 0.0}

    assert str(3000 * MICRO) == _priced(values, pricer).charge.total


def test_the_flag_with_a_reported_zero_is_free(pricer: Pricer) -> None:
    values = {**CHAT, "gen_ai.response.cached": True, "operation.cost": 0.0}
    charge = _priced(values, pricer).charge

    assert ("0", ("gateway_cache:reported_zero",)) == (charge.total, charge.modifiers)


# --- what a quote says beyond a price ------------------------------------------------------------


class _Answering(Pricer):
    """Answers every question with one quote, and remembers what it was asked."""

    def __init__(self, answer: Quote, resource_keys: frozenset[str] = frozenset()) -> None:
        super().__init__(load_book(BOOK))
        self.resource_keys = resource_keys
        self.answer = answer
        self.asked: list[Context] = []

    def quote(self, usage: Usage | None, context: Context) -> Quote:  # noqa: ARG002  its shape
        self.asked.append(context)
        return self.answer


def test_a_provisioned_call_is_charged_at_its_marginal_cost() -> None:
    quote = Quote(
        "provisioned", total=0, list_total=700, savings=0, effective_total=50, showback_total=60
    )
    charge = _priced(CHAT, _Answering(quote)).charge

    assert ("provisioned", "0", "700", "50", "60") == (
        charge.status,
        charge.total,
        charge.list_total,
        charge.effective_total,
        charge.showback_total,
    )


def test_an_effective_cost_that_is_the_cost_is_not_said_twice() -> None:
    quote = Quote("priced", total=5, list_total=9, effective_total=5)
    charge = _priced(CHAT, _Answering(quote)).charge

    assert ("5", "9", "", "") == (
        charge.total,
        charge.list_total,
        charge.effective_total,
        charge.showback_total,
    )


def test_a_reported_cost_does_not_replace_an_estimate() -> None:
    values = {**CHAT, "operation.cost": 0.25}
    call = _priced(values, _Answering(Quote("estimated", total=5)))

    assert ("estimated", "5", str(10**18 // 4)) == (
        call.charge.status,
        call.charge.total,
        call.reported_cost,
    )


def test_only_resource_attributes_that_a_rate_card_asks_for_are_context() -> None:
    pricer = _Answering(Quote("priced", total=5), frozenset({"team", "gpu", "absent"}))
    price(call_of(CHAT), pricer, {"team": "search", "gpu": True, "host.name": "pod-77"})

    assert {"team": "search", "gpu": "true"} == pricer.asked[0].resource


def test_without_such_a_rate_card_no_resource_is_context() -> None:
    pricer = _Answering(Quote("priced", total=5))
    price(call_of(CHAT), pricer, {"team": "search"})

    assert {} == pricer.asked[0].resource


def test_the_size_of_the_search_context_reaches_the_pricer() -> None:
    pricer = _Answering(Quote("priced", total=5))
    arguments = '{"web_search_options": {"search_context_size": "high"}}'
    price(call_of({**CHAT, "llm.invocation_parameters": arguments}), pricer)

    assert "high" == pricer.asked[0].search


# --- what was asked, under a name that only a rate card knows ------------------------------------

CARD = """
apiVersion: ratecard/v1
id: acme
revision: 1
owner: finance@acme.example
currency: USD
effective: {from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}
aliases:
  - {provider: openai, model: prod-chat, sku: openai/gpt-4o, context: {tier: default}}
capacity:
  - {match: {provider: openai, model: "ptu-*"}, marginal_usd: "0", shadow_sku: openai/gpt-4o}
rates:
  - match: {provider: openai, model: own-name}
    usd_per_mtok: {input: "1", output: "2"}
"""


@pytest.mark.parametrize(
    ("asked", "status", "total", "listed"),
    [
        ("prod-chat", "priced", 3500, 3500),  # an alias
        ("ptu-1", "provisioned", 0, 3500),  # capacity
        ("own-name", "priced", 1200, None),  # a negotiated price: 1000 at 1, 100 at 2
        ("gpt-99", "priced", 3500, 3500),  # a name that no card knows
    ],
)
def test_a_name_that_a_rate_card_knows_goes_before_the_model_that_answered(
    asked: str, status: str, total: int, listed: int | None
) -> None:
    """An Azure deployment answers with the name of the model behind it."""
    pricer = Pricer(load_book(BOOK), (read_card(CARD, "acme.yaml"),))
    values = {**CHAT, "gen_ai.request.model": asked, "gen_ai.response.model": "gpt-4o"}
    charge = _priced(values, pricer).charge

    assert (status, str(total * MICRO)) == (charge.status, charge.total)
    assert ("" if listed is None else str(listed * MICRO)) == charge.list_total
    assert (asked == "prod-chat") == ("alias:openai/gpt-4o" in charge.modifiers)


def test_the_answer_goes_first_where_the_book_knows_both() -> None:
    """A contract for the provider alone does not make the asked name the better one."""
    discount = 'discounts: [{match: {provider: openai}, multiplier: "0.5", applies_to: tokens}]'
    header = CARD.partition("aliases:")[0]
    pricer = Pricer(load_book(BOOK), (read_card(header + discount, "acme.yaml"),))
    values = {**CHAT, "gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "gpt-4o"}
    charge = _priced(values, pricer).charge

    assert ("gpt-4o", str(1750 * MICRO)) == (charge.priced_model, charge.total)
