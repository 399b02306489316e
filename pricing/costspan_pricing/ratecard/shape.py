"""What a rate card says, read and checked: records only. No files, no arithmetic on usage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from costspan_pricing.usage import Unit


class Policy(StrEnum):
    """What becomes of a call that nothing prices."""

    FLAG = "flag"  # unpriced, with its reason
    LIST_OF_FAMILY = "list_of_family"  # the list price of the nearest model, marked as an estimate
    FAIL = "fail"  # unpriced with the reason `policy`; checks fail


class Span(NamedTuple):
    """Half-open [start, end), UTC."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end


class Pattern(NamedTuple):
    """One pattern of a name, lower-cased: `exact`, `glob` or `regex`."""

    kind: str
    text: str


class Match(NamedTuple):
    """What an entry applies to. Empty = everything."""

    providers: tuple[str, ...] = ()  # as in the book, or canonical, lower-cased
    models: tuple[Pattern, ...] = ()
    resource: Mapping[str, tuple[Pattern, ...]] = {}


class Alias(NamedTuple):
    """A name that traces carry, and the model that it stands for."""

    match: Match  # one provider (or none), patterns of names
    provider: str  # of the sku, canonical or as in the book
    model: str
    context: Mapping[str, str]  # fields of Context that the alias states
    line: int


class Rate(NamedTuple):
    """Absolute prices, in dollars per single unit. What it does not name stays at list."""

    match: Match
    span: Span
    usd: Mapping[Unit, Fraction]
    over: int | None  # prompts of more tokens than this are at `usd_over`, else at `usd`
    usd_over: Mapping[Unit, Fraction]
    factors: Mapping[tuple[str, str], Fraction]  # (context key, value) -> factor on token rates
    line: int


class Discount(NamedTuple):
    """A factor on list prices."""

    match: Match
    span: Span
    multiplier: Fraction
    units: frozenset[Unit]
    stack: bool  # applied together with others; without it the most specific one alone
    line: int


class Capacity(NamedTuple):
    """Provisioned: paid by the hour, so that a call adds `marginal` dollars (mostly 0)."""

    match: Match
    span: Span
    marginal: Fraction  # dollars a call
    shadow: tuple[str, str] | None  # provider and model whose list price the call would have had
    usd_per_hour: Fraction | None
    usd_per_token: Fraction | None  # the hour's price spread over its tokens, if they are stated
    line: int


class Meter(NamedTuple):
    """A cost that is on no span: exported as a metric."""

    name: str
    unit: str
    usd: Fraction  # dollars per unit


class Showback(NamedTuple):
    """A factor on the contracted cost for internal charging; never changes that cost."""

    match: Match
    span: Span
    multiplier: Fraction
    line: int


class RateCard(NamedTuple):
    """One file."""

    id: str
    revision: str
    sha256: str
    source: str  # the file's name
    owner: str
    span: Span
    scope: Mapping[str, tuple[Pattern, ...]]  # resource attribute -> patterns; {} = everywhere
    aliases: tuple[Alias, ...]
    rates: tuple[Rate, ...]
    discounts: tuple[Discount, ...]
    capacity: tuple[Capacity, ...]
    meters: tuple[Meter, ...]
    showback: tuple[Showback, ...]
    unpriced: Policy
    book: str  # "bundled", or the name of the book that the discounts refer to
    min_date: date | None  # the book has to be of this date or a later one

    @property
    def ref(self) -> str:
        """Its part of a price_ref: id@revision+sha8."""
        return f"{self.id}@{self.revision}+{self.sha256[:8]}"
