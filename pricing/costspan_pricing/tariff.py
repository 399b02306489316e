"""Rates compiled to ints for one context and one stretch of time, and the arithmetic. Pure.

cost of a line = quantity x amount / per, in attos; rounded (half to even) where it does not divide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Literal, NamedTuple

import msgspec

from costspan_pricing.book import Bounds
from costspan_pricing.listing import Derivation
from costspan_pricing.money import ATTOS, divide
from costspan_pricing.quote import Quote, QuoteLine, Reason
from costspan_pricing.usage import CACHE_WRITES, TOKENS, Unit, Usage

# What the same tokens would have cost without a cache.
_UNCACHED = {
    Unit.CACHE_READ: Unit.INPUT,
    Unit.CACHE_READ_AUDIO: Unit.AUDIO_INPUT,
    **dict.fromkeys(CACHE_WRITES, Unit.INPUT),
}
_PLACES = {unit: place for place, unit in enumerate(Unit)}
_TOKENS = TOKENS - {Unit.REASONING}  # it lies inside output


class Rate(NamedTuple):
    """What one unit costs: `amount` attos per `per` units; `per` is 1 unless it doesn't divide."""

    place: int  # in the order of a quote's lines
    amount: int
    per: int
    each: int  # attos per unit, rounded only if per > 1
    uncached: int | None  # for cached tokens: attos per token without a cache
    mark: str  # left by a rate that is another unit's; "" = its own


class Band(msgspec.Struct, frozen=True, gc=False):
    """The rates for prompts of more than `over` tokens; the base band is over -1."""

    over: int
    rates: Mapping[Unit, Rate]
    listed: Mapping[Unit, tuple[int, int]] | None  # list amounts and pers; None: they are `rates`
    modifiers: tuple[str, ...]


class Tariff(msgspec.Struct, frozen=True):
    """Compiled rates, and what a quote says about them. `bands` from the highest down."""

    start: datetime  # in force in [start, end)
    end: datetime
    status: Literal["priced", "estimated"]
    model: str
    price_ref: str
    assumed: tuple[str, ...]
    bands: tuple[Band, ...]
    flat: int  # calls of so many units in all are surely in the base band
    per_request: bool  # every call costs a fee
    billed: Mapping[Unit, Bounds]
    showback: Fraction | None

    def quote(self, usage: Usage) -> Quote:
        """Price a usage: products of ints, summed. What has no rate makes the whole unpriced."""
        counts = usage.counts
        band = self.bands[-1]
        if sum(counts.values()) > self.flat:
            band = self._band(usage.prompt)
        rates, modifiers = band.rates, band.modifiers
        if self.per_request or self.billed or Unit.REASONING in counts:
            counts, bounds = self._billed(counts, band)
            modifiers += bounds
        total = saved = 0
        last = -1
        ordered = True
        lines = []
        marks = []
        for unit, quantity in counts.items():
            rate = rates.get(unit)
            if rate is None:
                return self._without_rate(band, counts)
            place, amount, per, each, uncached, mark = rate
            usd = quantity * amount if per == 1 else divide(quantity * amount, per)
            total += usd
            if uncached is not None:
                saved += quantity * uncached - usd
            if mark:
                marks.append(mark)
            ordered = ordered and place > last
            last = place
            lines.append(QuoteLine(unit, quantity, each, usd))
        if not ordered:
            lines.sort(key=lambda line: rates[line.unit].place)
            marks = [mark for line in lines if (mark := rates[line.unit].mark)]
        return Quote(
            self.status, "", total, total if band.listed is None else _listed(band.listed, counts),
            saved, tuple(lines), self.price_ref, modifiers,
            (*self.assumed, *marks) if marks else self.assumed, self.model, total,
            None if self.showback is None else _times(total, self.showback),
        )  # fmt: skip

    def _band(self, prompt: int) -> Band:
        for band in self.bands:
            if prompt > band.over:
                return band
        return self.bands[-1]

    def _billed(
        self, counts: Mapping[Unit, int], band: Band
    ) -> tuple[Mapping[Unit, int], tuple[str, ...]]:
        """The quantities that are billed, and the marks of those that a bound changed."""
        if self.per_request and counts and Unit.REQUESTS not in counts:
            counts = {**counts, Unit.REQUESTS: 1}
        if Unit.REASONING in counts:
            counts = _without_overlap(counts, apart=Unit.REASONING in band.rates)
        return _bounded(counts, self.billed) if self.billed else (counts, ())

    def _without_rate(self, band: Band, counts: Mapping[Unit, int]) -> Quote:
        missing = (f"no rate:{unit}" for unit in Unit if unit in counts and unit not in band.rates)
        return Quote("unpriced", Reason.NO_RATE_FOR_UNIT, assumed=(*self.assumed, *missing))


