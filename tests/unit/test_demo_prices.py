"""The demo's price list against the shipped book: two hands wrote them, they must agree."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from costspan.demo.models import IN_HOUSE, MODELS, Model, Tokens
from costspan_pricing import (
    Context,
    Pricer,
    Usage,
    canonical_provider,
    format_usd,
    load_book,
    parse_usd,
)

TOKENS = Tokens(70_001, 9_001, cache_read=5_003, cache_write=2_003)


def context(model: Model) -> Context:
    return Context(canonical_provider(model.provider), model.response, datetime.now(UTC))


@pytest.mark.parametrize("model", [m for m in MODELS if m.price], ids=lambda m: m.request)
def test_every_bucket_that_the_list_prices_costs_the_same_by_the_book(model: Model) -> None:
    """Total and savings, to the last digit; a bucket without a list price is not used."""
    price = model.price
    assert price is not None
    tokens = Tokens(*(n if usd else 0 for n, usd in zip(TOKENS, (*price, 1), strict=True)))
    usage = Usage.from_inclusive(
        input=tokens.prompt,
        output=tokens.output,
        cache_read=tokens.cache_read,
        cache_write_5m=tokens.cache_write,
    )
    quote = Pricer(load_book()).quote(usage, context(model))

    assert quote.total == parse_usd(str(price.cost(tokens)))
    assert quote.savings == parse_usd(str(price.savings(tokens))), format_usd(quote.savings or 0)


def test_the_book_does_not_know_the_in_house_model() -> None:
    quote = Pricer(load_book()).quote(Usage.from_inclusive(input=5, output=5), context(IN_HOUSE))

    assert quote.total is None
