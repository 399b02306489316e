"""From a call's context to the rates that apply, remembered. No arithmetic on money here.

The order of resolution: model and provider -> context -> instant -> compiled card.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple, TypeVar

from costspan_pricing.book import Catalogue, Hours, Model, Price, PriceBook, Rates, Variant
from costspan_pricing.card import Band, Card, compile_band
from costspan_pricing.identity import (
    book_provider,
    canonical_provider,
    evident_provider,
    names,
    needs_alias,
)
from costspan_pricing.quote import Context, Quote, Reason
from costspan_pricing.usage import Unit, Usage

MAX_CARDS = 4096  # distinct contexts remembered, misses included: about 1 KiB each
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_NO_CARD = "list@0"  # the card part of a price_ref: no rate card, list prices

_STANDARD_TIERS = frozenset({"default", "standard", "standard_only", "on_demand"})
_UNSTATED_TIERS = {"": "tier=standard", "auto": "tier=auto:standard"}  # `auto` is a wish, no tier
_BATCH = {"": False, "false": False, "no": False, "0": False, "none": False,
          "true": True, "yes": True, "1": True, "batch": True}  # fmt: skip
_STANDARD_SPEEDS = frozenset({"", "standard", "default", "normal"})
_WORLDWIDE = frozenset({"", "global", "default", "not_available"})
_STANDARD_DEPLOYMENTS = frozenset({"", "global", "global-standard", "globalstandard"})
_BY_REGION = frozenset({"azure", "google"})  # regional list prices exist, the book has none


_Dated = TypeVar("_Dated", Price, Variant)


class _Sku(NamedTuple):
    """A model as found in the book."""

    place: str  # the book's id of the provider that ran the call
    provider: str  # the one whose row it is: another's by fallback
    model: Model
    assumed: tuple[str, ...]


class _Miss(NamedTuple):
    """No card; `start` and `end` as in Card: a later instant may have one."""

    start: datetime
    end: datetime
    answer: Quote

    def quote(self, _usage: Usage) -> Quote:
        return self.answer


class _Unpriced(Exception):
    """There is no rate, and why."""

    def __init__(self, reason: Reason, *said: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.said = said


_NO_USAGE = Quote("unpriced", Reason.NO_USAGE)


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
            card = self._resolve(context, at)
            if len(self._cards) >= MAX_CARDS:
                self._cards.clear()  # hostile names; the working set comes back in microseconds
            self._cards[key] = card
        return card.quote(usage)

    def _resolve(self, context: Context, at: datetime) -> Card | _Miss:
        window = _EVER
        at = at.astimezone(UTC)
        try:
            sku = self._find(context)
            window = _window(sku.model, at)
            wanted, assumed = _wanted(context, sku)
            return self._compile(sku, wanted, assumed, at, window)
        except _Unpriced as why:
            return _Miss(*window, Quote("unpriced", why.reason, assumed=why.said))

    def _find(self, context: Context) -> _Sku:
        """The row of the book that the context names. Nothing is guessed without a mark."""
        model = context.model.strip()
        if not model:
            raise _Unpriced(Reason.NO_MODEL)
        provider = canonical_provider(context.provider)
        marks: tuple[str, ...] = ()
        if not provider:
            provider = evident_provider(model.lower()) or self.book.owner(model.lower()) or ""
            marks = (f"provider={provider}",)
        catalogue = self.book.catalogue(book_provider(provider))
        if catalogue is None:
            raise _Unpriced(Reason.NO_PROVIDER, *([f"not in the book:{provider}"] * bool(provider)))
        for place in (catalogue, *self._fallbacks(catalogue)):
            for name, mark in names(catalogue.provider, model, context.geo):
                found = place.find(name)
                if found is not None:
                    if place is not catalogue:
                        marks = (*marks, f"provider={provider}:price of {place.provider}")
                    said = (*marks, mark) if mark else marks
                    return _Sku(catalogue.provider, place.provider, found, said)
        alias = needs_alias(catalogue.provider, model)
        raise _Unpriced(Reason.ALIAS_MISSING if alias else Reason.UNKNOWN_MODEL)

    def _fallbacks(self, catalogue: Catalogue) -> list[Catalogue]:
        found = (self.book.catalogue(provider) for provider in catalogue.fallback)
        return [catalogue for catalogue in found if catalogue is not None]

    def _compile(
        self,
        sku: _Sku,
        wanted: Mapping[str, str],
        assumed: tuple[str, ...],
        at: datetime,
        window: tuple[datetime, datetime],
    ) -> Card:
        price = _in_force(sku.model.prices, at)
        if price is None:
            raise _Unpriced(Reason.NO_RATE_AT_TIME)
        layers: list[Price | Variant] = [price]
        if wanted:
            layers.append(_variant(sku, wanted, at))
        hours = None if wanted else _hours(price, at)
        modifiers = tuple(_modifier(key, value) for key, value in wanted.items())
        if price.hours:
            assumed = (*assumed, "hours:public holidays not known")
        if hours is not None:
            modifiers = (*modifiers, f"hours:{hours.start}-{hours.end}")
        bands = self._bands(sku.provider, layers, hours, modifiers)
        since = max(layer.start for layer in layers)
        name = "+".join((f"{sku.provider}/{sku.model.id}", *modifiers))
        return Card(
            *window,
            model=sku.model.id,
            price_ref=f"{self.book.ref};{name};{since};{_NO_CARD}",
            assumed=assumed,
            bands=bands,
            per_request=any(Unit.REQUESTS in layer.rates for layer in layers),
        )

    def _bands(
        self,
        provider: str,
        layers: Iterable[Price | Variant],
        hours: Hours | None,
        modifiers: tuple[str, ...],
    ) -> tuple[Band, ...]:
        """Every band, highest first: each unit at the rate of the last layer that lists it."""
        layers = tuple(layers)
        edges = sorted({band.over for layer in layers for band in layer.bands}, reverse=True)
        compiled = []
        for over in (*edges, -1):
            rates: dict[str, str] = {}
            for layer in layers:
                rates.update(_rates_above(layer, over))
            if hours is not None:
                rates.update(hours.rates)
            named = modifiers if over < 0 else (*modifiers, f"long_context:>{over}")
            compiled.append(compile_band(provider, rates, self.book.per, over, named))
        return tuple(compiled)


def _rates_above(layer: Price | Variant, over: int) -> Rates:
    """A layer's rates for a prompt just over `over`: the base, then every band up to there."""
    rates = dict(layer.rates)
    for band in sorted(layer.bands, key=lambda band: band.over):
        if band.over <= over:
            rates.update(band.rates)
    return rates


