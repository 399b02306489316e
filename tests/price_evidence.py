"""What a model should cost, read from the upstream data and the corrections by a second code path.

Nothing here knows the book, the importer or the pricer: genai-prices' data classes and the YAML of
pricing/corrections are asked for one instant, one prompt and one context at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from genai_prices import data, types

CORRECTIONS = Path(__file__).parents[1] / "pricing" / "corrections"
SOME_DAY = datetime(2026, 11, 4, 12, tzinfo=UTC)  # a Wednesday at noon: nobody's peak hour
# What no price is for in one of these costs what it costs anywhere.
PLACES = {"geo", "region", "deployment", "platform"}
PLATFORMS = {"google": ("gcp.gemini", "gcp.vertex_ai")}  # AI Studio and Vertex AI share rows
ELSEWHERE = "us-east5"
DAWN = datetime(1, 1, 1, tzinfo=UTC)
FREE = {"input": Fraction(0), "output": Fraction(0), "cache_read": Fraction(0)}
# genai-prices' names of rates that a quote can have, and how many units each is for.
KEYS = {
    "input_mtok": ("input", 10**6),
    "output_mtok": ("output", 10**6),
    "cache_read_mtok": ("cache_read", 10**6),
    "cache_write_mtok": ("cache_write_5m", 10**6),
    "cache_write_1h_mtok": ("cache_write_1h", 10**6),
    "output_reasoning_mtok": ("reasoning", 10**6),
    "input_audio_mtok": ("audio_input", 10**6),
    "output_audio_mtok": ("audio_output", 10**6),
    "cache_audio_read_mtok": ("cache_read_audio", 10**6),
    "input_image_mtok": ("image_input", 10**6),
    "output_image_mtok": ("image_output", 10**6),
    "web_searches_kcount": ("web_search", 1000),
    "requests_kcount": ("requests", 1000),
    "input_mchars": ("characters", 10**6),
    "audio_hours": ("audio_seconds", 3600),
    "input_audio_hours": ("audio_seconds", 3600),
}
PER = dict(KEYS.values()) | {"cache_write_12h": 10**6, "search_unit": 1000, "images": 1}

_IMPORTED = {provider.id: provider for provider in data.providers}
Json = dict[str, Any]
Rates = dict[str, Fraction]  # unit -> dollars for one


class Layer(NamedTuple):
    """Rates, and those that replace them for prompts over so many tokens."""

    rates: Rates
    bands: Mapping[int, Rates]


class Row(NamedTuple):
    """A model: imported, corrected, or both."""

    provider: str
    id: str
    model: types.ModelInfo | None
    entry: Json
    amend: Sequence[Json]
    rules: Sequence[Json]
    uplifts: Sequence[Json]
    calendars: Mapping[str, Sequence[Any]]
    elsewhere: frozenset[str]  # names that corrections give to other rows


def rows() -> Iterator[Row]:
    """Every model of every provider."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(CORRECTIONS.glob("*.yaml"))]
    ours = {file["provider"] for file in files if "provider" in file}
    for name in sorted(_IMPORTED.keys() | ours):
        mine = [file for file in files if file.get("provider") == name]
        entries = {e["id"]: e for file in mine for e in file.get("models", ())}
        models = {m.id: m for m in _IMPORTED[name].models} if name in _IMPORTED else {}
        given = {key: owner for file in mine for key, owner in _given(file)}
        for model in {**models, **entries}:
            yield Row(
                name,
                model,
                models.get(model),
                entries.get(model, {}),
                amend=_about(mine, "amend", model),
                rules=_about(mine, "variants", model),
                uplifts=_about(mine, "uplifts", model),
                calendars={k: v for file in mine for k, v in file.get("calendars", {}).items()},
                elsewhere=frozenset(key for key, owner in given.items() if owner != model),
            )


def _given(file: Json) -> Iterator[tuple[str, str]]:
    """Names that a file gives to rows."""
    for entry in file.get("models", ()):
        for clause in entry.get("match", [f"={entry['id'].lower()}"]):
            if clause[0] == "=":
                yield clause[1:], entry["id"]
    for alias in file.get("aliases", ()):
        for name in alias["names"]:
            yield name.lower(), alias["model"]


