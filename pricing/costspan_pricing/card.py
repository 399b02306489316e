"""One model's rates compiled for one context and one stretch of time, and the arithmetic. Pure.

The rules that no data states, about how providers bill, are tables in this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from costspan_pricing.book import Rates
from costspan_pricing.money import divide, parse_usd
from costspan_pricing.quote import Quote, QuoteLine, Reason
from costspan_pricing.usage import CACHE_WRITES, Unit, Usage

# A bucket without a rate of its own takes that of another bucket only where the provider bills it
# so. Everything else without a rate is unpriced.
_PROMPT_MEDIA = {Unit.AUDIO_INPUT: Unit.INPUT, Unit.IMAGE_INPUT: Unit.INPUT}
_WRITES_ARE_INPUT = dict.fromkeys(CACHE_WRITES, Unit.INPUT)
_INHERITS: Mapping[str, Mapping[Unit, Unit]] = {
    # Images are prompt tokens: platform.claude.com/docs/en/build-with-claude/vision
    "anthropic": {Unit.IMAGE_INPUT: Unit.INPUT},
    # Caching is automatic and a miss is plain input; chat models take images as prompt tokens:
    # developers.openai.com/api/docs/guides/prompt-caching, .../pricing
    "openai": {**_WRITES_ARE_INPUT, Unit.IMAGE_INPUT: Unit.INPUT},
    "azure": {**_WRITES_ARE_INPUT, Unit.IMAGE_INPUT: Unit.INPUT},
    # One input price for text, image and audio unless listed apart; an explicit cache is created
    # at the input price: ai.google.dev/gemini-api/docs/pricing and /caching
    "google": {**_WRITES_ARE_INPUT, **_PROMPT_MEDIA, Unit.CACHE_READ_AUDIO: Unit.CACHE_READ},
    # Automatic caching, a miss is plain input: api-docs.deepseek.com/guides/kv_cache,
    # docs.x.ai/docs/models, console.groq.com/docs/prompt-caching
    "deepseek": _WRITES_ARE_INPUT,
    "x-ai": {**_WRITES_ARE_INPUT, Unit.IMAGE_INPUT: Unit.INPUT},
    "groq": _WRITES_ARE_INPUT,
}
# What the same tokens would have cost without a cache.
_UNCACHED = {
    Unit.CACHE_READ: Unit.INPUT,
    Unit.CACHE_READ_AUDIO: Unit.AUDIO_INPUT,
    **dict.fromkeys(CACHE_WRITES, Unit.INPUT),
}


class Rate(NamedTuple):
    """What one unit costs: `amount` attos per `per` units; `per` is 1 unless it doesn't divide."""

    unit: Unit
    amount: int
    per: int
    each: int  # attos per unit, rounded only if per > 1
    uncached: int | None  # for cached tokens: attos per token without a cache


class Band(NamedTuple):
    """The rates for prompts of more than `over` tokens; the base band is over -1."""

    over: int
    rates: tuple[Rate, ...]
    inherited: Mapping[Unit, str]  # units whose rate is another's, with the mark to leave
    modifiers: tuple[str, ...]
    reasoning: bool  # reasoning has a rate of its own


class Card(NamedTuple):
    """Compiled rates, and what a quote says about them. `bands` from the highest down."""

    start: datetime  # in force in [start, end)
    end: datetime
    model: str
    price_ref: str
    assumed: tuple[str, ...]
    bands: tuple[Band, ...]
    per_request: bool  # every call costs a fee

    def quote(self, usage: Usage) -> Quote:
        """Price a usage: products of ints, summed. What has no rate makes the whole unpriced."""
        band = self.bands[0] if len(self.bands) == 1 else self._band(usage.prompt)
        counts = usage.counts
        if self.per_request and counts and Unit.REQUESTS not in counts:
            counts = {**counts, Unit.REQUESTS: 1}
        if Unit.REASONING in counts:
            counts = _without_overlap(counts, apart=band.reasoning)
        total = saved = 0
        lines = []
        for unit, amount, per, each, uncached in band.rates:
            quantity = counts.get(unit)
            if quantity is None:
                continue
            usd = quantity * amount if per == 1 else divide(quantity * amount, per)
            total += usd
            if uncached is not None:
                saved += quantity * uncached - usd
            lines.append(QuoteLine(unit, quantity, each, usd))
        assumed = self._marks(band, counts) if band.inherited else self.assumed
        if len(lines) != len(counts):
            return self._without_rate(band, counts)
        return Quote(
            "priced", "", total, total, saved, tuple(lines), self.price_ref,
            band.modifiers, assumed, self.model,
        )  # fmt: skip

    def _band(self, prompt: int) -> Band:
        for band in self.bands:
            if prompt > band.over:
                return band
        return self.bands[-1]

    def _marks(self, band: Band, counts: Mapping[Unit, int]) -> tuple[str, ...]:
        if band.inherited.keys().isdisjoint(counts):
            return self.assumed
        used = (mark for unit, mark in band.inherited.items() if unit in counts)
        return (*self.assumed, *used)

    def _without_rate(self, band: Band, counts: Mapping[Unit, int]) -> Quote:
        priced = {rate.unit for rate in band.rates}
        missing = tuple(f"no rate:{unit}" for unit in Unit if unit in counts and unit not in priced)
        return Quote(
            "unpriced",
            Reason.NO_RATE_FOR_UNIT,
            assumed=(*self.assumed, *missing),
        )


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


def compile_band(
    provider: str, rates: Rates, per: Mapping[str, int], over: int, modifiers: tuple[str, ...]
) -> Band:
    """Turn decimal texts into integer rates. Rates of units that we do not count are left out."""
    amounts = {unit: (parse_usd(rates[unit]), per[unit]) for unit in Unit if unit in rates}
    amounts.setdefault(Unit.REQUESTS, (0, 1))  # a request costs something only where it is listed
    inherited: dict[Unit, str] = {}
    for unit, source in _INHERITS.get(provider, {}).items():
        if unit not in amounts and source in amounts:
            amounts[unit] = amounts[source]
            inherited[unit] = f"{unit}:{source} rate"
    compiled = tuple(_rate(unit, amounts) for unit in Unit if unit in amounts)
    return Band(over, compiled, inherited, modifiers, Unit.REASONING in amounts)


def _rate(unit: Unit, amounts: Mapping[Unit, tuple[int, int]]) -> Rate:
    amount, per = amounts[unit]
    each = divide(amount, per)
    if each * per == amount:
        amount, per = each, 1
    if unit not in _UNCACHED:
        return Rate(unit, amount, per, each, None)
    # A book lists no cached rate without the plain one; the importer checks it.
    plain = amounts.get(_UNCACHED[unit], amounts.get(Unit.INPUT, amounts[unit]))
    return Rate(unit, amount, per, each, divide(*plain))