def _wanted(context: Context, sku: _Sku) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The variant that the context asks for ({} = standard), and every mark so far.

    Raises for a value that nobody knows; that a known one has no rates is found out later.
    """
    wanted: dict[str, str] = {}
    marks = list(sku.assumed)
    tier = context.tier.strip().lower()
    batch = _BATCH.get(str(context.batch).strip().lower())
    if batch is None:
        raise _Unpriced(Reason.UNKNOWN_CONTEXT, f"batch={context.batch}")
    if batch or tier == "batch":
        wanted["processing"] = "batch"
    if context.at.tzinfo is None:
        marks.append("at:UTC")
    if tier in _UNSTATED_TIERS:
        marks.append(_UNSTATED_TIERS[tier])
    elif tier not in _STANDARD_TIERS and tier != "batch":
        wanted["service_tier"] = tier
    speed = context.speed.strip().lower()
    if speed not in _STANDARD_SPEEDS:
        wanted["speed"] = speed
    marks += _placement(context, sku)
    return wanted, tuple(marks)


def _placement(context: Context, sku: _Sku) -> Iterable[str]:
    """Marks for where the call ran, as far as the book has no price for that place."""
    deployment = context.deployment.strip().lower()
    if "provisioned" in deployment or deployment.startswith("ptu"):
        raise _Unpriced(Reason.UNKNOWN_CONTEXT, f"deployment={deployment}")
    if deployment not in _STANDARD_DEPLOYMENTS:
        yield f"deployment={deployment}:global list price"
    if sku.place != "aws" and context.geo.strip().lower() not in _WORLDWIDE:
        yield f"geo={context.geo}:global list price"
    if context.region and sku.place in _BY_REGION:
        yield f"region={context.region}:global list price"


def _variant(sku: _Sku, wanted: Mapping[str, str], at: datetime) -> Variant:
    """The rates for exactly this context: combinations that nobody lists are not invented."""
    own = sku.place == sku.provider  # one provider's tiers say nothing about another's
    listed = [v for v in sku.model.variants if own and v.when == wanted]
    variant = _in_force(listed, at)
    if variant is None:
        said = (f"{key}={value}" for key, value in wanted.items())
        raise _Unpriced(Reason.UNKNOWN_CONTEXT, *said)
    return variant


def _modifier(key: str, value: str) -> str:
    return value if key == "processing" else f"{key.removeprefix('service_')}:{value}"


def _in_force(entries: Iterable[_Dated], at: datetime) -> _Dated | None:
    """The entry with the latest start that is not after `at`."""
    started = [entry for entry in entries if _instant(entry.start) <= at]
    return max(started, key=lambda entry: _instant(entry.start), default=None)


def _hours(price: Price, at: datetime) -> Hours | None:
    """The part of the day that `at` falls into, if the price has one for it."""
    clock = f"{at.hour:02}:{at.minute:02}"
    today = str(at.isoweekday())
    fitting = (h for h in price.hours if h.start <= clock < h.end and today in h.days)
    return next(fitting, None)


def _window(model: Model, at: datetime) -> tuple[datetime, datetime]:
    """The longest [start, end) around `at` in which nothing about the model changes."""
    entries: tuple[Price | Variant, ...] = (*model.prices, *model.variants)
    edges = {_instant(entry.start) for entry in entries}
    price = _in_force(model.prices, at)
    if price is not None and price.hours:
        midnight = datetime.combine(at.date(), time(), UTC)
        edges |= {midnight, midnight + timedelta(days=1)}
        for hours in price.hours:
            edges |= {_on_day(midnight, hours.start), _on_day(midnight, hours.end)}
    start = max((edge for edge in edges if edge <= at), default=_EVER[0])
    return start, min((edge for edge in edges if edge > at), default=_EVER[1])


def _on_day(midnight: datetime, clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return midnight + timedelta(hours=int(hours), minutes=int(minutes))


def _instant(text: str) -> datetime:
    """A book's instant; "" is before everything."""
    return datetime.fromisoformat(text) if text else _EVER[0]
