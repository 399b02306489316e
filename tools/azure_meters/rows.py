"""From meters to rows of corrections: a row for each model, a variant for each set of equal rates.

The standard price of a row is that of its Global deployment, if it has one. Everything else is a
variant: batch and priority, Data Zone and Regional deployments. Regions with equal rates share one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from azure_meters.models import LEFT_OUT, LONG, NAMES, WHOLE, WORDS, catalogue
from azure_meters.names import Name, parse

Json = dict[str, Any]
Rates = dict[tuple[bool, str], str]  # (long context, unit) -> rate
_SCOPES = ("global", "data-zone", "regional")
_MODES: Mapping[str, Json] = {
    "": {}, "batch": {"processing": "batch"}, "priority": {"service_tier": "priority"},
}  # fmt: skip
_HOME = (
    "eastus2",
    "swedencentral",
)  # a zone's own price, where one region of it has to stand for all
_COUNTED = {"1M": 1_000_000, "1K": 1000, "1": 1, "1 Hour": 1}


class Meter(NamedTuple):
    """One meter that prices a model."""

    model: str
    unit: str
    scope: str
    mode: str
    long: bool
    rate: str  # dollars by the million tokens or characters, by the thousand searches, by the hour
    regions: tuple[str, ...]
    threshold: int


class Group(NamedTuple):
    """Rates, and the regions in which they are the same."""

    rates: Rates
    regions: tuple[str, ...]


class Unmapped(Exception):
    """Meters whose words nobody has mapped; the sentence names them."""


def meters(items: Iterable[Mapping[str, Any]]) -> list[Meter]:
    """Every meter of the snapshot that prices a mapped model. Raises Unmapped."""
    found: list[Meter] = []
    unknown: set[str] = set()
    for item in items:
        product, name = item["productName"], item["meterName"]
        table = catalogue(product)
        if table is None or not item["retailPrice"]:
            continue
        parsed = parse(name)
        if LEFT_OUT.search(parsed.words):
            continue
        model = _model(table, parsed)
        if model is None:
            unknown.add(f"{product}: {name}")
        else:
            found.append(_meter(item, parsed, *model, LONG.get(table, 0)))
    if unknown:
        raise Unmapped(
            "expected every meter to be mapped or left out: " + "; ".join(sorted(unknown))
        )
    return found


def _model(table: str, name: Name) -> tuple[str, str] | None:
    """(model, unit) that a name means, if somebody has said so."""
    if name.words in WHOLE:
        return WHOLE[name.words]
    model = WORDS[table].get(name.words)
    return (model, name.unit) if model and name.unit else None


def _meter(item: Mapping[str, Any], name: Name, model: str, unit: str, threshold: int) -> Meter:
    per_thousand = unit == "search_unit"
    per = 1 if unit == "audio_seconds" else 1000 if per_thousand else 1_000_000
    rate = Decimal(item["retailPrice"]) * per / _COUNTED[item["unitOfMeasure"]]
    mode = "" if name.words in WHOLE else name.mode  # "Batch Whisper" is the name of the only one
    scope = name.deployment or "regional"
    regions = tuple(sorted(region for region in item["regions"] if region and region != "Global"))
    return Meter(model, unit, scope, mode, name.long, _plain(rate), regions, threshold)


def rows(found: Iterable[Meter]) -> Iterator[Json]:
    """A row for each model, in the order of their ids."""
    models: dict[str, list[Meter]] = defaultdict(list)
    for meter in found:
        models[meter.model].append(meter)
    for model in sorted(models):
        yield _row(model, models[model])


def _row(model: str, found: list[Meter]) -> Json:
    threshold = found[0].threshold
    groups = {
        (mode, scope): _groups([m for m in found if (m.mode, m.scope) == (mode, scope)])
        for mode in _MODES
        for scope in _SCOPES
    }
    base = next(groups["", scope][0].rates for scope in _SCOPES if groups["", scope])
    variants = [
        {"when": when, **_price(rates, threshold)} for when, rates in _variants(groups, base)
    ]
    row: Json = {"id": model}
    if names := NAMES.get(model):
        row["match"] = [f"={name}" for name in names]
    elif model.endswith(".ft-"):
        row["match"] = [f"^{model}"]
    row["prices"] = [_price(base, threshold)]
    return row | ({"variants": variants} if variants else {})


def _groups(found: list[Meter]) -> list[Group]:
    """Sets of equal rates and their regions: first the zone's own, or else the most common one."""
    by_region: dict[str, Rates] = defaultdict(dict)
    for meter in found:
        for region in meter.regions:
            by_region[region][meter.long, meter.unit] = meter.rate
    sets: dict[tuple[tuple[tuple[bool, str], str], ...], set[str]] = defaultdict(set)
    for region, rates in by_region.items():
        sets[tuple(sorted(rates.items()))].add(region)
    groups = [Group(dict(rates), tuple(sorted(regions))) for rates, regions in sets.items()]
    groups.sort(key=lambda g: (not set(_HOME) & set(g.regions), -len(g.regions), g.regions))
    whole = [
        g for g in groups if not any(g.rates.items() < other.rates.items() for other in groups)
    ]
    return [g._replace(regions=_with_partial(g, groups)) for g in whole]


