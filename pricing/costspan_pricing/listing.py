"""What the public price list says of a model in one context at one instant. Pure, no contracts.

standard rates in force ─▶ those of the context (variant) ─▶ hours ─▶ uplifts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from costspan_pricing.book import Hours, Price, PriceBook, Rates, Uplift, Variant
from costspan_pricing.context import PLATFORM, Facts, Unpriced, modifier
from costspan_pricing.dating import edges, hour_edges, hours_at, in_force, instant
from costspan_pricing.lookup import Sku
from costspan_pricing.quote import Reason
from costspan_pricing.selection import select, uplifts_of
from costspan_pricing.usage import Unit

LIST = "list"


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
    variant, uplifts, marks = select(book, sku, facts, at)
    layers: tuple[Price | Variant, ...] = (price,) if variant is None else (price, variant)
    hours = hours_at(price, at, book.calendars) if variant is None else None
    factors = tuple(_factor(uplift, facts) for uplift in uplifts)
    return Listing(
        sku,
        max((entry.start for entry in (*layers, *uplifts)), key=instant),
        tuple(_modifiers(variant, facts, factors, hours)),
        (*facts.marks, *marks, *_calendar_mark(price)),
        _bands(book.per, layers, hours, factors),
        factors,
        any(Unit.REQUESTS in layer.rates for layer in layers),
    )


def changes(book: PriceBook, sku: Sku, at: datetime) -> Iterator[datetime]:
    """Every instant at which the list may change for this row, those of `at`'s day included."""
    yield from edges((*sku.model.prices, *sku.model.variants, *uplifts_of(book, sku)))
    price = in_force(sku.model.prices, at)
    if price is not None:
        yield from hour_edges(price, at)


# --- the numbers ---------------------------------------------------------------------------------


def _calendar_mark(price: Price) -> Iterator[str]:
    if any(hours.days != "1234567" and not hours.except_on for hours in price.hours):
        yield "hours:public holidays not known"


def _factor(uplift: Uplift, facts: Facts) -> Factor:
    stated = facts.all
    keys = frozenset(uplift.when) - {PLATFORM} or frozenset(uplift.when)
    name = "+".join(modifier(key, stated[key]) for key in uplift.when if key in keys)
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
    """Every band, highest first: each unit at the rate of the last layer that lists it.

    A band whose rates are those below it is none: a tier may have one price for every length.
    """
    overs = sorted({band.over for layer in layers for band in layer.bands}, reverse=True)
    bands = []
    for over in (*overs, -1):
        rates: dict[str, str] = {}
        for layer in layers:
            rates.update(_rates_above(layer, over))
        if hours is not None:
            rates.update(hours.rates)
        bands.append(RatedBand(over, _derived(rates, per, factors)))
    pairs = zip(bands, (*bands[1:], None), strict=True)
    return tuple(band for band, below in pairs if below is None or band.rates != below.rates)


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
