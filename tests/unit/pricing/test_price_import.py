"""The committed book is what the importer makes, and says what its source says."""

from datetime import UTC, datetime

import pytest

from costspan_pricing import Context, Pricer, Usage, load_book
from costspan_pricing.money import ATTOS

genai_data = pytest.importorskip("genai_prices.data")
NOISE = 10**6  # attos per dollar: the binary float noise that the importer repairs


def test_the_importer_makes_the_committed_book_again() -> None:
    import import_prices  # noqa: PLC0415 (needs the source, which may not be installed)

    made = import_prices.build(import_prices.CORRECTIONS)

    assert import_prices.differences(made) == []
    assert import_prices.build(import_prices.CORRECTIONS) == made


def test_today_every_model_costs_what_the_source_computes() -> None:
    """Two engines, one set of prices: each standard price below and above its tiers."""
    from genai_prices.types import Usage as Theirs  # noqa: PLC0415 (may not be installed)

    pricer = Pricer(load_book())
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    compared = 0
    for provider in genai_data.providers:
        if provider.id == "deepseek":
            continue  # corrected on purpose
        for model in provider.models:
            for prompt in (1_000, 300_000):
                usage = Usage.from_inclusive(input=prompt, output=70)
                quote = pricer.quote(usage, Context(provider.id, model.id, at))
                if quote.total is None:
                    continue
                theirs = Theirs(input_tokens=prompt, output_tokens=70)
                expected = model.calc_price(theirs, provider, genai_request_timestamp=at)
                difference = abs(quote.total - expected.total_price * ATTOS)
                assert difference <= expected.total_price * NOISE, model.id
                compared += 1
    assert compared > 4_000
