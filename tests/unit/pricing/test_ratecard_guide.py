"""The guide for finance people tells the truth: its card loads, its faults are those that come."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from costspan_pricing import Context, Pricer, Usage, format_usd, load_book
from costspan_pricing.dating import instant
from costspan_pricing.ratecard.check import check_card, warn_card
from costspan_pricing.ratecard.kinds import ListOf, Section
from costspan_pricing.ratecard.load import RateCardError, read_card
from costspan_pricing.ratecard.tables import CARD
from costspan_pricing.usage import Unit
from ratecards import card

GUIDE = (Path(__file__).parents[3] / "docs" / "how-to" / "rate-cards.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
FIRST_CARD = BLOCKS[0] + "\n" + BLOCKS[1]


def test_the_first_card_is_good_and_costs_what_the_guide_says() -> None:
    """2.20 + 0.88 = 3.08 dollars, worked out by hand in the guide."""
    book = load_book()
    first = read_card(FIRST_CARD, "acme-openai.yaml")
    at = instant("2026-11-01T12:00:00Z")
    usage = Usage({"input": 1_000_000, "output": 100_000})

    quote = Pricer(book, [first]).quote(usage, Context("openai", "gpt-4o", at))

    assert check_card(first, book) == warn_card(first, book) == []
    assert quote.total is not None
    assert format_usd(quote.total) == "3.08"
    assert "3.08 dollars" in GUIDE


def test_the_faults_in_the_guide_are_those_of_its_card() -> None:
    damaged = FIRST_CARD.replace("{input:", "{inptu:").replace('"8.80"', '"$8.80"')

    with pytest.raises(RateCardError) as caught:
        read_card(damaged, "acme-openai.yaml")

    assert all(fault in GUIDE for fault in caught.value.faults), caught.value.faults
    assert len(caught.value.faults) == 2


def test_the_other_discounts_of_the_guide_are_a_card() -> None:
    stacked = next(block for block in BLOCKS if "stack: true" in block)

    assert len(card(stacked).discounts) == 2


def test_every_key_and_every_unit_is_explained() -> None:
    keys = [*CARD.keys]
    for key in CARD.keys.values():
        below = key.kind.section if isinstance(key.kind, ListOf) else key.kind
        keys += below.keys if isinstance(below, Section) else ()
    missing = [name for name in (*keys, *Unit) if not re.search(rf"\b{name}\b", GUIDE)]

    assert len(keys) > 40
    assert missing == []