def _about(files: Sequence[Json], section: str, model: str) -> list[Json]:
    entries = [entry for file in files for entry in file.get(section, ())]
    return [entry for entry in entries if _named(model, entry["models"])]


def _named(model: str, globs: Sequence[str]) -> bool:
    said = [glob for glob in globs if fnmatchcase(model, glob.removeprefix("!"))]
    return bool(said) and not said[-1].startswith("!")


# --- what holds at an instant


def standard(row: Row, at: datetime) -> Layer | None:
    """The standard rates, amended."""
    if "prices" in row.entry:
        price = _latest(row.entry["prices"], at)
        layer = _layer(price) if price else None
        for hours in price.get("hours", ()) if price else ():
            if layer and _in_hours(hours, at, row.calendars):
                layer.rates.update(_rates(hours["rates"]))
    else:
        assert row.model is not None
        layer = _imported(row.model.get_prices(at))
        if not layer.rates and row.id.endswith(":free"):
            layer.rates.update(FREE)
    return layer and _amended(layer, [e for e in row.amend if "when" not in e], at)


def in_context(row: Row, at: datetime, context: Mapping[str, str]) -> tuple[Json, Layer] | None:
    """What the longest `when` that is satisfied says, and the `when`; amended."""
    ours = [(*_span(v), v["when"]) for v in row.entry.get("variants", ())]
    theirs = [
        (_start(variant), DAWN, variant, variant.when)
        for variant in (row.model.price_variants or () if row.model else ())
        if (_start(variant), variant.when) not in [(each[0], each[3]) for each in ours]
    ]
    rules = [(*_span(rule), rule["when"]) for rule in row.rules]
    claims = [claim for claim in (*ours, *theirs, *rules) if satisfied(claim[3], context)]
    for size in sorted({len(claim[3]) for claim in claims}, reverse=True):
        started = [claim for claim in claims if len(claim[3]) == size and claim[0] <= at]
        if not started:
            continue
        _, end, chosen, when = max(started, key=lambda claim: claim[0])
        layer = None if DAWN < end <= at else _chosen(row, at, chosen)
        if layer:
            amend = [e for e in row.amend if e.get("when") == when]
            return when, _amended(layer, amend, at)
    return None


def _chosen(row: Row, at: datetime, variant: Any) -> Layer | None:
    if isinstance(variant, types.PriceVariant):
        return _imported(variant.prices)
    return _scaled(standard(row, at), variant) if "factors" in variant else _layer(variant)


def expected(row: Row, at: datetime, context: Mapping[str, str], prompt: int) -> Rates | None:
    """Dollars for one of each unit; None if there is no price."""
    when, above = in_context(row, at, context) or ({}, Layer({}, {}))
    below = standard(row, at)
    lifts = [u for u in row.uplifts if satisfied(u["when"], context) and _holds(u, at)]
    covered = when.keys() | {key for uplift in lifts for key in uplift["when"]}
    if below is None or context.keys() - covered - PLACES:
        return None
    rates: Rates = {}
    for layer in (below, above):
        rates |= layer.rates
        for over in sorted(layer.bands):
            if prompt > over:
                rates |= layer.bands[over]
    for uplift in lifts:
        factor = Fraction(uplift["multiplier"])
        rates = {u: r * factor if _lifted(u, uplift) else r for u, r in rates.items()}
    return {unit: rate for unit, rate in rates.items() if unit in PER}


def _lifted(unit: str, uplift: Json) -> bool:
    if uplift["units"] == "tokens":
        return PER[unit] == 10**6 and unit != "characters"
    return unit in uplift["units"]


# --- reading


