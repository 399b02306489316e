"""The committed book is what the importer makes, and says what its source says."""

import importlib.util
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from costspan_pricing import Context, Pricer, Usage, load_book
from costspan_pricing.money import ATTOS

genai_data = pytest.importorskip("genai_prices.data")
NOISE = 10**6  # attos per dollar: the binary float noise that the importer repairs
TOOL = Path(__file__).resolve().parents[3] / "tools" / "import_prices.py"


@pytest.fixture(scope="module")
def importer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("import_prices", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # NamedTuple looks its module up
    spec.loader.exec_module(module)
    return module


def test_the_importer_makes_the_committed_book_again(importer: ModuleType) -> None:
    made = importer.build()

    assert importer.differences(made) == []
    assert importer.build() == made


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
