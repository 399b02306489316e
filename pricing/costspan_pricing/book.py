"""The price book: its file format, loading, and finding a model by name. No arithmetic.

A book is one JSON file, made by tools/import_prices.py. It is read once; a provider's models are
decoded when they are first asked for (2 300 models decoded eagerly would cost more memory and
start-up time than the rest of this package together).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import msgspec

from costspan_pricing.money import parse_usd

FORMAT = "costspan.prices/v2"
_BOOKS = Path(__file__).parent / "books"
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_PINNED = re.compile(r".*-([0-9a-f]{8})")

Rates = Mapping[str, str]
"""Unit name -> decimal text: US dollars per `Header.per[unit]` units."""


class Band(msgspec.Struct, frozen=True):
    """Rates that replace the base ones for the whole request when its prompt is over `over`."""

    over: int
    rates: Rates


class Hours(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Rates for a half-open part of the day, UTC, "HH:MM"; `days` are ISO weekdays.

    `except_on` names one of the book's calendars: on its days (UTC dates) the part is not in force.
    """

    start: str
    end: str
    rates: Rates
    days: str = "1234567"
    except_on: str = ""


class Price(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Rates in force in [from, to), UTC; "" = always, and until the next entry's `from`."""

    rates: Rates
    start: str = ""
    end: str = ""
    bands: tuple[Band, ...] = ()
    hours: tuple[Hours, ...] = ()


When = Mapping[str, str | tuple[str, ...]]
"""Context key -> the value, or one of several: plain, a glob, or "!glob" for anything else."""


class Variant(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Rates that replace the standard ones for a request whose context satisfies all of `when`."""

    when: When
    rates: Rates
    start: str = ""
    end: str = ""
    bands: tuple[Band, ...] = ()


class Uplift(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """A factor on the rates in force for a request whose context satisfies all of `when`.

    `models` are ids of the provider's rows. `units` are the units that it moves.
    """

    when: When
    models: tuple[str, ...]
    multiplier: str
    units: tuple[str, ...]
    start: str = ""
    end: str = ""


class Bounds(msgspec.Struct, frozen=True, omit_defaults=True):
    """The least and the most of a unit that one call is billed for."""

    least: int = 0
    most: int | None = None


Clause = str | tuple[str, ...]


class Model(msgspec.Struct, frozen=True):
    """One priced model. `match`: any of these; a tuple: all of it; none: the id itself.

    A clause begins with its operator: `=` equals, `^` starts with, `$` ends with, `*` contains,
    `~` regular expression; always against the lower-cased name.
    """

    id: str
    prices: tuple[Price, ...]
    match: tuple[Clause, ...] = ()
    variants: tuple[Variant, ...] = ()
    billed: Mapping[str, Bounds] = MappingProxyType({})  # unit -> bounds of its quantity in a call


class _Provider(msgspec.Struct, frozen=True):
    models: tuple[Model, ...]
    fallback: tuple[str, ...] = ()  # providers whose list price applies when there is no row here
    uplifts: tuple[Uplift, ...] = ()


class _File(msgspec.Struct, frozen=True):
    format: str
    notice: str
    source: Mapping[str, str]
    per: Mapping[str, int]
    owners: Mapping[str, tuple[Clause, ...]]
    providers: Mapping[str, msgspec.Raw]
    calendars: Mapping[str, tuple[str, ...]] = MappingProxyType({})  # name -> dates, YYYY-MM-DD
    date: date | None = None  # when its prices were last reviewed as a whole


class Catalogue:
    """The models of one provider, found by name: exact names first, then patterns in book order."""

    def __init__(self, provider: str, raw: msgspec.Raw) -> None:
        rows = msgspec.json.decode(raw, type=_Provider)
        self.provider = provider
        self.fallback = rows.fallback
        self.models = rows.models
        self.uplifts = rows.uplifts
        self.places = _places(rows)
        self._exact: dict[str, Model] = {}
        self._patterns: list[tuple[Clause, Model]] = []
        for model in rows.models:
            for clause in model.match or (f"={model.id.lower()}",):
                if isinstance(clause, str) and clause[0] == "=":
                    self._exact.setdefault(clause[1:], model)
                else:
                    self._patterns.append((clause, model))

    def find(self, name: str) -> Model | None:
        """The model that a lower-cased name means, if any."""
        model = self._exact.get(name)
        if model is not None:
            return model
        return next((model for clause, model in self._patterns if matches(clause, name)), None)

    def lists(self, name: str) -> bool:
        """Whether a lower-cased name stands here literally, not only by a pattern."""
        return name in self._exact or any(model.id.lower() == name for model in self.models)


def _places(rows: _Provider) -> Mapping[str, tuple[str | tuple[str, ...], ...]]:
    """Context key -> the values that some variant or uplift of the provider has rates for."""
    variants = (variant.when for model in rows.models for variant in model.variants)
    found: dict[str, dict[str | tuple[str, ...], None]] = {}
    for when in (*variants, *(uplift.when for uplift in rows.uplifts)):
        for key, values in when.items():
            found.setdefault(key, {})[values] = None
    return {key: tuple(values) for key, values in found.items()}


class PriceBook:
    """A loaded book. `name` and the first 8 digits of `sha256` are part of every price_ref."""

    def __init__(self, name: str, digest: str, content: _File) -> None:
        self.name = name
        self.sha256 = digest
        self.source = content.source
        self.notice = content.notice
        self.per = content.per
        self.date = content.date
        self.calendars = content.calendars
        self.providers = frozenset(content.providers)
        self._owners = content.owners
        self._raw = content.providers
        self._catalogues: dict[str, Catalogue] = {}

    @property
    def ref(self) -> str:
        """The book's part of a price_ref: name@sha8."""
        return f"{self.name}@{self.sha256[:8]}"

    def catalogue(self, provider: str) -> Catalogue | None:
        """The models of a provider (the book's id), decoded at the first call."""
        found = self._catalogues.get(provider)
        if found is None and provider in self._raw:
            found = self._catalogues[provider] = Catalogue(provider, self._raw[provider])
        return found

    def owner(self, name: str) -> str | None:
        """The one provider to whom a model's name belongs; None if there is none or several."""
        owners = [
            provider
            for provider, clauses in self._owners.items()
            if any(matches(clause, name) for clause in clauses)
        ]
        return owners[0] if len(owners) == 1 else None


def matches(clause: Clause, name: str) -> bool:
    """Whether a lower-cased name satisfies one clause (all parts of it, if it is a tuple)."""
    if not isinstance(clause, str):
        return all(matches(part, name) for part in clause)
    operator, text = clause[0], clause[1:]
    if operator == "=":
        return name == text
    if operator == "^":
        return name.startswith(text)
    if operator == "$":
        return name.endswith(text)
    if operator == "*":
        return text in name
    return re.search(text, name) is not None


def load_book(path: Path | str | None = None) -> PriceBook:
    """Read a book; without a path, the one that ships.

    A file whose name ends in eight hex digits is pinned: they must be those of its SHA-256. A file
    given by path is read to its last rate, so that nothing in it can surprise a quote.
    Raises ValueError naming the file and what was expected, OSError if it can't be read.
    """
    file = _bundled() if path is None else Path(path)
    data = file.read_bytes()
    digest = sha256(data).hexdigest()
    pinned = _PINNED.fullmatch(file.stem)
    if pinned and not digest.startswith(pinned[1]):
        raise ValueError(
            f"{file}: expected content with SHA-256 {pinned[1]}..., got {digest[:8]}..."
        )
    try:
        content = msgspec.json.decode(data, type=_File)
    except msgspec.DecodeError as error:
        raise ValueError(f"{file}: expected a price book ({FORMAT}): {error}") from error
    if content.format != FORMAT:
        raise ValueError(f"{file}: expected format {FORMAT}, got {content.format!r}")
    name = file.stem.removesuffix(f"-{pinned[1]}") if pinned else file.stem
    book = PriceBook(name, digest, content)
    if path is not None:
        faults = list(check_book(book))
        if faults:
            raise ValueError(f"{file}: " + "; ".join(faults))
    return book


def check_book(book: PriceBook) -> Iterator[str]:
    """Every fault of a book, a sentence each: rates, units, instants, clauses, hours."""
    for provider in sorted(book.providers):
        try:
            catalogue = book.catalogue(provider)
        except msgspec.DecodeError as error:
            yield f"provider {provider}: {error}"
            continue
        for model in catalogue.models if catalogue else ():
            try:
                _check_model(model, book.per)
            except (ValueError, re.error, KeyError, IndexError) as error:
                yield f"{provider}/{model.id}: {error}"


def _check_model(model: Model, per: Mapping[str, int]) -> None:
    """Raise for the first thing that a quote could trip over."""
    for clause in model.match:
        matches(clause, "")
    entries: tuple[Price | Variant, ...] = (*model.prices, *model.variants)
    for entry in entries:
        if entry.start and datetime.fromisoformat(entry.start).utcoffset() is None:
            raise ValueError(f"expected an instant with its zone, got {entry.start!r}")
        for rates in (entry.rates, *(band.rates for band in entry.bands)):
            _check_rates(rates, per)
    for price in model.prices:
        if any(unit.startswith("cache_") for unit in price.rates) and "input" not in price.rates:
            raise ValueError("expected a rate for input beside the cached ones")
    for hours in (hours for price in model.prices for hours in price.hours):
        _check_rates(hours.rates, per)
        if not (_CLOCK.fullmatch(hours.start) and _CLOCK.fullmatch(hours.end)):
            raise ValueError(f"expected hours as HH:MM, got {hours.start!r} and {hours.end!r}")


def _check_rates(rates: Rates, per: Mapping[str, int]) -> None:
    for unit, text in rates.items():
        if unit not in per:
            raise ValueError(f"{unit}: expected one of the units of `per`: {', '.join(per)}")
        if parse_usd(text) < 0 or per[unit] < 1:
            raise ValueError(f"{unit}: expected a rate of 0 or more per 1 or more, got {text!r}")


def _bundled() -> Path:
    books = sorted(_BOOKS.glob("prices-*.json"))
    if len(books) != 1:
        raise ValueError(f"{_BOOKS}: expected exactly one price book, found {len(books)}")
    return books[0]
