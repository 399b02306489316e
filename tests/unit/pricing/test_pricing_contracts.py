"""Rate cards applied: what wins over what, and what a quote says of it.

List prices are those of a small book with round numbers; expected amounts are worked out by hand.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from costspan_pricing import Context, Pricer, Quote, Reason, Usage, format_usd, load_book
from costspan_pricing.book import PriceBook
from costspan_pricing.ratecard.load import read_card

HEAD = """
apiVersion: ratecard/v1
id: acme
revision: 7
owner: finance@acme.example
approved: {by: j.doe, on: 2026-10-02, ticket: FIN-1182}
currency: USD
effective: {from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}
"""
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
TALK = {"input": 1000, "output": 100}
UP = ["input", "output", "cache_read"]
# USD per million tokens, per thousand searches
BOOK: dict[str, Any] = {
    "format": "costspan.prices/v2",
    "notice": "",
    "source": {"name": "test"},
    "per": {"input": 1000000, "output": 1000000, "cache_read": 1000000, "web_search": 1000},
    "owners": {},
    "providers": {
        "anthropic": {
            "uplifts": [{"when": {"geo": "us"}, "models": ["claude-opus-5"], "multiplier": "1.1",
                         "units": UP}],
            "models": [
                {"id": "claude-opus-5", "match": ["^claude-opus-5"],
                 "prices": [{"rates": {"input": "5", "output": "25", "cache_read": "0.5",
                                       "web_search": "10"}}],
                 "variants": [{"when": {"processing": "batch"},
                               "rates": {"input": "2.5", "output": "12.5", "cache_read": "0.25"}}]},
                {"id": "claude-haiku-5", "prices": [
                    {"rates": {"input": "1", "output": "5"},
                     "bands": [{"over": 200000, "rates": {"input": "2", "output": "7.5"}}]}]},
            ]},
        "openai": {"models": [
            {"id": "gpt-6", "prices": [{"rates": {"input": "2", "output": "8"}}]}]},
        "azure": {"fallback": ["openai"], "models": [
            {"id": "gpt-4.1", "prices": [{"rates": {"input": "2", "output": "8"}}],
             "variants": [{"when": {"deployment": "data-zone", "region": ["eastus", "westus"]},
                           "rates": {"input": "2.2", "output": "8.8"}}]}]},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    file: Path = tmp_path_factory.mktemp("book") / "small.json"
    file.write_text(json.dumps(BOOK))
    return load_book(file)


def ask(
    book: PriceBook, terms: str, model: str, buckets: dict[str, int] = TALK, **context: Any
) -> Quote:
    """A quote under one card; `model` is provider/model."""
    provider, _, name = model.partition("/")
    card = read_card(HEAD + terms, "acme.yaml")
    stated: dict[str, Any] = {"at": AT, "tier": "default"} | context
    return Pricer(book, [card]).quote(Usage(buckets), Context(provider, name, **stated))


def dollars(amount: int | None) -> str | None:
    return None if amount is None else format_usd(amount)


RATE = """
rates:
  - match: {provider: anthropic, model: "claude-opus-5*"}
    from: 2026-07-01T00:00:00Z
    usd_per_mtok: {input: "4", output: "20"}
    context: {batch: "0.5", "geo:us": "1.2"}
