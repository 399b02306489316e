"""Which dated entries are in force at an instant, and for how long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TypeVar

from costspan_pricing.book import Hours, Price, Uplift, Variant

Dated = TypeVar("Dated", Price, Variant)
Window = tuple[datetime, datetime]
EVER: Window = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def in_force(entries: Iterable[Dated], at: datetime) -> Dated | None:
    """The entry with the latest start that is not after `at`, unless it has ended."""
    started = [entry for entry in entries if instant(entry.start) <= at]
    latest = max(started, key=lambda entry: instant(entry.start), default=None)
    return latest if latest is not None and holds(latest, at) else None


def holds(entry: Price | Variant | Uplift, at: datetime) -> bool:
    """Whether `at` lies in the entry's [from, to)."""
    return instant(entry.start) <= at and (not entry.end or at < instant(entry.end))


def edges(entries: Iterable[Price | Variant | Uplift]) -> Iterator[datetime]:
    """The instants at which any of the entries begins or ends."""
    for entry in entries:
        yield instant(entry.start)
        if entry.end:
            yield instant(entry.end)


def hours_at(price: Price, at: datetime, calendars: Mapping[str, tuple[str, ...]]) -> Hours | None:
    """The part of the day that `at` falls into, if the price has one for it."""
    clock = f"{at.hour:02}:{at.minute:02}"
    today, date = str(at.isoweekday()), at.date().isoformat()
    fitting = (
        h
        for h in price.hours
        if h.start <= clock < h.end
        and today in h.days
        and date not in calendars.get(h.except_on, ())
    )
    return next(fitting, None)


def hour_edges(price: Price, at: datetime) -> Iterator[datetime]:
    """The instants of `at`'s day at which the price's hours begin and end, midnights included."""
    if price.hours:
        midnight = datetime.combine(at.date(), time(), UTC)
        yield midnight
        yield midnight + timedelta(days=1)
        for hours in price.hours:
            yield _on_day(midnight, hours.start)
            yield _on_day(midnight, hours.end)


def window(changes: Iterable[datetime], at: datetime) -> Window:
    """The longest [start, end) around `at` without a change inside."""
    start, end = EVER
    for change in changes:
        if change <= at:
            start = max(start, change)
        else:
            end = min(end, change)
    return start, end


@lru_cache(maxsize=4096)
def instant(text: str) -> datetime:
    """A book's instant; "" is before everything."""
    return datetime.fromisoformat(text) if text else EVER[0]


def _on_day(midnight: datetime, clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return midnight + timedelta(hours=int(hours), minutes=int(minutes))
