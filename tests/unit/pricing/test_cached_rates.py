"""Cached tokens cost a plausible part of plain input, or somebody wrote down why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import yaml

from costspan_pricing import PriceBook, load_book
from costspan_pricing.book import Model, Price, Rates, Variant
from costspan_pricing.dating import in_force

EXCEPTIONS = Path(__file__).parents[3] / "pricing" / "cached_rates.yaml"
USUAL = {"read": (Fraction(10), Fraction(50)), "write": (Fraction(100), Fraction(250))}


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An exception that somebody has looked at. Globs of book ids; percent of the input rate."""

    providers: tuple[str, ...]
    models: tuple[str, ...]
    cache: str
    percent: tuple[str, str]
    because: str
    source: tuple[str, ...]
    checked: date
    context: str = "*"

    def covers(self, seen: Seen) -> bool:
        low, high = map(Fraction, self.percent)
        return (
            self.cache == seen.cache
            and low <= seen.percent <= high
            and any(fnmatchcase(seen.provider, glob) for glob in self.providers)
            and any(fnmatchcase(seen.model, glob) for glob in self.models)
            and fnmatchcase(seen.context, self.context)
        )


class Seen(NamedTuple):
    """A cached rate as it is billed, in percent of the input rate that it stands beside."""

    provider: str
    model: str
    context: str
    unit: str
    percent: Fraction

    @property
    def cache(self) -> str:
        return "write" if "write" in self.unit else "read"

    @property
    def usual(self) -> bool:
        low, high = USUAL[self.cache]
        return low <= self.percent <= high


def billed(model: Model) -> Iterator[tuple[str, Rates]]:
    """Every set of rates of a model: standard, in bands, by the hour, and in each context."""
    for price in model.prices:
        yield from _layers("standard", price, {})
        for hours in price.hours:
            yield "hours", {**price.rates, **hours.rates}
    for variant in model.variants:
        words = [f"{key}={value}" for key, value in variant.when.items()]
        started = (
            in_force(model.prices, datetime.fromisoformat(variant.start)) if variant.start else None
        )
        standard = started or model.prices[0]
        yield from _layers(",".join(words), variant, standard.rates)


def _layers(context: str, entry: Price | Variant, below: Rates) -> Iterator[tuple[str, Rates]]:
    base = {**below, **entry.rates}
    yield context, base
    for band in entry.bands:
        base = {**base, **band.rates}
        yield f"{context}>{band.over}", base


def seen(book: PriceBook) -> Iterator[Seen]:
    for provider in sorted(book.providers):
        catalogue = book.catalogue(provider)
        assert catalogue is not None
        for model in catalogue.models:
            for context, rates in billed(model):
                yield from _of(provider, model.id, context, rates)


def _of(provider: str, model: str, context: str, rates: Mapping[str, str]) -> Iterator[Seen]:
    for unit in rates:
        if unit.startswith("cache_"):
            plain = rates.get("audio_input") if unit.endswith("_audio") else None
            full = Fraction(plain or rates["input"])
            cached = Fraction(rates[unit])
            if full or cached:
                percent = 100 * cached / full if full else Fraction(10**9)
                yield Seen(provider, model, context, unit, percent)


@pytest.fixture(scope="module")
def rates() -> list[Seen]:
    return list(seen(load_book()))


@pytest.fixture(scope="module")
def listed() -> list[Listed]:
    return msgspec.convert(yaml.safe_load(EXCEPTIONS.read_text())["exceptions"], list[Listed])


def test_every_cached_rate_is_usual_or_listed(rates: list[Seen], listed: list[Listed]) -> None:
    """Reads cost 10 to 50 % of input, writes 100 to 250 %, unless a reviewed entry says why not."""
    assert len(rates) > 2000
    odd = [each for each in rates if not each.usual and not any(e.covers(each) for e in listed)]

    assert not odd, "\n".join(f"{each[:4]} {float(each.percent):.4g} %" for each in odd)


def test_every_exception_is_still_needed(rates: list[Seen], listed: list[Listed]) -> None:
    unusual = [each for each in rates if not each.usual]
    unused = [e for e in listed if not any(e.covers(each) for each in unusual)]

    assert not unused, "\n".join(f"{e.providers} {e.models} {e.percent}" for e in unused)


def test_every_exception_has_a_reason_and_a_source(listed: list[Listed]) -> None:
    for entry in listed:
        assert entry.because.strip()
        assert entry.cache in USUAL
        assert all(url.startswith("https://") for url in entry.source)