"""
OFF = "discounts: [{match: {provider: anthropic}, multiplier: '0.8', applies_to: tokens}]"


def test_a_negotiated_price_replaces_the_list_price_and_both_are_kept(book: PriceBook) -> None:
    quote = ask(book, RATE, "anthropic/claude-opus-5")

    assert dollars(quote.total) == "0.006"  # 1000 x 4 + 100 x 20 per million
    assert dollars(quote.list_total) == "0.0075"  # 5, 25
    assert quote.effective_total == quote.total
    assert quote.price_ref.split(";")[2:] == [
        "2026-07-01T00:00:00Z", f"acme@7+{read_card(HEAD + RATE, 'a').sha256[:8]}"
    ]  # fmt: skip


def test_what_the_contract_does_not_name_stays_at_list(book: PriceBook) -> None:
    quote = ask(book, RATE, "anthropic/claude-opus-5", {"cache_read": 1000, "web_search": 2})

    assert dollars(quote.total) == "0.0205"  # 0.5 a million, 10 a thousand


@pytest.mark.parametrize(
    ("at", "usd"),
    [
        ("2026-06-30T23:59:59.999999+00:00", "0.0075"),
        ("2026-07-01T00:00:00+00:00", "0.006"),
        ("2026-12-31T23:59:59.999999+00:00", "0.006"),
        ("2027-01-01T00:00:00+00:00", "0.0075"),
        ("2027-01-01T00:30:00+01:00", "0.006"),
    ],
)
def test_a_contract_holds_from_its_first_instant_until_before_its_last(
    book: PriceBook, at: str, usd: str
) -> None:
    instant = datetime.fromisoformat(at)

    assert dollars(ask(book, RATE, "anthropic/claude-opus-5", at=instant).total) == usd


def test_one_pricer_changes_the_price_at_the_instant_of_the_contract(book: PriceBook) -> None:
    pricer = Pricer(book, [read_card(HEAD + RATE, "acme.yaml")])
    days = [datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7, 6, 8)]

    totals = [
        pricer.quote(Usage(TALK), Context("anthropic", "claude-opus-5", day)).total for day in days
    ]

    assert [*map(dollars, totals)] == ["0.0075", "0.006", "0.0075", "0.006"]


@pytest.mark.parametrize(
    ("context", "usd", "list_usd"),
    [
        ({"batch": True}, "0.003", "0.00375"),  # 4, 20 x 0.5
        ({"geo": "us"}, "0.0072", "0.00825"),  # its own 1.2, not the list's 1.1
        ({"batch": True, "geo": "us"}, "0.0036", "0.004125"),
    ],
)
def test_a_contract_states_its_own_factors(
    book: PriceBook, context: dict[str, Any], usd: str, list_usd: str
) -> None:
    quote = ask(book, RATE, "anthropic/claude-opus-5", **context)

    assert (dollars(quote.total), dollars(quote.list_total)) == (usd, list_usd)


def test_a_factor_that_the_contract_leaves_out_is_the_lists(book: PriceBook) -> None:
    terms = RATE.replace(', "geo:us": "1.2"', "")

    assert dollars(ask(book, terms, "anthropic/claude-opus-5", geo="us").total) == "0.0066"


def test_a_context_without_a_negotiated_price_has_the_lists_and_a_mark(book: PriceBook) -> None:
    terms = RATE.replace('batch: "0.5", ', "")
    quote = ask(book, terms, "anthropic/claude-opus-5", batch=True)

    assert dollars(quote.total) == "0.00375"  # 2.5, 12.5
    assert any(mark.endswith("no rate for processing=batch") for mark in quote.assumed)


def test_a_commitment_has_a_price_only_by_contract(book: PriceBook) -> None:
    """Anthropic's Priority Tier is bought ahead: no list has a rate for it."""
    terms = RATE.replace('batch: "0.5"', '"tier:priority": "0.9"')

    assert ask(book, "", "anthropic/claude-opus-5", tier="priority").reason == "unknown_context"
    quote = ask(book, terms, "anthropic/claude-opus-5", tier="priority")
    assert (dollars(quote.total), quote.list_total) == ("0.0054", None)


def test_a_discount_is_a_factor_on_the_list_price_of_the_context(book: PriceBook) -> None:
    quote = ask(
        book, OFF, "anthropic/claude-opus-5", TALK | {"web_search": 1}, batch=True, geo="us"
    )

    assert dollars(quote.total) == "0.0133"  # (2.5, 12.5) x 1.1 x 0.8; the search at list: 0.01
    assert quote.modifiers == ("batch", "geo:us:1.1", "contract:0.8")
    assert dollars(quote.list_total) == "0.014125"


