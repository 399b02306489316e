"""How a quote came about, for a person who wants to check it by hand. Records only."""

from __future__ import annotations

from typing import NamedTuple

from costspan_pricing.dating import EVER
from costspan_pricing.listing import Derivation
from costspan_pricing.quote import Quote
from costspan_pricing.resolution import Resolved
from costspan_pricing.usage import Usage


class Explanation(NamedTuple):
    """A quote and the derivation of its rates. `since`, `until`: ISO instants, "" = unbounded."""

    quote: Quote
    sku: str  # provider/model as in the book, with what moved the rate
    since: str
    until: str
    prompt: int  # tokens that decide the band
    bands: tuple[int, ...]  # thresholds, from the lowest: over N tokens
    rates: tuple[Derivation, ...]  # of the band that applies, in the order of units


def explanation(resolved: Resolved, usage: Usage) -> Explanation:
    """Put the parts together. Pure."""
    tariff = resolved.tariff
    quote = tariff.quote(usage)
    sku, since = quote.price_ref.split(";")[1:3] if quote.price_ref else ("", "")
    prompt = usage.prompt
    fitting = (band.rates for band in resolved.bands if prompt > band.over)
    rates = next(fitting, resolved.bands[-1].rates if resolved.bands else {})
    return Explanation(
        quote,
        sku,
        since,
        "" if tariff.end == EVER[1] else f"{tariff.end:%Y-%m-%dT%H:%M:%SZ}",
        prompt,
        tuple(sorted(band.over for band in resolved.bands if band.over >= 0)),
        tuple(rates.values()),
    )
