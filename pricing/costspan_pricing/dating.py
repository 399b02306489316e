"""Which of a model's dated entries is in force at an instant, and for how long. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar

from costspan_pricing.book import Hours, Model, Price, Variant

Dated = TypeVar("Dated", Price, Variant)
EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def in_force(entries: Iterable[Dated], at: datetime) -> Dated | None:
    """The entry with the latest start that is not after `at`."""
    started = [entry for entry in entries if _instant(entry.start) <= at]
    return max(started, key=lambda entry: _instant(entry.start), default=None)


def hours_at(price: Price, at: datetime) -> Hours | None:
    """The part of the day that `at` falls into, if the price has one for it."""
    clock = f"{at.hour:02}:{at.minute:02}"
    today = str(at.isoweekday())
    fitting = (h for h in price.hours if h.start <= clock < h.end and today in h.days)
    return next(fitting, None)


def window_at(model: Model, at: datetime) -> tuple[datetime, datetime]:
    """The longest [start, end) around `at` in which nothing about the model changes."""
    entries: tuple[Price | Variant, ...] = (*model.prices, *model.variants)
    edges = {_instant(entry.start) for entry in entries}
    price = in_force(model.prices, at)
    if price is not None and price.hours:
        midnight = datetime.combine(at.date(), time(), UTC)
        edges |= {midnight, midnight + timedelta(days=1)}
        for hours in price.hours:
            edges |= {_on_day(midnight, hours.start), _on_day(midnight, hours.end)}
    start = max((edge for edge in edges if edge <= at), default=EVER[0])
    return start, min((edge for edge in edges if edge > at), default=EVER[1])


def _on_day(midnight: datetime, clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return midnight + timedelta(hours=int(hours), minutes=int(minutes))


def _instant(text: str) -> datetime:
    """A book's instant; "" is before everything."""
    return datetime.fromisoformat(text) if text else EVER[0]