def test_a_negotiated_price_is_not_discounted_again(book: PriceBook) -> None:
    quote = ask(book, RATE + OFF, "anthropic/claude-opus-5", TALK | {"cache_read": 1000})

    assert dollars(quote.total) == "0.0064"  # 4, 20; cache read 0.5 x 0.8


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("anthropic/claude-opus-5", "0.00375"),  # 0.5: exact name
        ("anthropic/claude-opus-5-20260701", "0.00375"),  # a snapshot is the model it is of
        ("anthropic/claude-haiku-5", "0.0009"),  # 0.6: the longer glob
        ("openai/gpt-6", "0.00252"),  # 0.9: the providers
    ],
)
def test_the_most_specific_entry_wins_whatever_the_order(
    book: PriceBook, model: str, usd: str
) -> None:
    terms = """
discounts:
  - {match: {provider: [anthropic, openai]}, multiplier: "0.9"}
  - {match: {provider: anthropic, model: "claude-*"}, multiplier: "0.7"}
  - {match: {provider: anthropic, model: "claude-haiku-*"}, multiplier: "0.6"}
  - {match: {provider: anthropic, model: claude-opus-5}, multiplier: "0.5"}
"""
    assert dollars(ask(book, terms, model).total) == usd


def test_discounts_multiply_only_where_they_are_marked(book: PriceBook) -> None:
    terms = """
discounts:
  - {match: {provider: anthropic}, multiplier: "0.9"}
  - {match: {provider: anthropic, model: claude-opus-5}, multiplier: "0.5"}
  - {match: {provider: [anthropic, openai]}, multiplier: "0.8", stack: true}
"""
    assert dollars(ask(book, terms, "anthropic/claude-opus-5").total) == "0.003"  # x 0.5 x 0.8


def test_stacked_factors_stay_exact(book: PriceBook) -> None:
    """0.5 x 1.1 x 0.8725 of an Opus price needs 14 decimals: none may be lost."""
    terms = "discounts: [{match: {provider: anthropic}, multiplier: '0.8725'}]"
    quote = ask(book, terms, "anthropic/claude-opus-5", {"output": 1}, batch=True, geo="us")

    assert dollars(quote.total) == "0.000011996875"  # 12.5e-6 x 1.1 x 0.8725


