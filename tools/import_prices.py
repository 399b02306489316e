"""Build the price book from the installed genai-prices. Run by hand; the result is committed.

    python tools/import_prices.py            # write the book and pricing/import-report.txt
    python tools/import_prices.py --check    # exit 1 if the committed ones are not what comes out

Deterministic: the same genai-prices and the same corrections give the same bytes. What is changed
on the way (binary float noise, corrections, free models) is listed in the report, row by row.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import genai_prices
import yaml
from genai_prices import data, types
from genai_prices.data_units import unit_data

ROOT = Path(__file__).resolve().parents[1]
BOOKS = ROOT / "pricing" / "costspan_pricing" / "books"
REPORT = ROOT / "pricing" / "import-report.txt"
CORRECTIONS = ROOT / "tools" / "price_corrections.yaml"
FORMAT = "costspan.prices/v1"
SIGNIFICANT_DIGITS = 12  # published prices have at most 6; binary float noise starts at 16

# genai-prices' usage key -> our bucket. Names below the line are kept in the book although the
# pricer has no bucket for them yet.
UNITS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write_5m",  # the default lifetime wherever there are several
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "output_reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio_input",
    "output_audio_tokens": "audio_output",
    "cache_audio_read_tokens": "cache_read_audio",
    "input_image_tokens": "image_input",
    "output_image_tokens": "image_output",
    "requests": "requests",
    "web_searches": "web_search",
    "input_characters": "characters",
    "audio_seconds": "audio_seconds",
    "input_audio_seconds": "audio_seconds",
    # ---
    "cache_image_read_tokens": "cache_read_image",
    "input_video_tokens": "video_input",
    "output_video_tokens": "video_output",
    "output_citation_tokens": "citation",
    "input_text_messages": "text_messages",
    "input_document_pages": "pages",
    "input_annotated_document_pages": "annotated_pages",
    "storage_searches": "storage_search",
}
UNIT_OF_PRICE_KEY = {unit_data[usage_key]["price_key"]: unit for usage_key, unit in UNITS.items()}
PER = {unit: unit_data[usage_key]["per"] for usage_key, unit in UNITS.items()}
CACHED = {"cache_read", "cache_write_5m", "cache_write_1h", "cache_read_audio"}

Json = dict[str, Any]


class Import(NamedTuple):
    """What comes out: the book's file name and bytes, and the report."""

    name: str
    book: bytes
    report: str


class Importer:
    """One conversion. `notes` collects what was changed, for the report."""

    def __init__(self, corrections: list[Json]) -> None:
        self._corrections = {(row["provider"], row["model"]): row for row in corrections}
        self.notes: dict[str, list[str]] = {
            "repaired": [],
            "corrected": [],
            "free": [],
            "split": [],
        }

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
        correction = self._corrections.pop((provider, model.id), None)
        if correction:
            self.notes["corrected"].append(f"{sku}: {correction['because']}")
            row["prices"] = correction["prices"]
        else:
            row["prices"] = self.prices(sku, model)
        variants = [self.variant(sku, v) for v in model.price_variants or () if rates_of(v.prices)]
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

    def leftover(self) -> Iterable[tuple[str, str]]:
        """Corrections of models that genai-prices does not have (any more)."""
        return self._corrections.keys()


def rates_of(price: types.ModelPrice) -> list[tuple[str, Any]]:
    """(unit, Decimal or TieredPrices) of every rate; an unknown key raises KeyError."""
    items = price.__dict__.items()
    return [(UNIT_OF_PRICE_KEY[key], value) for key, value in items if value is not None]


def tiered(value: object) -> bool:
    """Whether a rate depends on the length of the prompt."""
    return isinstance(value, types.TieredPrices)


def in_order(rates: Mapping[str, str]) -> dict[str, str]:
    """Rates in the order of UNITS, so that the book's bytes do not depend on the source's."""
    return {unit: rates[unit] for unit in PER if unit in rates}


