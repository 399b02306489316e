"""What a newer price book changes, row by row and rate by rate. Pure: two books to records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from costspan_pricing import PriceBook, parse_usd
from costspan_pricing.book import Catalogue, Model, Price, Uplift, Variant, When
from costspan_pricing.usage import TOKENS


class Change(NamedTuple):
    """One value that is not as it was; None = it is not there."""

    what: str
    old: str | None
    new: str | None


class Difference(NamedTuple):
    """From one book to another. Rows are named provider/model."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[Change, ...]]
    providers: Mapping[str, tuple[Change, ...]]  # what is not one row's: fallbacks, units


def difference(old: PriceBook, new: PriceBook) -> Difference:
    """Compare two books."""
    before, after = dict(_rows(old)), dict(_rows(new))
    both = sorted(before.keys() & after.keys())
    changed = {sku: _changes(before[sku], after[sku]) for sku in both}
    around, now_around = _surroundings(old), _surroundings(new)
    names = sorted(around.keys() | now_around.keys())
    others = {name: _changes(around.get(name, {}), now_around.get(name, {})) for name in names}
    return Difference(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        {sku: found for sku, found in changed.items() if found},
        {name: found for name, found in others.items() if found},
    )


def _catalogues(book: PriceBook) -> Iterator[Catalogue]:
    for provider in sorted(book.providers):
        catalogue = book.catalogue(provider)
        if catalogue is not None:
            yield catalogue


def _rows(book: PriceBook) -> Iterator[tuple[str, dict[str, str]]]:
    for catalogue in _catalogues(book):
        for model in catalogue.models:
            uplifts = [each for each in catalogue.uplifts if model.id in each.models]
            yield f"{catalogue.provider}/{model.id}", _row(model, uplifts)


def _row(model: Model, uplifts: Iterable[Uplift]) -> dict[str, str]:
    """A row as flat texts: what is said -> the value."""
    said: dict[str, str] = {}
    for price in model.prices:
        said.update(_rates(price, ""))
        for hours in price.hours:
            part = f"{hours.start}-{hours.end} on days {hours.days}{_dates(price)}"
            part += f" except {hours.except_on}" if hours.except_on else ""
            said.update({f"{unit} {part}": rate for unit, rate in hours.rates.items()})
    for variant in model.variants:
        said.update(_rates(variant, f" [{_when(variant.when)}]"))
    for uplift in uplifts:
        units = "tokens" if {*uplift.units} >= TOKENS else ", ".join(uplift.units)
        said[f"factor on {units} [{_when(uplift.when)}]{_dates(uplift)}"] = uplift.multiplier
    if model.match:
        said["names"] = _text(model.match)
    if model.billed:
        said["billed"] = _text(dict(model.billed))
    return said


def _rates(entry: Price | Variant, where: str) -> Iterator[tuple[str, str]]:
    """The rates of a dated entry, each with everything that decides whether it applies."""
    where += _dates(entry)
    for unit, rate in entry.rates.items():
        yield unit + where, rate
    for band in entry.bands:
        for unit, rate in band.rates.items():
            yield f"{unit} over {band.over}{where}", rate


def _when(when: When) -> str:
    return " ".join(f"{key}={_text(value)}" for key, value in sorted(when.items()))


def _dates(entry: Price | Variant | Uplift) -> str:
    since = f" from {entry.start}" if entry.start else ""
    return since + (f" to {entry.end}" if entry.end else "")


def _surroundings(book: PriceBook) -> dict[str, dict[str, str]]:
    """What is said of a provider as a whole, and of the book (under "")."""
    shared = {f"per {unit}": str(per) for unit, per in book.per.items()}
    for name, days in book.calendars.items():
        shared[f"calendar {name}"] = " ".join(days)
    found = {"": shared}
    for catalogue in _catalogues(book):
        if catalogue.fallback:
            found[catalogue.provider] = {"fallback": " ".join(catalogue.fallback)}
    return found


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    return tuple(
        Change(what, old.get(what), new.get(what))
        for what in (*old, *(each for each in new if each not in old))
        if not _same(old.get(what), new.get(what))
    )


def _same(old: str | None, new: str | None) -> bool:
    """Whether two values mean the same; 2.5 and 2.50 do."""
    if old == new or old is None or new is None:
        return old == new
    try:
        return parse_usd(old) == parse_usd(new)
    except ValueError:
        return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
