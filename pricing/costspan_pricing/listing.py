"""What the public price list says of a model in one context at one instant. Pure, no contracts.

standard rates in force ─▶ those of the context (variant) ─▶ hours ─▶ uplifts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import NamedTuple

from costspan_pricing.book import Catalogue, Hours, Price, PriceBook, Rates, Uplift, Variant, When
from costspan_pricing.context import (
    DEPLOYMENT,
    GEO,
    KEYS,
    PROVISIONED,
    REGION,
    Facts,
    Unpriced,
    modifier,
    unsaid,
)
from costspan_pricing.dating import (
    edges,
    holds,
    hour_edges,
    hours_at,
    in_force,
    instant,
)
from costspan_pricing.lookup import Sku
from costspan_pricing.quote import Reason
from costspan_pricing.usage import Unit

LIST = "list"
# Regional list prices exist there. Elsewhere a region that the book has no rate for costs the same.
_BY_REGION = frozenset({"azure", "google"})


class Derivation(NamedTuple):
    """How a rate came about. US dollars per single unit; rate = base x the product of the steps."""

    unit: Unit
    origin: str  # "list", or the reference of a rate card
    base: Fraction
    steps: tuple[tuple[str, Fraction], ...]
    rate: Fraction

    def times(self, name: str, factor: Fraction) -> Derivation:
        """The same, one factor on."""
        return Derivation(
            self.unit, self.origin, self.base, (*self.steps, (name, factor)), self.rate * factor
        )


class RatedBand(NamedTuple):
    """The rates for prompts of more than `over` tokens; the base band is over -1."""

    over: int
    rates: Mapping[Unit, Derivation]


class Factor(NamedTuple):
    """An uplift that applies."""

    name: str  # geo:us
    keys: frozenset[str]
    multiplier: Fraction
    units: frozenset[str]


class Listing(NamedTuple):
    """The list's answer. `bands` from the highest down."""

    sku: Sku
    since: str  # the latest `from` of what applies
    modifiers: tuple[str, ...]
    marks: tuple[str, ...]
    bands: tuple[RatedBand, ...]
    factors: tuple[Factor, ...]
    per_request: bool  # every call costs a fee


def listed(book: PriceBook, sku: Sku, facts: Facts, at: datetime) -> Listing:
    """The rates of a row in a context. Raises Unpriced."""
    price = in_force(sku.model.prices, at)
    if price is None:
        raise Unpriced(Reason.NO_RATE_AT_TIME)
    variant = _variant(sku, facts, at)
    uplifts = _uplifts(book, sku, facts, at, variant)
    marks = _check_rest(book, sku, facts, variant, uplifts)
    layers: tuple[Price | Variant, ...] = (price,) if variant is None else (price, variant)
    hours = hours_at(price, at, book.calendars) if variant is None else None
    factors = tuple(_factor(uplift, facts) for uplift in uplifts)
    return Listing(
        sku,
        max((entry.start for entry in (*layers, *uplifts)), key=instant),
        tuple(_modifiers(variant, facts, factors, hours)),
        (*facts.marks, *marks, *_unsaid(book, sku, facts), *_calendar_mark(price)),
        _bands(book.per, layers, hours, factors),
        factors,
        any(Unit.REQUESTS in layer.rates for layer in layers),
    )


def changes(book: PriceBook, sku: Sku, at: datetime) -> Iterator[datetime]:
    """Every instant at which the list may change for this row, those of `at`'s day included."""
    yield from edges((*sku.model.prices, *sku.model.variants, *_uplifts_of(book, sku)))
    price = in_force(sku.model.prices, at)
    if price is not None:
        yield from hour_edges(price, at)


# --- what applies --------------------------------------------------------------------------------


def _variant(sku: Sku, facts: Facts, at: datetime) -> Variant | None:
    """The rates of the context: of those whose `when` it satisfies the one that says most."""
    fitting: dict[tuple[str, ...], list[Variant]] = {}
    for variant in _satisfied_variants(sku, facts):
        fitting.setdefault(tuple(sorted(variant.when)), []).append(variant)
    # a batch or a tier without its rate is no price at all: such keys come first
    by_weight = sorted(fitting, key=lambda keys: (-len(facts.strict.keys() & {*keys}), -len(keys)))
    found = (in_force(fitting[keys], at) for keys in by_weight)
    return next((variant for variant in found if variant is not None), None)


def _satisfied_variants(sku: Sku, facts: Facts) -> list[Variant]:
    """Every variant of the row whose `when` the call satisfies, whatever its dates."""
    if sku.place != sku.provider:  # one provider's tiers say nothing of another's
        return []
    return [variant for variant in sku.model.variants if _satisfied(variant.when, facts.all)]


def _uplifts(
    book: PriceBook, sku: Sku, facts: Facts, at: datetime, variant: Variant | None
) -> tuple[Uplift, ...]:
    """Factors for circumstances that the variant's own rates do not hold already."""
    taken = variant.when.keys() if variant is not None else frozenset()
    return tuple(
        uplift
        for uplift in _uplifts_of(book, sku)
        if holds(uplift, at)
        and taken.isdisjoint(uplift.when)
        and _satisfied(uplift.when, facts.all)
    )


def _uplifts_of(book: PriceBook, sku: Sku) -> Iterator[Uplift]:
    """Those of the row, whatever the context."""
    catalogue = book.catalogue(sku.provider)
    if catalogue is not None and sku.place == sku.provider:
        yield from (uplift for uplift in catalogue.uplifts if sku.model.id in uplift.models)