@pytest.mark.parametrize(
    ("prompt", "usd"), [(200_000, "0.2"), (200_001, "0.400002"), (300_000, "0.6")]
)
def test_a_discount_holds_in_every_band_of_the_list(book: PriceBook, prompt: int, usd: str) -> None:
    full = ask(book, "", "anthropic/claude-haiku-5", {"input": prompt})
    less = ask(book, OFF, "anthropic/claude-haiku-5", {"input": prompt})

    assert dollars(full.total) == usd
    assert (less.total, less.list_total) == ((full.total or 0) * 4 // 5, full.total)


@pytest.mark.parametrize(
    ("prompt", "usd"), [(100_000, "0.09"), (100_001, "0.1600016"), (300_000, "0.48")]
)
def test_a_contract_has_its_own_long_context(book: PriceBook, prompt: int, usd: str) -> None:
    terms = """
rates:
  - match: {provider: anthropic, model: claude-haiku-5}
    usd_per_mtok: {input: "0.9"}
    long_context: {over: 100000, usd_per_mtok: {input: "1.6"}}
"""
    assert dollars(ask(book, terms, "anthropic/claude-haiku-5", {"input": prompt}).total) == usd


def test_a_model_that_no_list_has_is_priced_by_its_contract(book: PriceBook) -> None:
    terms = """
rates:
  - match: {provider: openai, model: "ft:gpt-6:acme:*"}
    usd_per_mtok: {input: "3", output: "12"}
"""
    quote = ask(book, terms, "openai/ft:gpt-6:acme:bot:1")

    assert (quote.status, dollars(quote.total), quote.list_total) == ("priced", "0.0042", None)
    assert ask(book, "", "openai/ft:gpt-6:acme:bot:1").reason == Reason.ALIAS_MISSING


def test_prices_of_searches_do_not_depend_on_how_tokens_are_run(book: PriceBook) -> None:
    terms = "rates: [{match: {provider: anthropic}, usd_per_1000: {web_search: '8'}}]"
    quote = ask(book, terms, "anthropic/claude-opus-5", TALK | {"web_search": 5}, batch=True)

    assert dollars(quote.total) == "0.04375"  # 2.5, 12.5 at list; 8 a thousand searches
    assert not any("no rate for" in mark for mark in quote.assumed)


# --- names, places, scope ------------------------------------------------------------------------

ALIAS = """
aliases:
  - provider: azure
    model: "prod-*"
    sku: azure/gpt-4.1
    context: {deployment: data-zone, region: eastus}
"""


def test_a_deployment_is_what_its_owner_says(book: PriceBook) -> None:
    quote = ask(book, ALIAS, "azure/prod-4")

    assert dollars(quote.total) == "0.00308"  # 2.2, 8.8
    assert quote.modifiers == ("alias:azure/gpt-4.1", "deployment:data-zone", "region:eastus")
    assert quote.price_ref.split(";")[3].startswith("acme@7+")
    assert ask(book, ALIAS, "azure/test-4").reason == Reason.ALIAS_MISSING


def test_prices_of_a_model_are_not_meant_for_a_deployment_of_that_name(book: PriceBook) -> None:
    """Azure lets its users call a deployment of GPT-4.1 `claude-opus-5`, or `gpt-6`."""
    terms = """
aliases: [{provider: openai, model: gpt-6, sku: azure/gpt-4.1}]
discounts: [{match: {model: gpt-6}, multiplier: "0.5"}]
"""
    assert dollars(ask(book, terms, "openai/gpt-6").total) == "0.0028"  # 2, 8: no discount


def test_a_price_may_be_agreed_for_the_name_of_a_deployment(book: PriceBook) -> None:
    terms = ALIAS + "discounts: [{match: {provider: azure, model: 'prod-*'}, multiplier: '0.5'}]"

    assert dollars(ask(book, terms, "azure/prod-4").total) == "0.00154"  # 2.2, 8.8 x 0.5


@pytest.mark.parametrize(
    ("resource", "usd"),
    [
        ({}, "0.0075"),
        ({"deployment.environment": "dev"}, "0.0075"),
        ({"deployment.environment": "prod"}, "0.006"),
        ({"deployment.environment": "staging", "service.name": "x"}, "0.006"),
    ],
)
def test_a_card_applies_to_its_resources_only(
    book: PriceBook, resource: dict[str, str], usd: str
) -> None:
    terms = RATE + "applies_to: {resource: {deployment.environment: [prod, staging]}}"
    card = read_card(HEAD + terms, "acme.yaml")

    assert Pricer(book, [card]).resource_keys == {"deployment.environment"}
    assert dollars(ask(book, terms, "anthropic/claude-opus-5", resource=resource).total) == usd


def test_remembered_prices_are_told_apart_by_resource(book: PriceBook) -> None:
    terms = RATE + "applies_to: {resource: {deployment.environment: [prod]}}"
    pricer = Pricer(book, [read_card(HEAD + terms, "acme.yaml")])
    stages = [{"deployment.environment": stage} for stage in ("dev", "prod", "dev")]

    totals = [
        pricer.quote(
            Usage(TALK), Context("anthropic", "claude-opus-5", AT, resource=resource)
        ).total
        for resource in stages
    ]

    assert [*map(dollars, totals)] == ["0.0075", "0.006", "0.0075"]


def test_showback_is_a_number_beside_the_cost(book: PriceBook) -> None:
    terms = "showback: [{match: {resource: {service.name: team-a}}, multiplier: '1.07'}]"
    ours = ask(book, terms, "openai/gpt-6", resource={"service.name": "team-a"})
    others = ask(book, terms, "openai/gpt-6", resource={"service.name": "team-b"})

    assert (dollars(ours.total), dollars(ours.showback_total)) == ("0.0028", "0.002996")
    assert (dollars(others.total), others.showback_total) == ("0.0028", None)


# --- capacity and policies -----------------------------------------------------------------------

PTU = """
capacity:
  - match: {provider: azure, model: "ptu-*"}
    marginal_usd: "0"
    shadow_sku: azure/gpt-4.1
    amortise: {usd_per_hour: "26.00", method: by_tokens, tokens_per_hour: 10000000}
"""


def test_capacity_costs_nothing_a_call_and_has_a_shadow_and_an_effective_price(
    book: PriceBook,
) -> None:
    quote = ask(book, PTU, "azure/ptu-chat")

    assert (quote.status, quote.total, quote.lines) == ("provisioned", 0, ())
    assert dollars(quote.list_total) == "0.0028"
    assert dollars(quote.effective_total) == "0.00286"  # 1100 tokens of 26 USD for ten million


def test_without_its_tokens_an_hour_the_effective_price_is_unknown(book: PriceBook) -> None:
    quote = ask(book, PTU.replace(", tokens_per_hour: 10000000", ""), "azure/ptu-chat")

    assert (quote.total, quote.effective_total) == (0, None)


@pytest.mark.parametrize(
    ("deployment", "status", "usd"),
    [
        ("", "provisioned", "0"),
        ("ProvisionedManaged", "provisioned", "0"),
        ("GlobalStandard", "priced", "0.0028"),  # spillover: 2, 8
        ("DataZoneStandard", "priced", "0.00308"),  # 2.2, 8.8
    ],
)
def test_what_spills_over_the_capacity_is_billed_by_the_token(
    book: PriceBook, deployment: str, status: str, usd: str
) -> None:
    quote = ask(book, PTU, "azure/ptu-chat", deployment=deployment, region="eastus")

    assert (quote.status, dollars(quote.total)) == (status, usd)


def test_provisioned_calls_without_a_card_have_no_price(book: PriceBook) -> None:
    quote = ask(book, "", "azure/gpt-4.1", deployment="ProvisionedManaged")

    assert (quote.reason, quote.total) == (Reason.UNKNOWN_CONTEXT, None)


@pytest.mark.parametrize(
    ("policy", "status", "reason", "usd"),
    [
        ("flag", "unpriced", "unknown_model", None),
        ("fail", "unpriced", "policy", None),
        ("list_of_family", "estimated", "", "0.0075"),
    ],
)
def test_what_nothing_prices_follows_the_policy(
    book: PriceBook, policy: str, status: str, reason: str, usd: str | None
) -> None:
    quote = ask(book, f"unpriced: {{policy: {policy}}}", "anthropic/claude-opus-6")

    assert (quote.status, quote.reason, dollars(quote.total)) == (status, reason, usd)


def test_an_estimate_names_the_model_whose_price_it_took(book: PriceBook) -> None:
    quote = ask(book, "unpriced: {policy: list_of_family}", "anthropic/claude-opus-6")

    assert "model=claude-opus-6:family price of claude-opus-5" in quote.assumed
    assert quote.model == "claude-opus-5"


def test_an_explanation_derives_every_rate(book: PriceBook) -> None:
    card = read_card(HEAD + OFF, "acme.yaml")
    context = Context("anthropic", "claude-opus-5", AT, "default", batch=True, geo="us")
    told = Pricer(book, [card]).explain(Usage(TALK), context)

    assert told.quote == Pricer(book, [card]).quote(Usage(TALK), context)
    rate = told.rates[0]
    assert (rate.unit, rate.origin, float(rate.base)) == ("input", "list", 2.5e-6)
    assert [(name.partition(" ")[0], float(step)) for name, step in rate.steps] == [
        ("geo:us", 1.1), (card.ref, 0.8)
    ]  # fmt: skip
    assert (told.since, told.until) == ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
