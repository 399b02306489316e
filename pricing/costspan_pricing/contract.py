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
    found = ranked(cards, lambda card: card.rates, names, at)
    usable = [(card, rate) for card, rate in found if not _unstated(rate, facts)]
    discounts = ranked(cards, lambda card: card.discounts, names, at) if listing else []
    if listing is None and all(rate.usd.keys().isdisjoint(TOKENS) for _, rate in usable):
        return None
    ledger = _Ledger(listing, facts)
    overs = {band.over for band in listing.bands} if listing else {-1}
    overs.update(rate.over for _, rate in usable if rate.over is not None)
    listed = listing.bands if listing else (RatedBand(-1, {}),)
    bands = []
    for over in sorted(overs, reverse=True):
        rates = dict(next(band.rates for band in listed if band.over <= over))
        for unit, card, discount in _discounts(rates, discounts):
            rates[unit] = ledger.discounted(rates[unit], card, discount)
        for card, rate in reversed(found):  # the most specific last: it replaces
            rates.update(ledger.negotiated(card, rate, over))
        bands.append(RatedBand(over, rates))
    if not ledger.refs and listing is not None:
        return None if not found else Found(listing.bands, (), (), _marks(found, facts), ())
    marks = _marks(found, facts)
    return Found(
        tuple(bands), tuple(ledger.refs), tuple(ledger.modifiers), marks, tuple(ledger.since)
    )


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


class _Ledger:
    """Makes the rates, and remembers which cards counted."""

    def __init__(self, listing: Listing | None, facts: Facts) -> None:
        self._factors: tuple[Factor, ...] = listing.factors if listing else ()
        self._facts = facts
        self._listed = listing.modifiers if listing else ()
        self.refs: dict[str, None] = {}
        self.modifiers: dict[str, None] = {}
        self.since: dict[datetime, None] = {}

    def discounted(self, rate: Derivation, card: RateCard, discount: Discount) -> Derivation:
        """A list rate, less a discount."""
        self._note(card, discount.span, f"contract:{decimal(discount.multiplier)}")
        return rate.times(f"{card.ref} line {discount.line}", discount.multiplier)

    def negotiated(
        self, card: RateCard, rate: Rate, over: int
    ) -> Iterator[tuple[Unit, Derivation]]:
        """The rates of one entry in one band, those that say nothing of this context left out."""
        long = rate.over is not None and over >= rate.over
        prices = {**rate.usd, **rate.usd_over} if long else rate.usd
        unstated = bool(_unstated(rate, self._facts))
        for unit, usd in prices.items():
            if unit in TOKENS and unstated:
                continue
            derivation = Derivation(unit, f"{card.ref} line {rate.line}", usd, (), usd)
            for name, factor in self._steps(rate, unit):
                derivation = derivation.times(name, factor)
            self._note(card, rate.span, "contract:rate")
            yield unit, derivation

    def _steps(self, rate: Rate, unit: Unit) -> Iterator[tuple[str, Fraction]]:
        """The factors on one negotiated rate: the contract's own, else the list's uplifts."""
        own = _own_factors(rate, self._facts)
        if unit in TOKENS:
            for name, factor in own.values():
                step = f"{name}:{decimal(factor)}"
                if not {name, step} & {*self._listed}:
                    self.modifiers[step] = None
                yield name, factor
        for uplift in self._factors:
            if uplift.keys.isdisjoint(own) and unit in uplift.units:
                yield uplift.name, uplift.multiplier

    def _note(self, card: RateCard, span: Span, modifier: str) -> None:
        self.refs[card.ref] = None
        self.modifiers[modifier] = None
        self.since[max(card.span.start, span.start)] = None


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


def _discounts(
    rates: Mapping[Unit, Derivation], discounts: Sequence[tuple[RateCard, Discount]]
) -> Iterator[tuple[Unit, RateCard, Discount]]:
    """For every unit the most specific discount, and those that stack with it."""
    for unit in rates:
        fitting = [(card, each) for card, each in discounts if unit in each.units]
        alone = [pair for pair in fitting if not pair[1].stack][:1]
        for card, discount in (*alone, *(pair for pair in fitting if pair[1].stack)):
            yield unit, card, discount