def _satisfied(when: When, stated: Mapping[str, str]) -> bool:
    return all(key in stated and _fits(values, stated[key]) for key, values in when.items())


def _fits(values: str | tuple[str, ...], value: str) -> bool:
    """Whether a value is one of several patterns, or none of those behind a "!"."""
    patterns = (values,) if isinstance(values, str) else values
    refused = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if refused:
        return not any(fnmatchcase(value, pattern) for pattern in refused)
    return any(fnmatchcase(value, pattern) for pattern in patterns)


# --- what nothing covers, and what nobody said ---------------------------------------------------


def _check_rest(
    book: PriceBook,
    sku: Sku,
    facts: Facts,
    variant: Variant | None,
    uplifts: Iterable[Uplift],
) -> list[str]:
    """Marks for places that move nothing here. Raises Unpriced for what has no rate."""
    covered = set(variant.when) if variant is not None else set()
    covered.update(key for uplift in uplifts for key in uplift.when)
    missing = [f"{key}={value}" for key, value in facts.strict.items() if key not in covered]
    if missing:
        raise Unpriced(Reason.UNKNOWN_CONTEXT, *missing)
    marks = []
    catalogue = book.catalogue(sku.place)
    elsewhere = {key for each in _satisfied_variants(sku, facts) for key in each.when}
    for key, value in facts.place.items():
        if key in covered or (key == GEO and sku.place == "aws"):  # there it is part of the name
            continue
        # a place with rates of its own, but not for this tier, does not cost what others do
        if key in elsewhere or not _indifferent(catalogue, sku, key, value):
            raise Unpriced(Reason.UNKNOWN_CONTEXT, f"{key}={value}")
        if key != REGION or (sku.place in _BY_REGION and DEPLOYMENT not in covered):
            marks.append(f"{key}={value}:global list price")
    return marks


def _indifferent(catalogue: Catalogue | None, sku: Sku, key: str, value: str) -> bool:
    """Whether a place that the row has no rates for may cost what the list says."""
    if value == PROVISIONED:
        return False
    known = catalogue.places.get(key, ()) if catalogue is not None else ()
    if key == REGION or not known:
        return True
    if key == DEPLOYMENT:
        return False  # they differ for every model, so that the list price would be wrong
    own = any(key in each.when for each in sku.model.variants)
    return not own and any(_fits(values, value) for values in known)


def _unsaid(book: PriceBook, sku: Sku, facts: Facts) -> Iterator[str]:
    """Marks for circumstances that have other rates here and that nobody stated."""
    if sku.place == sku.provider:
        priced = {key for variant in sku.model.variants for key in variant.when}
        priced.update(key for uplift in _uplifts_of(book, sku) for key in uplift.when)
        yield from (unsaid(key) for key in KEYS if key in priced and key not in facts.said)


def _calendar_mark(price: Price) -> Iterator[str]:
    if any(hours.days != "1234567" and not hours.except_on for hours in price.hours):
        yield "hours:public holidays not known"


# --- the numbers ---------------------------------------------------------------------------------


def _factor(uplift: Uplift, facts: Facts) -> Factor:
    stated = facts.all
    name = "+".join(modifier(key, stated[key]) for key in uplift.when)
    keys = frozenset(uplift.when)
    return Factor(name, keys, Fraction(uplift.multiplier), frozenset(uplift.units))


def _modifiers(
    variant: Variant | None, facts: Facts, factors: Iterable[Factor], hours: Hours | None
) -> Iterator[str]:
    if variant is not None:
        yield from (modifier(key, facts.all[key]) for key in variant.when)
    yield from (f"{factor.name}:{decimal(factor.multiplier)}" for factor in factors)
    if hours is not None:
        yield f"hours:{hours.start}-{hours.end}"


def _bands(
    per: Mapping[str, int],
    layers: tuple[Price | Variant, ...],
    hours: Hours | None,
    factors: Iterable[Factor],
) -> tuple[RatedBand, ...]:
    """Every band, highest first: each unit at the rate of the last layer that lists it."""
    overs = sorted({band.over for layer in layers for band in layer.bands}, reverse=True)
    bands = []
    for over in (*overs, -1):
        rates: dict[str, str] = {}
        for layer in layers:
            rates.update(_rates_above(layer, over))
        if hours is not None:
            rates.update(hours.rates)
        bands.append(RatedBand(over, _derived(rates, per, factors)))
    return tuple(bands)


def _rates_above(layer: Price | Variant, over: int) -> Rates:
    """A layer's rates for a prompt just over `over`: the base, then every band up to there."""
    rates = dict(layer.rates)
    for band in sorted(layer.bands, key=lambda band: band.over):
        if band.over <= over:
            rates.update(band.rates)
    return rates


def _derived(
    rates: Rates, per: Mapping[str, int], factors: Iterable[Factor]
) -> dict[Unit, Derivation]:
    """Decimal texts as rates per unit. Rates of units that we do not count are left out."""
    found = {}
    for unit in Unit:
        if unit in rates:
            base = Fraction(rates[unit]) / per[unit]
            rate = Derivation(unit, LIST, base, (), base)
            for factor in factors:
                if unit in factor.units:
                    rate = rate.times(factor.name, factor.multiplier)
            found[unit] = rate
    return found


def decimal(value: Fraction) -> str:
    """A factor as people write it; what does not end as a decimal stays a fraction."""
    for digits in range(19):
        scaled = value * 10**digits
        if scaled.denominator == 1:
            text = f"{scaled.numerator:0{digits + 1}d}"
            return f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return str(value)
