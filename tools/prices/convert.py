"""From genai-prices' data classes to rows of the book, as they are. No corrections."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from genai_prices import types
from prices.units import CACHED, UNIT_OF_PRICE_KEY, in_order, plain

SIGNIFICANT_DIGITS = 12  # published prices have at most 6; binary float noise starts at 16

Json = dict[str, Any]


class Conversion:
    """One conversion. `notes` collects what was changed on the way, for the report."""

    def __init__(self) -> None:
        self.notes: dict[str, list[str]] = {"repaired": [], "free": [], "split": []}

    def provider(self, provider: types.Provider) -> Json:
        rows = [self.model(provider.id, model) for model in provider.models]
        fallback = provider.fallback_model_providers
        return {"models": rows} | ({"fallback": fallback} if fallback else {})

    def model(self, provider: str, model: types.ModelInfo) -> Json:
        sku = f"{provider}/{model.id}"
        row: Json = {"id": model.id}
        match = clauses(model.match)
        if match != [f"={model.id.lower()}"]:
            row["match"] = match
        row["prices"] = self.prices(sku, model)
        variants = [self.variant(sku, v) for v in model.price_variants or () if says(v)]
        return row | ({"variants": variants} if variants else {})

    def prices(self, sku: str, model: types.ModelInfo) -> list[Json]:
        """Dated entries; a part of the day belongs to the dated entry before it.

        genai-prices applies its time-of-day rows at every date, also before the price they vary.
        """
        if isinstance(model.prices, types.ModelPrice):
            entry = self.price(sku, model.prices)
            if not entry["rates"] and model.id.endswith(":free"):
                self.notes["free"].append(sku)
                entry["rates"] = {"input": "0", "output": "0", "cache_read": "0"}
            return [entry]
        entries: list[Json] = []
        for row in model.prices:
            if isinstance(row.constraint, types.TimeOfDateConstraint):
                hours = part_of_day(row.constraint) | self.price(sku, row.prices)
                entries[-1].setdefault("hours", []).append(hours)
                self.notes["split"].append(f"{sku}: {hours['from']}-{hours['to']}")
            else:
                entries.append(start_of(row.constraint) | self.price(sku, row.prices))
        return entries

    def variant(self, sku: str, variant: types.PriceVariant) -> Json:
        label = "".join(f"#{value}" for value in variant.when.values())
        price = self.price(sku + label, variant.prices, partial=True)
        return {"when": variant.when} | start_of(variant.constraint) | price

    def price(self, sku: str, price: types.ModelPrice, *, partial: bool = False) -> Json:
        """Rates and their bands. `partial`: a variant, which may list cached rates alone."""
        base: dict[str, str] = {}
        bands: dict[int, dict[str, str]] = {}
        for unit, value in rates_of(price):
            text = self.text(f"{sku} {unit}", value.base if tiered(value) else value)
            if base.setdefault(unit, text) != text:
                raise ValueError(f"{sku}: two rates for {unit}: {base[unit]} and {text}")
            for tier in value.tiers if tiered(value) else ():
                tier_text = self.text(f"{sku} {unit} >{tier.start}", tier.price)
                bands.setdefault(tier.start, {})[unit] = tier_text
        if not partial and CACHED & base.keys() and "input" not in base:
            raise ValueError(f"{sku}: a cached rate without an input rate")
        entry: Json = {"rates": in_order(base)}
        if bands:
            entry["bands"] = [{"over": n, "rates": in_order(bands[n])} for n in sorted(bands)]
        return entry

    def text(self, where: str, value: Decimal) -> str:
        """Plain decimal text; noise of binary floats is rounded away and noted."""
        digits = len(value.as_tuple().digits)
        if digits > SIGNIFICANT_DIGITS:
            repaired = Decimal(f"{value:.{SIGNIFICANT_DIGITS}g}")
            self.notes["repaired"].append(f"{where}: {value} -> {plain(repaired)}")
            value = repaired
        return plain(value)


def rates_of(price: types.ModelPrice) -> list[tuple[str, Any]]:
    """(unit, Decimal or TieredPrices) of every rate; an unknown key raises KeyError."""
    items = price.__dict__.items()
    return [(UNIT_OF_PRICE_KEY[key], value) for key, value in items if value is not None]


def says(variant: types.PriceVariant) -> bool:
    """Whether a variant is more than standard rates for the standard tier, which are always so.

    Any other one without rates says that its context costs what the standard one does.
    """
    return bool(rates_of(variant.prices)) or variant.when != {"service_tier": "default"}


def tiered(value: object) -> bool:
    """Whether a rate depends on the length of the prompt."""
    return isinstance(value, types.TieredPrices)


def start_of(constraint: object) -> Json:
    """`from` of a dated row. The source's dates are UTC dates."""
    if constraint is None:
        return {}
    if not isinstance(constraint, types.StartDateConstraint):
        raise TypeError(f"expected a start date, got {constraint!r}")
    return {"from": f"{constraint.start_date.isoformat()}T00:00:00Z"}


def part_of_day(constraint: types.TimeOfDateConstraint) -> Json:
    """`from` and `to` of a part of the day, UTC."""
    start, end = (_utc(moment) for moment in (constraint.start_time, constraint.end_time))
    if start >= end:
        raise ValueError(f"expected a part of one day, got {start}-{end}")
    return {"from": start, "to": end}


def _utc(moment: dt.time) -> str:
    if moment.second or moment.utcoffset():
        raise ValueError(f"expected whole minutes of UTC, got {moment}")
    return f"{moment:%H:%M}"


def clauses(match: Any) -> list[str | Sequence[str]]:
    """A MatchLogic as a flat list: any of these; an inner list: all of it."""
    if isinstance(match, types.ClauseOr):
        return [clause for part in match.or_ for clause in clauses(part)]
    if isinstance(match, types.ClauseAnd):
        parts = [clause for part in match.and_ for clause in clauses(part)]
        if not all(isinstance(part, str) for part in parts):
            raise ValueError(f"expected plain clauses inside 'and', got {match!r}")
        return [[part for part in parts if isinstance(part, str)]]
    return [_clause(match)]


def _clause(match: Any) -> str:
    for kind, operator, field in (
        (types.ClauseEquals, "=", "equals"),
        (types.ClauseStartsWith, "^", "starts_with"),
        (types.ClauseEndsWith, "$", "ends_with"),
        (types.ClauseContains, "*", "contains"),
    ):
        if isinstance(match, kind):
            return operator + str(getattr(match, field)).lower()
    if not isinstance(match, types.ClauseRegex):
        raise TypeError(f"unknown clause {match!r}")
    re.compile(match.regex)
    return f"~{match.regex}"