def _with_partial(group: Group, groups: list[Group]) -> tuple[str, ...]:
    """Its regions and those that list a part of its meters and nothing else: being set up."""
    partial = [g.regions for g in groups if g.rates.items() < group.rates.items()]
    return tuple(sorted({*group.regions, *(region for regions in partial for region in regions)}))


def _variants(
    groups: Mapping[tuple[str, str], list[Group]], base: Rates
) -> Iterator[tuple[Json, Rates]]:
    """The contexts of a row and their rates: a zone as a whole first, then its exceptions."""
    for (mode, scope), sets in groups.items():
        for index, group in enumerate(sets):
            by_region = index > 0 or scope == "regional"
            rates = _with_cached(group.rates, base) if mode == "batch" else group.rates
            needed = {(long, unit) for long, unit in base if not (long and mode)}
            if not needed <= rates.keys():
                continue  # a unit has no meter there: not half of a price
            when = dict(_MODES[mode])
            if scope != "global":
                when["deployment"] = scope
            if by_region:
                when["region"] = list(group.regions)
            if when:
                yield when, rates
    yield from _governments(groups)


def _with_cached(rates: Rates, base: Rates) -> Rates:
    """Cached tokens of a batch that has no meter for them are counted by its input meter."""
    made = dict(rates)
    for long, unit in base:
        if unit == "cache_read" and (long, "input") in made:
            made.setdefault((long, unit), made[long, "input"])
    return made


def _governments(groups: Mapping[tuple[str, str], list[Group]]) -> Iterator[tuple[Json, Rates]]:
    """Regions of a government cloud without Global deployments, where one price is all there is."""
    sold = {scope: _of_governments(groups["", scope]) for scope in _SCOPES}
    alike: dict[tuple[tuple[tuple[bool, str], str], ...], list[str]] = defaultdict(list)
    for region in sorted({*sold["data-zone"], *sold["regional"]} - sold["global"].keys()):
        prices = [
            sold[scope][region] for scope in ("data-zone", "regional") if region in sold[scope]
        ]
        if all(price == prices[0] for price in prices):
            alike[tuple(sorted(prices[0].items()))].append(region)
    for rates, regions in alike.items():
        yield {"region": regions}, dict(rates)


def _of_governments(groups: Iterable[Group]) -> dict[str, Rates]:
    return {r: group.rates for group in groups for r in group.regions if r.startswith("usgov")}


def _price(rates: Rates, threshold: int) -> Json:
    short = {unit: rate for (long, unit), rate in sorted(rates.items()) if not long}
    long = {unit: rate for (long, unit), rate in sorted(rates.items()) if long}
    return {"rates": short} | ({"bands": [{"over": threshold, "rates": long}]} if long else {})


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
