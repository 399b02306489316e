"""What the book and the rate cards charge at one instant, model by model. No printing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from costspan_pricing import Context, Pricer
from costspan_pricing.book import Catalogue, Model, When
from costspan_pricing.context import modifier
from costspan_pricing.dating import EVER, holds
from costspan_pricing.listing import RatedBand, decimal
from costspan_pricing.resolution import resolve

SCHEMA = "costspan.rates.list/v1"


class Entry(NamedTuple):
    """One model at one instant. Rates in dollars per `PriceBook.per` units, as decimal text."""

    provider: str
    model: str
    rates: Mapping[str, str]  # {} = the book has no price for that instant
    bands: Mapping[int, Mapping[str, str]]  # over so many tokens -> the rates that differ
    variants: tuple[str, ...]  # contexts with other rates: batch, tier:flex, geo:us x 1.1
    since: str  # "" = as far back as the book knows
    until: str  # when something changes next; "" = nothing known
    price_ref: str


def entries(pricer: Pricer, at: datetime, provider: str, glob: str) -> Iterator[Entry]:
    """The models whose id fits the glob. `provider` is the book's id; "" is all of them."""
    for name in [provider] if provider else sorted(pricer.book.providers):
        catalogue = pricer.book.catalogue(name)
        for model in catalogue.models if catalogue else ():
            if catalogue and fnmatchcase(model.id.lower(), glob.lower()):
                yield _entry(pricer, catalogue, model, at)


def document(pricer: Pricer, at: datetime, found: Iterable[Entry] | None) -> dict[str, Any]:
    """What `--json` prints. `found` None: the summary alone."""
    book = pricer.book
    counts = {name: _count(pricer, name) for name in sorted(book.providers)}
    summary = {
        "schema": SCHEMA,
        "at": _text(at),
        "book": {
            "name": book.name,
            "sha256": book.sha256,
            "date": book.date.isoformat() if book.date else None,
            "source": dict(book.source),
            "models": sum(counts.values()),
            "providers": counts,
            "per": dict(book.per),
        },
        "cards": [
            {
                "ref": card.ref,
                "file": card.source,
                "owner": card.owner,
                "from": _text(card.span.start),
                "to": _text(card.span.end),
            }
            for card in pricer.cards
        ],
    }
    return summary if found is None else {**summary, "models": [_listed(each) for each in found]}


def _entry(pricer: Pricer, catalogue: Catalogue, model: Model, at: datetime) -> Entry:
    """What the engine itself resolves for a standard call of the model."""
    asked = Context(catalogue.provider, model.id, at)
    resolved = resolve(pricer.book, pricer.cards, asked, at)
    per = pricer.book.per
    *longer, base = [(band.over, _rates(band, per)) for band in resolved.bands] or [(-1, {})]
    ref = getattr(resolved.tariff, "price_ref", "")
    return Entry(
        catalogue.provider,
        model.id,
        base[1],
        {over: _differing(rates, base[1]) for over, rates in reversed(longer)},
        tuple(dict.fromkeys(_variants(catalogue, model, at))),
        ref.split(";")[2] if ref else "",
        _text(resolved.tariff.end) or "",
        ref,
    )


def _rates(band: RatedBand, per: Mapping[str, int]) -> dict[str, str]:
    return {unit: decimal(rate.rate * per.get(unit, 1)) for unit, rate in band.rates.items()}


def _differing(rates: Mapping[str, str], base: Mapping[str, str]) -> dict[str, str]:
    return {unit: rate for unit, rate in rates.items() if base.get(unit) != rate}


def _variants(catalogue: Catalogue, model: Model, at: datetime) -> Iterator[str]:
    """The contexts in which the model costs something else, as a quote would name them."""
    for variant in model.variants:
        if holds(variant, at):
            yield _when(variant.when)
    for uplift in catalogue.uplifts:
        if model.id in uplift.models and holds(uplift, at):
            yield f"{_when(uplift.when)} x {uplift.multiplier}"


def _when(when: When) -> str:
    return "+".join(
        modifier(key, values if isinstance(values, str) else "|".join(values))
        for key, values in when.items()
    )


def _listed(entry: Entry) -> dict[str, Any]:
    return {
        "provider": entry.provider,
        "model": entry.model,
        "rates": dict(entry.rates),
        "long_context": [{"over": over, "rates": rates} for over, rates in entry.bands.items()],
        "variants": list(entry.variants),
        "from": entry.since or None,
        "next_change": entry.until or None,
        "price_ref": entry.price_ref or None,
    }


def _count(pricer: Pricer, provider: str) -> int:
    catalogue = pricer.book.catalogue(provider)
    return len(catalogue.models) if catalogue else 0


def _text(at: datetime) -> str | None:
    """An instant; None for the ends of time."""
    return None if at in EVER else at.isoformat().replace("+00:00", "Z")
