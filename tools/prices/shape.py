"""What a file of corrections may say, checked as far as one entry can be. Nothing is applied.

The format is described in pricing/corrections/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

from msgspec import Struct
from prices.units import PER

Rates = dict[str, str]
When = dict[str, str | tuple[str, ...]]

_DECIMAL = re.compile(r"\d+(\.\d+)?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_DAYS = re.compile(r"[1-7]{1,7}")
_URL = re.compile(r"https?://\S+\.\S+")
_CLAUSE = re.compile(r"[=^$*~].+")
_KEYS = ("processing", "service_tier", "speed", "search")
_PLACES = ("geo", "region", "deployment", "platform")


class _Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No other keys than these."""


class _Dated(_Strict, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Half-open [from, to), UTC; absent: always, for ever."""

    start: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        check_interval(self.start, self.end)


class Reviewed(_Strict, frozen=True, kw_only=True):
    """What every entry has: where it comes from, who can check it, and since when."""

    because: str
    source: str | tuple[str, ...]
    checked: date


def check_reviewed(entry: Reviewed) -> None:
    """Raise ValueError if the source can't be opened or the reason is empty."""
    if not entry.because.strip():
        raise ValueError("expected a sentence in `because`, got nothing")
    sources = (entry.source,) if isinstance(entry.source, str) else entry.source
    if not sources or not all(_URL.fullmatch(source) for source in sources):
        raise ValueError(f"expected `source` to be a URL or several, got {entry.source!r}")


class _Rule(Reviewed, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """An entry for several rows, in [from, to)."""

    models: tuple[str, ...]  # ids, globs of ids; "!glob" takes out again
    start: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        check_reviewed(self)
        check_interval(self.start, self.end)
        if not self.models or self.models[0].startswith("!"):
            raise ValueError(f"expected `models` to begin with a name or a glob, got {self.models}")


class Band(_Strict, frozen=True, kw_only=True):
    """Rates for prompts over `over` tokens."""

    over: int
    rates: Rates

    def __post_init__(self) -> None:
        check_rates(self.rates)


class Hours(_Strict, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Rates for a part of the day."""

    start: str
    end: str
    rates: Rates
    days: str = "1234567"
    except_on: str = ""

    def __post_init__(self) -> None:
        check_rates(self.rates)
        if not (_CLOCK.fullmatch(self.start) and _CLOCK.fullmatch(self.end)):
            raise ValueError(f'expected hours as "HH:MM", got {self.start!r} and {self.end!r}')
        if self.start >= self.end:
            raise ValueError(f"expected a part of one day, got {self.start}-{self.end}")
        if not _DAYS.fullmatch(self.days) or len(set(self.days)) != len(self.days):
            raise ValueError(f'expected ISO weekdays such as "12345", got {self.days!r}')


class Price(_Dated, frozen=True, kw_only=True):
    """A standard price. Empty `rates`: sold then, but no source says for how much."""

    rates: Rates
    bands: tuple[Band, ...] = ()
    hours: tuple[Hours, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rates(self.rates, empty=True)
        _check_bands(self.bands)


class Variant(_Dated, frozen=True, kw_only=True):
    """Rates for a context."""

    when: When
    rates: Rates
    bands: tuple[Band, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_when(self.when, _KEYS + _PLACES)
        check_rates(self.rates)
        _check_bands(self.bands)


class Bounds(_Strict, frozen=True, kw_only=True):
    """The least and the most of a unit in one call."""

    least: int = 0
    most: int | None = None

    def __post_init__(self) -> None:
        if self.least < 0 or (self.most is not None and self.most < max(self.least, 1)):
            raise ValueError(f"expected 0 <= least <= most, got {self.least} and {self.most}")


class Row(Reviewed, frozen=True, kw_only=True):
    """A whole row, or parts of one."""

    id: str
    match: tuple[str | tuple[str, ...], ...] | None = None
    prices: tuple[Price, ...] | None = None
    variants: tuple[Variant, ...] = ()
    billed: dict[str, Bounds] = {}

    def __post_init__(self) -> None:
        check_reviewed(self)
        check_units(self.billed)
        if self.prices is not None:
            _check_sequence(self.prices)
        for clause in self.match or ():
            for part in (clause,) if isinstance(clause, str) else clause:
                _check_clause(part)


class Amend(_Rule, frozen=True, kw_only=True):
    """A few rates of some rows, over an interval; with `when`, of their variants for it."""

    rates: Rates = {}
    factors: dict[str, dict[str, str]] = {}
    bands: dict[int, Rates] = {}
    drop: tuple[str, ...] = ()
    when: When = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        for rates in (self.rates, *self.bands.values()):
            check_rates(rates, empty=True)
        check_units((*self.factors, *self.drop))
        for source in self.factors.values():
            check_rates(source)
            if len(source) != 1:
                raise ValueError(f"expected a factor of one unit, got {source}")
        if not self.units:
            raise ValueError("expected `rates`, `factors`, `bands` or `drop`, got none")

    @property
    def units(self) -> frozenset[str]:
        """Every unit that is touched."""
        banded = (unit for rates in self.bands.values() for unit in rates)
        return frozenset((*self.rates, *self.factors, *self.drop, *banded))


class Rule(_Rule, frozen=True, kw_only=True):
    """A context for many rows, as factors on their standard rates."""

    when: When
    factors: Rates
    bands: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_when(self.when, _KEYS + _PLACES)
        check_rates(self.factors)


class Uplift(_Rule, frozen=True, kw_only=True):
    """A factor for where a call ran, applied when it is priced."""

    when: When
    multiplier: str
    units: Literal["tokens"] | tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_when(self.when, _KEYS + _PLACES)
        check_decimal("multiplier", self.multiplier)
        if not isinstance(self.units, str):
            check_units(self.units)


class Alias(Reviewed, frozen=True, kw_only=True):
    """More names of a row."""

    model: str
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_reviewed(self)
        if not self.names:
            raise ValueError("expected at least one name in `names`")


def check_interval(start: str, end: str) -> None:
    """Raise ValueError unless [start, end) is one; "" is open."""
    for instant in filter(None, (start, end)):
        check_instant(instant)
    if end and start >= end:
        raise ValueError(f"expected `from` before `to`, got {start} and {end}")


def check_instant(text: str) -> None:
    """Raise ValueError unless it is an instant in UTC, to the second."""
    if not _INSTANT.fullmatch(text):
        raise ValueError(f'expected an instant like "2026-08-16T16:00:00Z", got {text!r}')
    datetime.fromisoformat(text)


def check_decimal(what: str, text: str) -> None:
    """Raise ValueError unless it is a plain decimal, not negative."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f'{what}: expected a plain decimal like "0.25", got {text!r}')


def check_rates(rates: Mapping[str, str], *, empty: bool = False) -> None:
    """Raise ValueError for an unknown unit or what is no decimal."""
    if not rates and not empty:
        raise ValueError("expected at least one unit, got none")
    check_units(rates)
    for unit, text in rates.items():
        check_decimal(unit, text)


def check_units(units: Iterable[str]) -> None:
    """Raise ValueError for a unit that the book does not have."""
    for unit in units:
        if unit not in PER:
            raise ValueError(f"unknown unit {unit!r}, expected one of {', '.join(PER)}")


def check_when(when: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Raise ValueError unless `when` asks for something, and only for what is known."""
    if not when or not set(when) <= set(known):
        raise ValueError(f"expected `when` with keys of {', '.join(known)}, got {list(when)}")


def _check_bands(bands: tuple[Band, ...]) -> None:
    edges = [band.over for band in bands]
    if edges != sorted(set(edges)):
        raise ValueError(f"expected bands from the lowest up, each once, got {edges}")


def _check_sequence(prices: tuple[Price, ...]) -> None:
    if not prices:
        raise ValueError("expected at least one price, got none")
    for before, after in pairwise(prices):
        if after.start <= before.start:
            raise ValueError(f"expected prices in order, {after.start!r} follows {before.start!r}")
        if before.end > after.start:
            raise ValueError(f"prices overlap: one ends {before.end}, next begins {after.start}")


def _check_clause(clause: str) -> None:
    if not _CLAUSE.fullmatch(clause):
        raise ValueError(f"expected a clause (=name ^start $end *part ~regex), got {clause!r}")
    if clause[0] == "~":
        re.compile(clause[1:])
    elif clause != clause.lower():
        raise ValueError(f"names are compared in lower case, got {clause!r}")
