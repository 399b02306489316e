"""Which of a row's rates and factors a context selects, and what it leaves open. No arithmetic.

A circumstance that nothing covers is no price (a tier, a batch), or a mark (most places).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from costspan_pricing.book import Catalogue, PriceBook, Uplift, Variant, When
from costspan_pricing.context import (
    DEPLOYMENT,
    GEO,
    KEYS,
    PLATFORM,
    PROVISIONED,
    REGION,
    SEARCH,
    Facts,
    Unpriced,
    unsaid,
)
from costspan_pricing.dating import holds, in_force
from costspan_pricing.lookup import Sku
from costspan_pricing.quote import Reason

# Regional list prices exist there. Elsewhere a region that the book has no rate for costs the same.
_BY_REGION = frozenset({"azure", "google"})


class Selected(NamedTuple):
    """What applies beside the standard rates, and the marks of what was left open."""

    variant: Variant | None
    uplifts: tuple[Uplift, ...]
    marks: tuple[str, ...]


def select(book: PriceBook, sku: Sku, facts: Facts, at: datetime) -> Selected:
    """The variant and the uplifts of a row for a call. Raises Unpriced for what has no rate."""
    satisfied = _satisfied_variants(sku, facts)
    variant = _weightiest(satisfied, facts, at)
    # a variant's own rates hold its circumstances already; who ran the call is none of those
    taken = variant.when.keys() - {PLATFORM} if variant is not None else frozenset()
    uplifts = tuple(
        uplift
        for uplift in uplifts_of(book, sku)
        if holds(uplift, at)
        and taken.isdisjoint(uplift.when)
        and _satisfied(uplift.when, facts.all)
    )
    covered = {*taken, *(key for uplift in uplifts for key in uplift.when)}
    missing = [
        f"{key}={value}"
        for key, value in facts.strict.items()
        if key not in covered and (key != SEARCH or _priced_by(sku, SEARCH))
    ]
    if missing:
        raise Unpriced(Reason.UNKNOWN_CONTEXT, *missing)
    # a place with rates of its own, but not for this tier, does not cost what others do
    elsewhere = {key for each in satisfied if holds(each, at) for key in each.when}
    open_places = {key: value for key, value in facts.place.items() if key not in covered}
    marks = _places(book.catalogue(sku.place), sku, open_places, elsewhere)
    if DEPLOYMENT in covered:
        marks = [mark for mark in marks if not mark.startswith(REGION)]
    return Selected(variant, uplifts, (*marks, *_unsaid(book, sku, facts)))


def uplifts_of(book: PriceBook, sku: Sku) -> Iterator[Uplift]:
    """Those of the row, whatever the context."""
    catalogue = book.catalogue(sku.provider)
    if catalogue is not None and sku.place == sku.provider:
        yield from (uplift for uplift in catalogue.uplifts if sku.model.id in uplift.models)


def _satisfied_variants(sku: Sku, facts: Facts) -> list[Variant]:
    """Every variant of the row whose `when` the call satisfies, whatever its dates."""
    if sku.place != sku.provider:  # one provider's tiers say nothing of another's
        return []
    return [variant for variant in sku.model.variants if _satisfied(variant.when, facts.all)]


def _weightiest(variants: list[Variant], facts: Facts, at: datetime) -> Variant | None:
    """The one in force that says most of the call."""
    fitting: dict[tuple[str, ...], list[Variant]] = {}
    for variant in variants:
        fitting.setdefault(tuple(sorted(variant.when)), []).append(variant)
    # a batch or a tier without its rate is no price at all: such keys come first
    by_weight = sorted(fitting, key=lambda keys: (-len(facts.strict.keys() & {*keys}), -len(keys)))
    found = (in_force(fitting[keys], at) for keys in by_weight)
    return next((variant for variant in found if variant is not None), None)


def _places(
    catalogue: Catalogue | None, sku: Sku, places: Mapping[str, str], elsewhere: set[str]
) -> list[str]:
    """Marks for places that move nothing here. Raises Unpriced for one that should."""
    marks = []
    for key, value in places.items():
        if key == GEO and sku.place == "aws":  # there it is part of the name
            continue
        if key in elsewhere or not _indifferent(catalogue, sku, key, value):
            raise Unpriced(Reason.UNKNOWN_CONTEXT, f"{key}={value}")
        if key != REGION or sku.place in _BY_REGION or _known(catalogue, key, value):
            marks.append(f"{key}={value}:global list price")
    return marks


def _satisfied(when: When, stated: Mapping[str, str]) -> bool:
    return all(key in stated and _fits(values, stated[key]) for key, values in when.items())


def _fits(values: str | tuple[str, ...], value: str) -> bool:
    """Whether a value is one of several patterns, or none of those behind a "!"."""
    patterns = (values,) if isinstance(values, str) else values
    refused = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if refused:
        return not any(fnmatchcase(value, pattern) for pattern in refused)
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _priced_by(sku: Sku, key: str) -> bool:
    """Whether some rates of the row depend on a circumstance."""
    return any(key in variant.when for variant in sku.model.variants)


def _indifferent(catalogue: Catalogue | None, sku: Sku, key: str, value: str) -> bool:
    """Whether a place that the row has no rates for may cost what the list says."""
    if value == PROVISIONED:
        return False
    if key == REGION or catalogue is None or not catalogue.places.get(key):
        return True
    if key == DEPLOYMENT:
        return False  # they differ for every model, so that the list price would be wrong
    return not _priced_by(sku, key) and _known(catalogue, key, value)


def _known(catalogue: Catalogue | None, key: str, value: str) -> bool:
    """Whether some row of the provider has rates for a place."""
    places = catalogue.places.get(key, ()) if catalogue is not None else ()
    return any(_fits(values, value) for values in places)


def by_place(facts: Facts, catalogue: Catalogue | None) -> Facts:
    """A region as the geography that it is, or a geography as the multi-region that it is.

    As the provider's prices have it: OpenAI knows only geographies (`eu`), Vertex only regions.
    """
    places = catalogue.places if catalogue is not None else {}
    for stated, meant in ((REGION, GEO), (GEO, REGION)):
        value = facts.place.get(stated, "")
        ours = stated in places or meant in facts.said
        if value and not ours and _known(catalogue, meant, value):
            others = {key: each for key, each in facts.place.items() if key != stated}
            return facts._replace(place={**others, meant: value}, said=facts.said | {meant})
    return facts


def _unsaid(book: PriceBook, sku: Sku, facts: Facts) -> Iterator[str]:
    """Marks for circumstances that have other rates here and that nobody stated."""
    if sku.place == sku.provider:
        priced = {key for variant in sku.model.variants for key in variant.when}
        priced.update(key for uplift in uplifts_of(book, sku) for key in uplift.when)
        yield from (unsaid(key) for key in KEYS if key in priced and key not in facts.said)