def _imported(price: types.ModelPrice) -> Layer:
    layer = Layer({}, {})
    bands: dict[int, Rates] = {}
    for key, value in price.__dict__.items():
        if value is None or key not in KEYS:
            continue
        unit, per = KEYS[key]
        if isinstance(value, types.TieredPrices):
            for tier in value.tiers:
                bands.setdefault(tier.start, {})[unit] = _clean(tier.price) / per
        base = value.base if isinstance(value, types.TieredPrices) else value
        layer.rates[unit] = _clean(base) / per
    return layer._replace(bands=bands)


def _clean(value: Decimal) -> Fraction:
    """Without the noise of binary floats: 12 significant digits."""
    return Fraction(f"{value:.12g}")


def _layer(entry: Json) -> Layer:
    bands = {band["over"]: _rates(band["rates"]) for band in entry.get("bands", ())}
    return Layer(_rates(entry["rates"]), bands)


def _rates(texts: Mapping[str, str]) -> Rates:
    return {unit: Fraction(text) / PER[unit] for unit, text in texts.items() if unit in PER}


def _amended(layer: Layer, amend: Sequence[Json], at: datetime) -> Layer:
    for entry in amend:
        if not _holds(entry, at):
            continue
        stated = {over: _rates(rates) for over, rates in entry.get("bands", {}).items()}
        bands = {over: {**layer.bands.get(over, {}), **stated.get(over, {})}
                 for over in (*layer.bands, *stated)}  # fmt: skip
        layer = Layer({**layer.rates, **_rates(entry.get("rates", {}))}, bands)
        for rates in (layer.rates, *bands.values()):
            for unit, source in entry.get("factors", {}).items():
                ((base, factor),) = source.items()
                if base in rates:
                    rates[unit] = rates[base] * Fraction(factor)
            for unit in entry.get("drop", ()):
                rates.pop(unit, None)
    return layer


def _scaled(layer: Layer | None, rule: Json) -> Layer | None:
    """Factors on standard rates; units that a rule does not name stay as they are."""
    if layer is None:
        return None
    factors = {unit: Fraction(text) for unit, text in rule["factors"].items()}
    base = {unit: rate * factors[unit] for unit, rate in layer.rates.items() if unit in factors}
    if rule.get("bands") == "drop":
        every = {u: r * factors.get(u, 1) for u, r in layer.rates.items()}
        return Layer(every, dict.fromkeys(layer.bands, every))
    bands = {
        over: {unit: rate * factors[unit] for unit, rate in rates.items() if unit in factors}
        for over, rates in layer.bands.items()
    }
    return Layer(base, bands)


def satisfied(when: Json, context: Mapping[str, str]) -> bool:
    """Whether all that a `when` asks for is so."""
    return all(key in context and _one(wanted, context[key]) for key, wanted in when.items())


def _one(wanted: str | Sequence[str], value: str) -> bool:
    options = [wanted] if isinstance(wanted, str) else wanted
    return any(
        not fnmatchcase(value, option[1:]) if option[0] == "!" else fnmatchcase(value, option)
        for option in options
    )


def _in_hours(hours: Json, at: datetime, calendars: Mapping[str, Sequence[Any]]) -> bool:
    return (
        hours["from"] <= f"{at:%H:%M}" < hours["to"]
        and str(at.isoweekday()) in hours.get("days", "1234567")
        and at.date() not in calendars.get(hours.get("except_on", ""), ())
    )


def _latest(entries: Sequence[Json], at: datetime) -> Json | None:
    started = [entry for entry in entries if _span(entry)[0] <= at]
    return started[-1] if started and _holds(started[-1], at) else None


def _holds(entry: Json, at: datetime) -> bool:
    start, end, _ = _span(entry)
    return start <= at and (end == DAWN or at < end)


def _span(entry: Json) -> tuple[datetime, datetime, Json]:
    """Beginning and end (DAWN = never) of an entry."""
    start, end = (datetime.fromisoformat(str(entry.get(key, DAWN))) for key in ("from", "to"))
    return start, end, entry


def _start(dated: types.PriceVariant | types.ConditionalPrice) -> datetime:
    if isinstance(dated.constraint, types.StartDateConstraint):
        return datetime.combine(dated.constraint.start_date, datetime.min.time(), UTC)
    return DAWN


# --- what to ask


