"""From the values of a card's keys to its shapes, with the rules between keys. Reads no text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple, TypeVar

from costspan_pricing.dating import EVER
from costspan_pricing.faults import Faults
from costspan_pricing.ratecard.conflicts import Claim
from costspan_pricing.ratecard.reading import Entry
from costspan_pricing.ratecard.shape import (
    Alias,
    Capacity,
    Discount,
    Match,
    Meter,
    Pattern,
    Policy,
    Rate,
    RateCard,
    Showback,
    Span,
)
from costspan_pricing.ratecard.tables import BUNDLED, PRICES
from costspan_pricing.usage import TOKENS, Unit

_CONTEXT = ("tier", "batch", "speed", "geo", "region", "deployment", "search")
Built = TypeVar("Built")


class Draft(NamedTuple):
    """A card as far as it could be read; good only if there was no fault."""

    card: RateCard
    claims: tuple[Claim, ...]
    entry: Entry


def build(entry: Entry, source: str, sha256: str, faults: Faults) -> Draft:
    """The card, of those entries that have no fault."""
    return _Builder(entry, faults).draft(source, sha256)


class _Builder:
    def __init__(self, entry: Entry, faults: Faults) -> None:
        self._entry = entry
        self._faults = faults
        effective = entry.get("effective")
        self._span = self._within(effective, Span(*EVER)) if effective else Span(*EVER)
        applies_to = entry.get("applies_to")
        self._scope: Mapping[str, tuple[Pattern, ...]] = (
            applies_to.get("resource", {}) if applies_to else {}
        )
        self._claims: list[Claim] = []

    def draft(self, source: str, sha256: str) -> Draft:
        entry = self._entry
        unpriced, listed = entry.get("unpriced"), entry.get("list")
        card = RateCard(
            id=entry.get("id", ""),
            revision=entry.get("revision", "1"),
            sha256=sha256,
            source=source,
            owner=entry.get("owner", ""),
            span=self._span,
            scope=self._scope,
            aliases=self._each("aliases", self._alias),
            rates=self._each("rates", self._rate),
            discounts=self._each("discounts", self._discount),
            capacity=self._each("capacity", self._capacity),
            meters=self._meters(),
            showback=self._each("showback", self._showback),
            unpriced=Policy(unpriced.get("policy", Policy.FLAG)) if unpriced else Policy.FLAG,
            book=listed.get("book", BUNDLED) if listed else BUNDLED,
            min_date=listed.get("min_date") if listed else None,
        )
        return Draft(card, tuple(self._claims), entry)

    # --- one of each -----------------------------------------------------------------------------

    def _each(self, name: str, build: Callable[[Entry], Built]) -> tuple[Built, ...]:
        """What can be built; of the rest the dates at least are checked."""
        found = []
        for entry in self._entry.entries(name):
            if entry.clean:
                found.append(build(entry))
            else:
                self._within(entry, self._span)
        return tuple(found)

    def _alias(self, entry: Entry) -> Alias:
        named = entry.get("provider")
        match = Match((named,) if named else (), entry.get("model"))
        context = entry.get("context")
        self._claim("aliases", entry, match, self._span, frozenset())
        stated = context.values if context else {}
        provider, model = entry.get("sku")
        return Alias(
            match=match,
            provider=provider,
            model=model,
            context={key: stated[key] for key in _CONTEXT if key in stated},
            line=entry.mark.line,
        )

    def _rate(self, entry: Entry) -> Rate:
        usd, long = self._prices(entry), entry.get("long_context")
        usd_over = self._prices(long) if long else {}
        rate = Rate(
            match=_match(entry),
            span=self._within(entry, self._span),
            usd=usd,
            over=long.get("over") if long else None,
            usd_over=usd_over,
            factors=self._factors(entry),
            line=entry.mark.line,
        )
        self._claim("rates", entry, rate.match, rate.span, frozenset({*usd, *usd_over}))
        return rate

    def _discount(self, entry: Entry) -> Discount:
        discount = Discount(
            match=_match(entry),
            span=self._within(entry, self._span),
            multiplier=entry.get("multiplier"),
            units=frozenset().union(*entry.get("applies_to", (TOKENS,))),
            stack=entry.get("stack", False),
            line=entry.mark.line,
        )
        if not discount.stack:
            self._claim("discounts", entry, discount.match, discount.span, discount.units)
        return discount

    def _capacity(self, entry: Entry) -> Capacity:
        amortise = entry.get("amortise")
        hourly = amortise.get("usd_per_hour") if amortise else None
        tokens = amortise.get("tokens_per_hour") if amortise else None
        capacity = Capacity(
            match=_match(entry),
            span=self._within(entry, self._span),
            marginal=entry.get("marginal_usd", Fraction(0)),
            shadow=entry.get("shadow_sku"),
            usd_per_hour=hourly,
            usd_per_token=hourly / tokens if tokens else None,
            line=entry.mark.line,
        )
        self._claim("capacity", entry, capacity.match, capacity.span, frozenset())
        return capacity

    def _showback(self, entry: Entry) -> Showback:
        match, span = _match(entry), self._within(entry, self._span)
        self._claim("showback", entry, match, span, frozenset())
        return Showback(match, span, entry.get("multiplier"), entry.mark.line)

    def _meters(self) -> tuple[Meter, ...]:
        seen: dict[str, int] = {}
        for entry in self._entry.entries("meters"):
            name = entry.get("name", "")
            if name in seen:
                sentence = f"the meter {name!r} stands twice, first in line {seen[name]}"
                self._faults.add(entry.at("name"), f"{entry.path}.name", sentence)
            elif name:
                seen[name] = entry.mark.line
        return self._each("meters", lambda e: Meter(e.get("name"), e.get("unit"), e.get("usd")))

    # --- rules between keys ----------------------------------------------------------------------

    def _within(self, entry: Entry, outer: Span) -> Span:
        """The entry's dates, those of `outer` where it has none; a fault if they leave it."""
        span = Span(entry.get("from", outer.start), entry.get("to", outer.end))
        if "from" in entry.values and not outer.start <= span.start:
            self._outside(entry, "from", f"begins at {outer.start.isoformat()}")
        if "to" in entry.values and not span.end <= outer.end:
            self._outside(entry, "to", f"ends at {outer.end.isoformat()}")
        if span.start >= span.end:
            sentence = (
                "expected `from` before `to`,"
                f" saw {span.start.isoformat()} and {span.end.isoformat()}"
            )
            self._faults.add(entry.at("to", "from"), entry.path, sentence)
        return span

    def _outside(self, entry: Entry, key: str, limit: str) -> None:
        sentence = f"expected a time within the contract, which {limit}"
        self._faults.add(entry.at(key), f"{entry.path}.{key}", sentence)

    def _prices(self, entry: Entry) -> dict[Unit, Fraction]:
        """Dollars per single unit, whatever the prices are written for."""
        found: dict[Unit, Fraction] = {}
        for name, text, mark, usd in _written(entry):
            unit = Unit(text)
            if unit in found:
                self._faults.add(mark.at(text), f"{mark.path}.{text}", "the unit has a price above")
            found.setdefault(unit, usd / PRICES[name].size)
        if not found:
            sentence = f"expected a price by one of {', '.join(PRICES)}, saw none"
            self._faults.add(entry.mark, entry.path, sentence)
        return found

    def _factors(self, entry: Entry) -> dict[tuple[str, str], Fraction]:
        """Without those for standard values: there the prices themselves hold."""
        factors: dict[tuple[str, str], Fraction] = entry.get("context", {})
        for (key, value), factor in factors.items():
            if not value and factor != 1:
                sentence = f"the standard {key} has the prices above: expected 1, or no factor"
                self._faults.add(entry.at("context"), f"{entry.path}.context", sentence)
        return {stated: factor for stated, factor in factors.items() if stated[1]}

    def _claim(
        self, kind: str, entry: Entry, match: Match, span: Span, units: frozenset[Unit]
    ) -> None:
        scope = frozenset((key, frozenset(each)) for key, each in self._scope.items())
        self._claims.append(Claim(kind, entry.mark, entry.path, scope, match, span, units))


def _match(entry: Entry) -> Match:
    match: Entry = entry.get("match")
    return Match(match.get("provider", ()), match.get("model", ()), match.get("resource", {}))


def _written(entry: Entry) -> Iterator[tuple[str, str, Entry, Fraction]]:
    """Every price: its key, its unit, the mapping that it stands in, and its dollars."""
    for name in PRICES:
        table: Entry | None = entry.get(name)
        if table is not None:
            for text, usd in table.values.items():
                yield name, text, table, usd