def plain(value: Decimal) -> str:
    """No exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


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


def clauses(match: Any) -> list[str | list[str]]:
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


def build() -> Import:
    """Convert what is installed."""
    importer = Importer(yaml.safe_load(CORRECTIONS.read_text())["corrections"])
    providers = {provider.id: importer.provider(provider) for provider in data.providers}
    if unused := sorted(importer.leftover()):
        raise ValueError(f"{CORRECTIONS.name}: no such models: {unused}")
    version = importlib.metadata.version("genai-prices")
    head = {
        "format": FORMAT,
        "notice": notice(),
        "source": source(version),
        "per": PER,
        "owners": {p.id: clauses(p.model_match) for p in data.providers if p.model_match},
    }
    book = render(head, providers)
    name = f"prices-genai-{version}-{sha256(book).hexdigest()[:8]}.json"
    return Import(name, book, report(name, version, providers, importer.notes))


def source(version: str) -> dict[str, str]:
    """What the book was made from, to the byte."""
    folder = Path(genai_prices.__file__).parent
    return {
        "name": "genai-prices",
        "version": version,
        "url": "https://github.com/pydantic/genai-prices",
        "license": "MIT",
        "data_sha256": sha256((folder / "data.py").read_bytes()).hexdigest(),
        "units_sha256": sha256((folder / "data_units.py").read_bytes()).hexdigest(),
        "corrections_sha256": sha256(CORRECTIONS.read_bytes()).hexdigest(),
    }


def notice() -> str:
    """The licence of the data, which has to travel with it."""
    files = importlib.metadata.files("genai-prices") or []
    licence = next(file for file in files if file.name == "LICENSE")
    return licence.read_text()


def render(head: Json, providers: Mapping[str, Json]) -> bytes:
    """JSON with one model a line: small, and a refresh is a readable diff."""
    return "".join(_lines(head, providers)).encode()


def _lines(head: Json, providers: Mapping[str, Json]) -> Iterator[str]:
    yield "{\n"
    for key, value in head.items():
        yield f"{_json(key)}:{_json(value)},\n"
    yield '"providers":{'
    for number, (provider, content) in enumerate(providers.items()):
        fallback = f'"fallback":{_json(content["fallback"])},' if "fallback" in content else ""
        yield f'{"," if number else ""}\n{_json(provider)}:{{{fallback}"models":[\n'
        yield ",\n".join(_json(model) for model in content["models"])
        yield "\n]}"
    yield "\n}}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


TITLES = {
    "repaired": "Rates with binary float noise, rounded to 12 significant digits",
    "corrected": "Rows replaced by tools/price_corrections.yaml",
    "free": "Rows without a rate whose id ends in :free, taken as 0",
    "split": "Parts of the day, attached to the dated row before them",
}


def report(
    name: str, version: str, providers: Mapping[str, Json], notes: Mapping[str, list[str]]
) -> str:
    """What came out, and every row that is not as it was in the source."""
    models = [model for content in providers.values() for model in content["models"]]
    dated = sum(len(model["prices"]) > 1 for model in models)
    banded = sum(any("bands" in price for price in model["prices"]) for model in models)
    varied = sum("variants" in model for model in models)
    out = [
        f"{name} from genai-prices {version}",
        f"{len(providers)} providers, {len(models)} models",
        f"{dated} with dated prices, {banded} with bands, {varied} with variants",
    ]
    for key, title in TITLES.items():
        out += ["", f"{title}: {len(notes[key])}", *(f"  {note}" for note in notes[key])]
    return "\n".join(out) + "\n"


def write(made: Import) -> None:
    """Replace the committed book and report."""
    for old in BOOKS.glob("prices-*.json"):
        old.unlink()
    (BOOKS / made.name).write_bytes(made.book)
    REPORT.write_text(made.report)


def differences(made: Import) -> list[str]:
    """Sentences about what the repository holds instead of `made`; [] = nothing."""
    committed = sorted(path.name for path in BOOKS.glob("prices-*.json"))
    if committed != [made.name]:
        return [f"expected the book {made.name}, found {committed}"]
    found = []
    if (BOOKS / made.name).read_bytes() != made.book:
        found.append(f"{made.name} differs from what the importer makes")
    if REPORT.read_text() != made.report:
        found.append(f"{REPORT.name} differs from what the importer makes")
    return found


def main() -> int:
    """Entry point; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    made = build()
    if parser.parse_args().check:
        found = differences(made)
        print("\n".join(found) or f"{made.name} is up to date")
        return 1 if found else 0
    write(made)
    print(made.report, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