class Provisioned(NamedTuple):
    """Capacity that is paid by the hour: a call adds `marginal` attos, whatever it uses."""

    start: datetime
    end: datetime
    marginal: int
    model: str
    price_ref: str
    assumed: tuple[str, ...]
    shadow: Tariff | None  # what the list would have asked
    per_token: Fraction | None  # attos: the hour's price spread over its tokens
    showback: Fraction | None

    def quote(self, usage: Usage) -> Quote:
        """The marginal cost, and beside it what list and amortisation say."""
        one = QuoteLine(Unit.REQUESTS, 1, self.marginal, self.marginal)
        shadow = None if self.shadow is None else self.shadow.quote(usage)
        tokens = sum(quantity for unit, quantity in usage.counts.items() if unit in _TOKENS)
        return Quote(
            "provisioned",
            total=self.marginal,
            list_total=None if shadow is None else shadow.total,
            savings=0,  # what the cache spared was not paid by the token
            lines=(one,) if self.marginal else (),
            price_ref=self.price_ref,
            modifiers=("provisioned",),
            assumed=self.assumed if shadow is None else (*self.assumed, *shadow.assumed),
            model=self.model,
            effective_total=None if self.per_token is None else _times(tokens, self.per_token),
            showback_total=None if self.showback is None else _times(self.marginal, self.showback),
        )


class Miss(NamedTuple):
    """No tariff; `start` and `end` as there: another instant may have one."""

    start: datetime
    end: datetime
    answer: Quote

    def quote(self, _usage: Usage) -> Quote:
        return self.answer


def compile_band(
    rates: Mapping[Unit, Derivation],
    listed: Mapping[Unit, Derivation] | None,
    inherits: Mapping[Unit, Unit],
    over: int,
    modifiers: tuple[str, ...],
) -> Band:
    """Turn rates in dollars into integer ones. `listed`: list rates, None if they are the same."""
    amounts, marks = _with_inherited(rates, inherits)
    compiled = {unit: _rate(unit, amounts, marks) for unit in Unit if unit in amounts}
    public = None if listed is None else _with_inherited(listed, inherits)[0]
    return Band(over, compiled, public, modifiers)


def _with_inherited(
    rates: Mapping[Unit, Derivation], inherits: Mapping[Unit, Unit]
) -> tuple[dict[Unit, tuple[int, int]], dict[Unit, str]]:
    """Amounts per units, with those that a bucket without a rate takes over, and their marks."""
    amounts = {unit: _ratio(rate.rate * ATTOS) for unit, rate in rates.items()}
    amounts.setdefault(Unit.REQUESTS, (0, 1))  # a request costs something only where it is listed
    inherited: dict[Unit, str] = {}
    # who asks for one kind of write does not give the others away at the price of a miss
    writes = not amounts.keys().isdisjoint(CACHE_WRITES)
    for unit, source in inherits.items():
        if writes and unit in CACHE_WRITES:
            continue
        if unit not in amounts and source in amounts:
            amounts[unit] = amounts[source]
            inherited[unit] = f"{unit}:{source} rate"
    return amounts, inherited


def _ratio(value: Fraction) -> tuple[int, int]:
    return value.numerator, value.denominator


def _rate(unit: Unit, amounts: Mapping[Unit, tuple[int, int]], marks: Mapping[Unit, str]) -> Rate:
    amount, per = amounts[unit]
    uncached = None
    if unit in _UNCACHED:
        # A book lists no cached rate without the plain one; the importer checks it.
        uncached = divide(*amounts.get(_UNCACHED[unit], amounts.get(Unit.INPUT, amounts[unit])))
    return Rate(_PLACES[unit], amount, per, divide(amount, per), uncached, marks.get(unit, ""))


def _without_overlap(counts: Mapping[Unit, int], *, apart: bool) -> Mapping[Unit, int]:
    """Reasoning lies inside output: taken out where it has a rate of its own, else dropped."""
    disjoint = dict(counts)
    if apart:
        disjoint[Unit.OUTPUT] -= disjoint[Unit.REASONING]
        if not disjoint[Unit.OUTPUT]:
            del disjoint[Unit.OUTPUT]
    else:
        del disjoint[Unit.REASONING]
    return disjoint


def _bounded(
    counts: Mapping[Unit, int], billed: Mapping[Unit, Bounds]
) -> tuple[Mapping[Unit, int], tuple[str, ...]]:
    """Quantities as the provider bills them, and the marks of those that it changes."""
    changed = {}
    for unit, bounds in billed.items():
        if unit in counts:
            least = max(counts[unit], bounds.least)
            quantity = least if bounds.most is None else min(least, bounds.most)
            if quantity != counts[unit]:
                changed[unit] = quantity
    return {**counts, **changed}, tuple(f"billed:{unit}:{n}" for unit, n in changed.items())


def _listed(amounts: Mapping[Unit, tuple[int, int]], counts: Mapping[Unit, int]) -> int | None:
    """The same quantities at list rates; None if the list lacks one."""
    if not counts.keys() <= amounts.keys():
        return None
    return sum(divide(quantity * amounts[u][0], amounts[u][1]) for u, quantity in counts.items())


def _times(money: int, factor: Fraction) -> int:
    return divide(money * factor.numerator, factor.denominator)
