"""What the keys of a rate card mean once it is loaded."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest

from costspan_pricing.ratecard.load import RateCardError, load_card, load_cards, read_card
from costspan_pricing.ratecard.shape import Pattern, Policy, Rate, Span
from costspan_pricing.usage import TOKENS, Unit
from ratecards import EXAMPLES, HEAD, card

YEAR = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
EFFECTIVE = "effective: {from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}\n"


def rate(body: str) -> Rate:
    """The one rate of a card, for every call."""
    return card(f"rates: [{{match: {{}}, {body}}}]").rates[0]


# --- the card ------------------------------------------------------------------------------------


def test_a_card_needs_a_version_and_an_id_only() -> None:
    """It then holds always, everywhere, for the book in use, and flags what has no price."""
    smallest = card()

    assert ("acme", "1", "", "card.yaml") == (
        smallest.id, smallest.revision, smallest.owner, smallest.source,
    )  # fmt: skip
    assert smallest.span.holds(datetime(1, 1, 1, tzinfo=UTC))
    assert smallest.span.holds(datetime(9999, 12, 31, tzinfo=UTC))
    assert (smallest.scope, smallest.book, smallest.min_date) == ({}, "bundled", None)
    assert smallest.unpriced is Policy.FLAG
    assert not (smallest.rates)
    assert not (smallest.discounts)
    assert not (smallest.aliases)
    assert not (smallest.capacity)


def test_every_key_of_the_head_arrives() -> None:
    full = card(
        "revision: 7\nowner: finance@acme.example\ncurrency: USD\n"
        "approved: {by: j.doe, on: 2026-10-02, ticket: FIN-1182}\n"
        + EFFECTIVE
        + "applies_to: {resource: {deployment.environment: [prod, Staging], team: a*}}\n"
        "list: {book: prices-x, min_date: 2026-11-01}\nunpriced: {policy: list_of_family}\n"
    )

    assert (full.revision, full.owner, full.book) == ("7", "finance@acme.example", "prices-x")
    assert full.span == YEAR
    assert full.min_date == date(2026, 11, 1)
    assert full.unpriced is Policy.LIST_OF_FAMILY
    assert full.scope == {
        "deployment.environment": (Pattern("exact", "prod"), Pattern("exact", "staging")),
        "team": (Pattern("glob", "a*"),),
    }


def test_the_reference_of_a_card_holds_the_hash_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(HEAD + "revision: 4\n")

    loaded = load_card(path)

    assert loaded.ref == f"acme@4+{sha256(path.read_bytes()).hexdigest()[:8]}"
    assert loaded == read_card(path.read_text(), str(path))


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "card.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())

    assert load_card(path).id == "acme"


def test_the_revision_is_text_even_if_it_looks_like_a_number() -> None:
    assert card("revision: 1.10\n").revision == "1.10"


def test_empty_lists_and_mappings_are_no_entries() -> None:
    """All entries may be commented out."""
    assert card("rates:\ndiscounts: []\napplies_to:\neffective: {}\n") == card()._replace(
        sha256=card("rates:\ndiscounts: []\napplies_to:\neffective: {}\n").sha256
    )


def test_null_written_out_is_as_if_the_key_were_absent() -> None:
    assert card("effective: {from: 2026-01-01, to: null}\n").span.end.year == 9999


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_load(path: Path) -> None:
    assert load_card(path).owner


def test_the_examples_load_together() -> None:
    """They belong to one company: nothing in one contradicts another."""
    assert len(load_cards(EXAMPLES)) == len(EXAMPLES) == 3


# --- instants ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T00:00:00Z", datetime(2026, 7, 1, tzinfo=UTC)),
        ('"2026-07-01T02:30+02:00"', datetime(2026, 7, 1, 0, 30, tzinfo=UTC)),
        ("2026-06-30 17:00:00.25-07:00", datetime(2026, 7, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_utc(text: str, expected: datetime) -> None:
    """A date is its midnight in UTC."""
    assert expected == card(f"effective: {{from: {text}}}\n").span.start


def test_an_entry_without_dates_has_those_of_the_contract() -> None:
    dated = card(
        EFFECTIVE + "discounts:\n"
        "  - {match: {provider: a}, multiplier: '1'}\n"
        "  - {match: {provider: b}, multiplier: '1', from: 2026-07-01}\n"
        "  - {match: {provider: c}, multiplier: '1', to: 2026-07-01}\n"
    )
    july = datetime(2026, 7, 1, tzinfo=UTC)

    assert [Span(YEAR.start, YEAR.end), Span(july, YEAR.end), Span(YEAR.start, july)] == [
        each.span for each in dated.discounts
    ]


def test_an_entry_may_have_exactly_the_dates_of_the_contract() -> None:
    same = "from: 2026-01-01, to: 2027-01-01T00:00:00Z"
    body = f"{EFFECTIVE}discounts: [{{match: {{}}, multiplier: '1', {same}}}]\n"

    assert card(body).discounts[0].span == YEAR


def test_a_span_is_half_open() -> None:
    assert YEAR.holds(YEAR.start)
    assert not YEAR.holds(YEAR.end)


# --- prices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "unit", "dollars"),
    [
        ('usd_per_mtok: {input: "4.25"}', Unit.INPUT, Fraction(425, 10**8)),
        ('usd_per_ktok: {cache_read: "0.0011"}', Unit.CACHE_READ, Fraction(11, 10**7)),
        ('usd_per_token: {output: "0.00002125"}', Unit.OUTPUT, Fraction(2125, 10**8)),
        ('usd_per_token: {output: "2.125e-5"}', Unit.OUTPUT, Fraction(2125, 10**8)),
        ('usd_per_1000: {web_search: "8"}', Unit.WEB_SEARCH, Fraction(8, 1000)),
        ('usd_per_unit: {images: "0.035"}', Unit.IMAGES, Fraction(35, 1000)),
        ('usd_per_unit: {audio_seconds: "0.0001"}', Unit.AUDIO_SECONDS, Fraction(1, 10**4)),
        ('usd_per_hour: {audio_seconds: "0.36"}', Unit.AUDIO_SECONDS, Fraction(36, 360_000)),
        ("usd_per_mtok: {input: 0.1}", Unit.INPUT, Fraction(1, 10**7)),
        ("usd_per_mtok: {input: 3}", Unit.INPUT, Fraction(3, 10**6)),
        ('usd_per_mtok: {input: "0"}', Unit.INPUT, Fraction(0)),
    ],
)
def test_a_price_is_exact_for_a_single_unit(body: str, unit: Unit, dollars: Fraction) -> None:
    """Also unquoted: a decimal is read from its text, never through a float."""
    assert {unit: dollars} == rate(body).usd


@pytest.mark.parametrize("unit", sorted(Unit))
def test_every_unit_can_be_priced(unit: Unit) -> None:
    key = "usd_per_mtok" if unit in TOKENS else "usd_per_unit"

    assert list(rate(f'{key}: {{{unit}: "1"}}').usd) == [unit]


def test_prices_of_several_keys_are_one_table() -> None:
    both = rate('usd_per_mtok: {input: "2"}, usd_per_1000: {web_search: "8"}')

    assert {Unit.INPUT: Fraction(2, 10**6), Unit.WEB_SEARCH: Fraction(8, 1000)} == both.usd


def test_long_context_has_prices_of_its_own() -> None:
    long = rate(
        'usd_per_mtok: {input: "4", output: "20"},'
        ' long_context: {over: 200000, usd_per_ktok: {input: "0.008"}}'
    )

    assert (long.over, long.usd_over) == (200_000, {Unit.INPUT: Fraction(8, 10**6)})
    assert rate('usd_per_mtok: {input: "4"}').over is None


def test_factors_of_a_context_are_keyed_by_key_and_value() -> None:
    factors = rate(
        'usd_per_mtok: {input: "4"}, context: {batch: "0.5", geo:us: "1.1", TIER:Flex: "0.6",'
        " speed:fast: 2, region:eastus2: 1.05, deployment:data-zone: '1.1', search:high: '3'}"
    ).factors

    assert factors == {
        ("batch", "true"): Fraction(1, 2),
        ("geo", "us"): Fraction(11, 10),
        ("tier", "flex"): Fraction(6, 10),
        ("speed", "fast"): Fraction(2),
        ("region", "eastus2"): Fraction(105, 100),
        ("deployment", "data-zone"): Fraction(11, 10),
        ("search", "high"): Fraction(3),
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("deployment:DataZoneStandard", [("deployment", "data-zone")]),
        ("deployment:Standard", [("deployment", "regional")]),
        ("deployment:GlobalStandard", []),
        ("tier:default", []),
        ("geo:global", []),
        ("batch:true", [("batch", "true")]),
    ],
)
def test_a_factor_is_for_the_value_that_calls_are_read_to_have(
    written: str, read: list[tuple[str, str]]
) -> None:
    """Other words for the same deployment type are one; a factor of 1 on the standard is none."""
    body = f'usd_per_mtok: {{input: "4"}}, context: {{{written}: "1"}}'

    assert read == list(rate(body).factors)


# --- the other lists -----------------------------------------------------------------------------


def test_a_match_may_name_one_or_several() -> None:
    match = card(
        'discounts: [{match: {provider: [OpenAI, azure], model: "GPT-4*",'
        " resource: {service.name: [a, b]}}, multiplier: '0.9'}]"
    ).discounts[0].match  # fmt: skip

    assert (match.providers, match.models) == (("openai", "azure"), (Pattern("glob", "gpt-4*"),))
    assert match.resource == {"service.name": (Pattern("exact", "a"), Pattern("exact", "b"))}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("google", "google"),  # the book's id: both of its APIs
        ("gcp.vertex_ai", "gcp.vertex_ai"),
        ("Vertex AI", "gcp.vertex_ai"),
        ("bedrock", "aws.bedrock"),
        ("aws", "aws"),
        ("xai", "x_ai"),
        ("x-ai", "x-ai"),
        ("somebody", "somebody"),
    ],
)
def test_a_provider_is_the_books_or_the_canonical_name(written: str, read: str) -> None:
    body = f"discounts: [{{match: {{provider: {written}}}, multiplier: '0.9'}}]"

    assert (read,) == card(body).discounts[0].match.providers


@pytest.mark.parametrize(
    ("body", "units"),
    [
        ("", TOKENS),
        (", applies_to: tokens", TOKENS),
        (", applies_to: all", frozenset(Unit)),
        (", applies_to: web_search", frozenset({Unit.WEB_SEARCH})),
        (", applies_to: [input, output]", frozenset({Unit.INPUT, Unit.OUTPUT})),
        (", applies_to: [tokens, web_search]", TOKENS | {Unit.WEB_SEARCH}),
    ],
)
def test_a_discount_moves_tokens_unless_it_says_otherwise(
    body: str, units: frozenset[Unit]
) -> None:
    discount = card(f"discounts: [{{match: {{}}, multiplier: '0.82'{body}}}]").discounts[0]

    assert (discount.multiplier, discount.units) == (Fraction(82, 100), units)


@pytest.mark.parametrize("text", ["10", "10.00", "0.000000000000000001"])
def test_a_multiplier_may_be_ten_and_anything_above_zero(text: str) -> None:
    discount = card(f"discounts: [{{match: {{}}, multiplier: '{text}'}}]").discounts[0]

    assert Fraction(text) == discount.multiplier


def test_discounts_stack_only_if_they_say_so() -> None:
    two = card(
        "discounts:\n  - {match: {}, multiplier: 0.9}\n"
        "  - {match: {}, multiplier: 0.98, stack: true}\n"
    ).discounts

    assert [False, True] == [each.stack for each in two]
    assert [4, 5] == [each.line for each in two]


def test_an_alias_names_a_model_and_what_is_known_of_its_calls() -> None:
    alias = card(
        "aliases: [{provider: azure, model: [a, b*], sku: azure/meta/Llama-3.3, context:"
        " {deployment: Data-Zone, region: eastus2, batch: true, tier: flex, speed: fast, geo: eu,"
        " search: high}}]"
    ).aliases[0]

    assert alias.match.providers == ("azure",)
    assert alias.match.models == (Pattern("exact", "a"), Pattern("glob", "b*"))
    assert (alias.provider, alias.model) == ("azure", "meta/Llama-3.3")
    assert alias.context == {
        "tier": "flex", "batch": "true", "speed": "fast", "geo": "eu", "region": "eastus2",
        "deployment": "data-zone", "search": "high",
    }  # fmt: skip


def test_an_alias_without_a_provider_is_for_any() -> None:
    alias = card("aliases: [{model: chat, sku: openai/gpt-4o}]").aliases[0]

    assert (alias.match.providers, alias.context) == ((), {})


def test_capacity_spreads_its_hour_over_the_tokens_that_are_stated() -> None:
    full, bare = card(
        "capacity:\n"
        "  - {match: {model: ptu-*}, marginal_usd: '0.001', shadow_sku: azure/gpt-4.1,"
        " amortise: {usd_per_hour: '26.00', method: by_tokens, tokens_per_hour: 9000000}}\n"
        "  - {match: {model: other}, amortise: {usd_per_hour: '3'}}\n"
    ).capacity

    assert (full.marginal, full.shadow) == (Fraction(1, 1000), ("azure", "gpt-4.1"))
    assert full.usd_per_hour == 26
    assert full.usd_per_token == Fraction(26, 9_000_000)
    assert bare.marginal == 0
    assert bare.usd_per_hour == 3
    assert bare.shadow is None
    assert bare.usd_per_token is None


def test_meters_and_showback() -> None:
    loaded = card(
        "meters: [{name: cache-storage, unit: mtok_hour, usd: '4.50'}]\n"
        "showback: [{match: {resource: {service.name: team-a}}, multiplier: '1.07'}]\n"
    )

    assert tuple(loaded.meters[0]) == ("cache-storage", "mtok_hour", Fraction(9, 2))
    assert loaded.showback[0].multiplier == Fraction(107, 100)


# --- files ---------------------------------------------------------------------------------------


def test_the_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    good, bad, gone = (tmp_path / name for name in ("good.yaml", "bad.yaml", "gone.yaml"))
    good.write_text(HEAD)
    bad.write_text("apiVersion: ratecard/v2\nid: other\nrate: []\n")

    with pytest.raises(RateCardError) as caught:
        load_cards([good, bad, gone])

    assert caught.value.faults == (
        f"{bad}:1:13: apiVersion: expected ratecard/v1, saw 'ratecard/v2'",
        f"{bad}:3:1: rate: unknown key; the nearest is 'rates'",
        f"{gone}: the file can't be read: No such file or directory",
    )


def test_a_file_is_text(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_bytes(HEAD.encode() + b"owner: \xff\n")

    with pytest.raises(RateCardError, match="expected UTF-8 text, saw byte 0xff"):
        load_card(path)


def test_two_cards_have_two_ids(tmp_path: Path) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for path in paths:
        path.write_text(HEAD)

    with pytest.raises(RateCardError, match=r"b\.yaml:2:1: id: the id 'acme' is already that of"):
        load_cards(paths)
