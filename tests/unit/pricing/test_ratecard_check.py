"""A rate card held against the shipped price book: what is wrong, and what looks wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from costspan_pricing import load_book
from costspan_pricing.ratecard.check import check_card, warn_card
from costspan_pricing.ratecard.load import load_card
from ratecards import EXAMPLES, card

BOOK = load_book()
DATED = "effective: {from: 2026-01-01, to: 2027-01-01}\n"


def checked(body: str) -> list[str]:
    return check_card(card(DATED + body), BOOK)


def warned(body: str) -> list[str]:
    return warn_card(card(DATED + body), BOOK)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_fit_the_shipped_book(path: Path) -> None:
    example = load_card(path)

    assert check_card(example, BOOK) == []
    assert warn_card(example, BOOK) == []


@pytest.mark.parametrize(
    "sku",
    [
        "openai/gpt-4o",
        "azure/gpt-4o",
        "gcp.vertex_ai/gemini-2.5-pro",
        "aws/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "aws/us.anthropic.claude-sonnet-4-5",
        "fireworks/accounts/fireworks/models/deepseek-r1-0528",
    ],
)
def test_an_alias_stands_for_a_model_of_the_book(sku: str) -> None:
    """By any name that a trace could have."""
    assert checked(f"aliases: [{{model: mine, sku: '{sku}'}}]") == []


@pytest.mark.parametrize(
    ("sku", "sentence"),
    [
        ("azure/gpt-4oo", "saw azure/gpt-4oo; the nearest is azure/gpt-4o"),
        ("azuer/gpt-4o", "saw the provider 'azuer'; the nearest is azure"),
        ("openai/qqqqqqq", "saw openai/qqqqqqq"),
    ],
)
def test_an_alias_of_no_model_is_a_fault(sku: str, sentence: str) -> None:
    assert checked(f"aliases:\n  - {{model: mine, sku: {sku}}}\n") == [
        f"card.yaml:5: sku: expected a model of the price book, {sentence}"
    ]


def test_a_shadow_of_no_model_is_a_fault() -> None:
    (fault,) = checked("capacity: [{match: {model: ptu-*}, shadow_sku: azure/gpt-41}]")

    assert fault.startswith("card.yaml:4: shadow_sku: expected a model of the price book, saw")


@pytest.mark.parametrize("written", ["bundled", BOOK.name, BOOK.ref])
def test_a_card_may_name_the_book_in_use(written: str) -> None:
    assert checked(f"list: {{book: '{written}'}}") == []


def test_another_book_is_a_fault() -> None:
    assert checked("list: {book: prices-other}") == [
        f"card.yaml: list.book: expected the book 'prices-other', in use is {BOOK.name!r}"
    ]


def test_a_book_that_is_too_old_is_a_fault() -> None:
    assert BOOK.date is not None
    same = BOOK.date.isoformat()

    assert checked(f"list: {{min_date: {same}}}") == []
    assert checked("list: {min_date: 2999-01-01}") == [
        f"card.yaml: list.min_date: expected a book of 2999-01-01 or later, saw {same}"
    ]


@pytest.mark.parametrize(
    "match",
    [
        "{}",
        "{provider: openai}",
        "{provider: openai, model: gpt-4o}",
        "{model: gpt-4o}",
        "{provider: azure, model: gpt-5*}",
        "{provider: gcp.vertex_ai, model: ~^gemini-2}",
        "{model: '*haiku*'}",
        "{provider: azure, model: [mine, min*]}",  # the alias below
    ],
)
def test_what_matches_a_model_or_an_alias_is_no_warning(match: str) -> None:
    body = f"aliases: [{{model: mine, sku: azure/gpt-4o}}]\nshowback: [{{match: {match}, "

    assert warned(body + "multiplier: 1}]\n") == []


@pytest.mark.parametrize(
    ("match", "sentence"),
    [
        ("{provider: openai, model: gpt-4oo-9}", "'gpt-4oo-9' is no model of the price book, and"),
        ("{model: 'gtp-*'}", "'gtp-*' is no model of the price book, and no alias"),
        ("{model: ~^gtp}", "'~^gtp' is no model of the price book, and no alias"),
        ("{provider: openia, model: gpt-4o}", "the price book has no provider 'openia'"),
        ("{provider: anthropic, model: gpt-4*}", "'gpt-4*' is no model of the price book, and"),
    ],
)
def test_what_matches_nothing_is_a_warning(match: str, sentence: str) -> None:
    (warning,) = warned(f"discounts:\n  - {{match: {match}, multiplier: 0.9}}\n")

    assert warning.startswith(f"card.yaml:5: discounts: {sentence}")


def test_a_cached_token_that_costs_more_than_a_fresh_one_is_a_warning() -> None:
    body = "rates: [{match: {}, usd_per_mtok: {input: %s, cache_read: %s}}]"

    assert warned(body % (3, 3)) == []
    assert warned(body % (3, "3.01")) == ["card.yaml:4: cache_read costs more than input"]


def test_a_contract_without_dates_is_a_warning() -> None:
    assert warn_card(card(), BOOK) == [
        "card.yaml: effective.from: the contract has no beginning",
        "card.yaml: effective.to: the contract has no end",
    ]
