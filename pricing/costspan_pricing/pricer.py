"""From a call's context to the rates that apply, remembered. No arithmetic on money here.

The order of resolution: model and provider -> context -> instant -> compiled card.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from costspan_pricing.book import Hours, Price, PriceBook, Rates, Variant
from costspan_pricing.card import Band, Card, compile_band
from costspan_pricing.context import Unpriced, wanted
from costspan_pricing.dating import EVER, hours_at, in_force, window_at
from costspan_pricing.lookup import Sku, find
from costspan_pricing.quote import Context, Quote, Reason
from costspan_pricing.usage import Unit, Usage

MAX_CARDS = 2048  # distinct contexts remembered, misses included: 1 to 2 KiB each
_NO_CARD = "list@0"  # the card part of a price_ref: no rate card, list prices
_NO_USAGE = Quote("unpriced", Reason.NO_USAGE)

Window = tuple[datetime, datetime]


class _Miss(NamedTuple):
    """No card; `start` and `end` as in Card: another instant may have one."""

    start: datetime
    end: datetime
    answer: Quote

    def quote(self, _usage: Usage) -> Quote:
        return self.answer


class Pricer:
    """Quotes usages against one book. Thread-safe: what it remembers can be computed again."""

    def __init__(self, book: PriceBook, cards: Iterable[object] = ()) -> None:
        if tuple(cards):
            raise ValueError("rate cards can't be used yet: expected none")
        self.book = book
        self._cards: dict[tuple[object, ...], Card | _Miss] = {}

    def quote(self, usage: Usage | None, context: Context) -> Quote:
        """The price of a call, or the reason why there is none. Never raises for data."""
        if usage is None:
            return _NO_USAGE
        at = context.at
        key = (
            context.provider, context.model, context.tier, context.batch, context.speed,
            context.geo, context.region, context.deployment, at.tzinfo is None,
        )  # fmt: skip
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        card = self._cards.get(key)
        if card is None or not card.start <= at < card.end:
            card = self._resolve(context, at.astimezone(UTC))
            if len(self._cards) >= MAX_CARDS:
                self._cards.clear()  # hostile names; the working set comes back in microseconds
            self._cards[key] = card
        return card.quote(usage)

    def _resolve(self, context: Context, at: datetime) -> Card | _Miss:
        window = EVER
        try:
            sku = find(self.book, context)
            window = window_at(sku.model, at)
            variant, marks = wanted(context, sku.place)
            layers = _layers(sku, variant, at)
        except Unpriced as why:
            return _Miss(*window, Quote("unpriced", why.reason, assumed=why.said))
        marks = (*sku.assumed, *marks)
        return self._compile(sku, layers, tuple(map(_modifier, variant.items())), marks, at, window)

    def _compile(
        self,
        sku: Sku,
        layers: tuple[Price | Variant, ...],
        modifiers: tuple[str, ...],
        marks: tuple[str, ...],
        at: datetime,
        window: Window,
    ) -> Card:
        hours = None
        if isinstance(layers[-1], Price) and layers[-1].hours:
            marks = (*marks, "hours:public holidays not known")
            hours = hours_at(layers[-1], at)
        if hours is not None:
            modifiers = (*modifiers, f"hours:{hours.start}-{hours.end}")
        name = "+".join((f"{sku.provider}/{sku.model.id}", *modifiers))
        since = max(layer.start for layer in layers)
        return Card(
            *window,
            model=sku.model.id,
            price_ref=f"{self.book.ref};{name};{since};{_NO_CARD}",
            assumed=marks,
            bands=_bands(sku.provider, self.book.per, layers, hours, modifiers),
            per_request=any(Unit.REQUESTS in layer.rates for layer in layers),
        )


def _layers(sku: Sku, wanted: Mapping[str, str], at: datetime) -> tuple[Price | Variant, ...]:
    """The standard rates in force and, over them, those of exactly the context that is wanted.

    Combinations that nobody lists are not invented. Raises Unpriced.
    """
    price = in_force(sku.model.prices, at)
    if price is None:
        raise Unpriced(Reason.NO_RATE_AT_TIME)
    if not wanted:
        return (price,)
    own = sku.place == sku.provider  # one provider's tiers say nothing about another's
    variant = in_force([v for v in sku.model.variants if own and v.when == wanted], at)
    if variant is None:
        said = (f"{key}={value}" for key, value in wanted.items())
        raise Unpriced(Reason.UNKNOWN_CONTEXT, *said)
    return price, variant


def _bands(
    provider: str,
    per: Mapping[str, int],
    layers: tuple[Price | Variant, ...],
    hours: Hours | None,
    modifiers: tuple[str, ...],
) -> tuple[Band, ...]:
    """Every band, highest first: each unit at the rate of the last layer that lists it."""
    edges = sorted({band.over for layer in layers for band in layer.bands}, reverse=True)
    compiled = []
    for over in (*edges, -1):
        rates: dict[str, str] = {}
        for layer in layers:
            rates.update(_rates_above(layer, over))
        if hours is not None:
            rates.update(hours.rates)
        named = modifiers if over < 0 else (*modifiers, f"long_context:>{over}")
        compiled.append(compile_band(provider, rates, per, over, named))
    return tuple(compiled)


def _rates_above(layer: Price | Variant, over: int) -> Rates:
    """A layer's rates for a prompt just over `over`: the base, then every band up to there."""
    rates = dict(layer.rates)
    for band in sorted(layer.bands, key=lambda band: band.over):
        if band.over <= over:
            rates.update(band.rates)
    return rates


def _modifier(stated: tuple[str, str]) -> str:
    key, value = stated
    return value if key == "processing" else f"{key.removeprefix('service_')}:{value}"