def names(row: Row) -> Iterator[str]:
    """Names that mean this row and no other: its literal ones, then the text of its patterns."""
    return (n for n in _own(row) if n.lower() not in row.elsewhere and _first(row, n))


def gone(row: Row) -> bool:
    """Whether corrections gave all its names to other rows."""
    return {name.lower() for name in _own(row)} <= row.elsewhere


def _own(row: Row) -> list[str]:
    if "match" in row.entry:
        clauses = [clause for clause in row.entry["match"] if isinstance(clause, str)]
        texts = [clause[1:] for clause in clauses if clause[0] in "=^*$"]
        own = f"={row.id.lower()}" in clauses
    elif row.model:
        texts = list(_texts(row.model.match))
        own = row.model.is_match(row.id)
    else:
        texts, own = [], True
    return ([row.id] if own else []) + texts


def _texts(match: Any) -> Iterator[str]:
    """Literal names first."""
    parts = match.or_ if isinstance(match, types.ClauseOr) else [match]
    for kind in ("equals", "starts_with", "contains", "ends_with"):
        yield from (getattr(part, kind) for part in parts if hasattr(part, kind))


def _first(row: Row, name: str) -> bool:
    """Whether upstream means this row by a name, unless a correction says so."""
    if row.model is None or "match" in row.entry:
        return True
    found = _IMPORTED[row.provider].find_model(name)
    return found is not None and found.id == row.id


def contexts(row: Row) -> list[dict[str, str]]:
    """No context, one for each `when`, and each of them in each place that lifts prices.

    Where two platforms share rows every call says on which of them it ran.
    """
    variants = row.model.price_variants or () if row.model else ()
    whens: list[Json] = [{}, *(dict(variant.when) for variant in variants)]
    whens += [entry["when"] for entry in (*row.entry.get("variants", ()), *row.rules)]
    places: list[Json] = [{}, *(uplift["when"] for uplift in row.uplifts)]
    found: list[dict[str, str]] = []
    for when, place in itertools.product(whens, places):
        said = {key: _some(value) for key, value in {**place, **when}.items()}
        said.pop("platform", None)
        for platform in PLATFORMS.get(row.provider, ("",)):
            context = said | ({"platform": platform} if platform else {})
            found += [context] if context not in found else []
    return found


def _some(wanted: str | Sequence[str]) -> str:
    """A value that a `when` takes."""
    first = wanted if isinstance(wanted, str) else wanted[0]
    return ELSEWHERE if first.startswith("!") else first.replace("*", "west-1")


def instants(row: Row) -> list[datetime]:
    """Every instant at which something changes, the second before it, and some day."""
    entries = [*row.entry.get("prices", ()), *row.entry.get("variants", ())]
    spans = [_span(entry) for entry in (*entries, *row.amend, *row.rules)]
    edges = {edge for start, end, _ in spans for edge in (start, end)}
    if row.model:
        dated = row.model.prices if isinstance(row.model.prices, list) else []
        edges |= {_start(each) for each in (*dated, *(row.model.price_variants or ()))}
    edges -= {DAWN}
    before = {edge - timedelta(seconds=1) for edge in edges}
    hours = {
        datetime.combine(day.date(), datetime.strptime(part[key], "%H:%M").time(), UTC)  # noqa: DTZ007 (a time of day)
        for price in row.entry.get("prices", ())
        for part in price.get("hours", ())
        for key in ("from", "to")
        for day in (*edges, SOME_DAY)
    }
    return sorted(edges | before | hours | {h - timedelta(seconds=1) for h in hours} | {SOME_DAY})


def prompts(row: Row, at: Sequence[datetime], stated: Sequence[Mapping[str, str]]) -> list[int]:
    """A short prompt, and one at and one over each edge of a band."""
    edges: set[int] = set()
    for instant in at:
        layers = [standard(row, instant)]
        layers += [found[1] for each in stated if (found := in_context(row, instant, each))]
        edges |= {over for layer in layers if layer for over in layer.bands}
    return sorted({1000} | edges | {edge + 1 for edge in edges})
