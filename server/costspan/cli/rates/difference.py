"""What a newer price book changes, row by row and rate by rate. Pure: two books to records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from costspan_pricing import PriceBook, parse_usd
from costspan_pricing.book import Model, Price, Variant


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
    providers: Mapping[str, tuple[Change, ...]]  # what is not one row's: uplifts, fallbacks, units


def difference(old: PriceBook, new: PriceBook) -> Difference:
    """Compare two books."""
    before, after = dict(_rows(old)), dict(_rows(new))
    both = sorted(before.keys() & after.keys())
    changed = {sku: _changes(_row(before[sku]), _row(after[sku])) for sku in both}
    around, now_around = _surroundings(old), _surroundings(new)
    names = sorted(around.keys() | now_around.keys())
    others = {name: _changes(around.get(name, {}), now_around.get(name, {})) for name in names}
    return Difference(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        {sku: found for sku, found in changed.items() if found},
        {name: found for name, found in others.items() if found},
    )


def _rows(book: PriceBook) -> Iterator[tuple[str, Model]]:
    for provider in sorted(book.providers):
        catalogue = book.catalogue(provider)
        for model in catalogue.models if catalogue else ():
            yield f"{provider}/{model.id}", model


def _row(model: Model) -> dict[str, str]:
    """A row as flat texts: what is said -> the value."""
    said: dict[str, str] = {}
    for price in model.prices:
        said.update(_rates(price, ""))
        for hours in price.hours:
            part = " ".join(filter(None, (f"{hours.start}-{hours.end}", hours.except_on)))
            part += f" on days {hours.days}" + _dates(price)
            said.update({f"{unit} {part}": rate for unit, rate in hours.rates.items()})
    for variant in model.variants:
        when = (f"{key}={_text(value)}" for key, value in sorted(variant.when.items()))
        said.update(_rates(variant, f" [{' '.join(when)}]"))
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


def _dates(entry: Price | Variant) -> str:
    since = f" from {entry.start}" if entry.start else ""
    return since + (f" to {entry.end}" if entry.end else "")


def _surroundings(book: PriceBook) -> dict[str, dict[str, str]]:
    """What is said of a provider as a whole, and of the book (under "")."""
    found = {"": {f"per {unit}": str(per) for unit, per in book.per.items()}}
    for provider in sorted(book.providers):
        catalogue = book.catalogue(provider)
        if catalogue is None:
            continue
        said = {"fallback": " ".join(catalogue.fallback)} if catalogue.fallback else {}
        for uplift in getattr(catalogue, "uplifts", ()):
            plain = msgspec.to_builtins(uplift)
            said["uplift " + _text({k: v for k, v in plain.items() if k != "multiplier"})] = plain[
                "multiplier"
            ]
        found[provider] = said
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
