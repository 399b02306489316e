"""What rate cards make of list rates: negotiated prices and discounts. Pure, no files.

For every unit: the most specific negotiated price > list x discounts > list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple, Protocol, TypeVar

from costspan_pricing.context import PROCESSING, TIER, Facts
from costspan_pricing.listing import Derivation, Factor, Listing, RatedBand, decimal
from costspan_pricing.ratecard.match import Names, rank
from costspan_pricing.ratecard.shape import Discount, Match, Rate, RateCard, Span
from costspan_pricing.usage import TOKENS, Unit

_FACTOR_KEYS = {PROCESSING: "batch", TIER: "tier"}


class _Entry(Protocol):
    @property
    def match(self) -> Match: ...


class _Dated(_Entry, Protocol):
    @property
    def span(self) -> Span: ...


Entry = TypeVar("Entry", bound=_Entry)
Dated = TypeVar("Dated", bound=_Dated)


class Found(NamedTuple):
    """Rates after contracts. `bands` from the highest down; `refs` of the cards that count."""

    bands: tuple[RatedBand, ...]
    refs: tuple[str, ...]
    modifiers: tuple[str, ...]
    marks: tuple[str, ...]
    since: tuple[datetime, ...]


def contracted(
    listing: Listing | None, cards: Sequence[RateCard], names: Names, facts: Facts, at: datetime
) -> Found | None:
    """The rates that the cards make; None if no card has a word on this call.

    `cards`: those in force for the call. `listing`: None if no list has the model in this context.
    """
    rates = ranked(cards, lambda card: card.rates, names, at)
    discounts = ranked(cards, lambda card: card.discounts, names, at) if listing else []
    stated = [rate for _, rate in rates if not _unstated(rate, facts)]
    if listing is None and all(rate.usd.keys().isdisjoint(TOKENS) for rate in stated):
        return None
    terms = _Terms(listing, facts, rates, discounts)
    bands = tuple(terms.bands())
    marks = _marks(rates, facts)
    if not terms.refs and not marks:
        return None
    return Found(bands, tuple(terms.refs), tuple(terms.modifiers), marks, tuple(terms.since))


def _marks(found: Iterable[tuple[RateCard, Rate]], facts: Facts) -> tuple[str, ...]:
    """Negotiated token prices that say nothing of this context, so that the list's apply."""
    return tuple(
        f"{card.ref} line {rate.line}: no rate for {'+'.join(missing)}"
        for card, rate in found
        if (missing := _unstated(rate, facts)) and not rate.usd.keys().isdisjoint(TOKENS)
    )


def ranked(
    cards: Iterable[RateCard],
    entries: Callable[[RateCard], Iterable[Dated]],
    names: Names,
    at: datetime,
) -> list[tuple[RateCard, Dated]]:
    """The entries that match and are in force, the most specific first, else in file order."""
    found = [
        (place, card, entry)
        for card in cards
        for entry in entries(card)
        if entry.span.holds(at) and (place := rank(entry.match, names)) is not None
    ]
    return [(card, entry) for _, card, entry in sorted(found, key=lambda each: -each[0])]


class _Terms:
    """What was agreed, applied to one call. Remembers which cards counted, and how."""

    def __init__(
        self,
        listing: Listing | None,
        facts: Facts,
        rates: Sequence[tuple[RateCard, Rate]],
        discounts: Sequence[tuple[RateCard, Discount]],
    ) -> None:
        self._listed = listing.bands if listing else (RatedBand(-1, {}),)
        self._uplifts: tuple[Factor, ...] = listing.factors if listing else ()
        self._known = frozenset(listing.modifiers if listing else ())
        self._facts = facts
        self._rates = rates
        self._discounts = discounts
        self.refs: dict[str, None] = {}
        self.modifiers: dict[str, None] = {}
        self.since: dict[datetime, None] = {}

    def bands(self) -> Iterator[RatedBand]:
        """Every band of the list and of the contracts, from the highest down."""
        overs = {band.over for band in self._listed}
        overs.update(rate.over for _, rate in self._rates if rate.over is not None)
        for over in sorted(overs, reverse=True):
            public = next(band.rates for band in self._listed if band.over <= over)
            yield RatedBand(over, dict(self._agreed(public, over)))

    def _agreed(
        self, public: Mapping[Unit, Derivation], over: int
    ) -> Iterator[tuple[Unit, Derivation]]:
        """For every unit the most specific negotiated price, else the list's less discounts."""
        for unit in Unit:
            for card, rate in self._rates:
                usd = _price(rate, unit, over)
                if usd is not None and (unit not in TOKENS or not _unstated(rate, self._facts)):
                    yield unit, self._negotiated(card, rate, unit, usd)
                    break
            else:
                if unit in public:
                    yield unit, self._discounted(public[unit])

    def _discounted(self, rate: Derivation) -> Derivation:
        """A list price, less the most specific discount and those that stack with it."""
        fitting = [pair for pair in self._discounts if rate.unit in pair[1].units]
        alone = [pair for pair in fitting if not pair[1].stack][:1]
        for card, discount in (*alone, *(pair for pair in fitting if pair[1].stack)):
            self._note(card, discount.span, f"contract:{decimal(discount.multiplier)}")
            rate = rate.times(f"{card.ref} line {discount.line}", discount.multiplier)
        return rate

    def _negotiated(self, card: RateCard, rate: Rate, unit: Unit, usd: Fraction) -> Derivation:
        """A price of the contract, with the contract's own factors, else the list's uplifts."""
        self._note(card, rate.span, "contract:rate")
        derivation = Derivation(unit, f"{card.ref} line {rate.line}", usd, (), usd)
        own = _own_factors(rate, self._facts)
        for name, factor in own.values() if unit in TOKENS else ():
            if not {name, f"{name}:{decimal(factor)}"} & self._known:
                self.modifiers[f"{name}:{decimal(factor)}"] = None
            derivation = derivation.times(name, factor)
        for uplift in self._uplifts:
            if uplift.keys.isdisjoint(own) and unit in uplift.units:
                derivation = derivation.times(uplift.name, uplift.multiplier)
        return derivation

    def _note(self, card: RateCard, span: Span, modifier: str) -> None:
        self.refs[card.ref] = None
        self.modifiers[modifier] = None
        self.since[max(card.span.start, span.start)] = None


def _price(rate: Rate, unit: Unit, over: int) -> Fraction | None:
    """What an entry asks for a unit in a band, None if it does not name the unit."""
    if rate.over is not None and over >= rate.over and unit in rate.usd_over:
        return rate.usd_over[unit]
    return rate.usd.get(unit)


def _own_factors(rate: Rate, facts: Facts) -> Mapping[str, tuple[str, Fraction]]:
    """Context key -> the name and the factor that the contract states for the call's value."""
    found = {}
    for key, value in facts.all.items():
        name = _FACTOR_KEYS.get(key, key)
        factor = rate.factors.get((name, "true" if key == PROCESSING else value))
        if factor is not None:
            found[key] = ("batch" if key == PROCESSING else f"{name}:{value}", factor)
    return found


def _unstated(rate: Rate, facts: Facts) -> list[str]:
    """The circumstances of a call for which a negotiated price states nothing."""
    own = _own_factors(rate, facts)
    return [f"{key}={value}" for key, value in facts.strict.items() if key not in own]
