"""The straight line of an import: convert, correct, expand, render. Reads files, writes none."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import genai_prices
from genai_prices import data
from prices.convert import Conversion, clauses
from prices.correct import Rows, check_amendments
from prices.corrections import Corrections, Placed, Reviewed, load
from prices.document import CorrectionError
from prices.expand import expand, uplifts
from prices.render import render
from prices.report import report
from prices.units import PER

FORMAT = "costspan.prices/v2"

Json = dict[str, Any]


class Import(NamedTuple):
    """What comes out: the book's file name and bytes, and the report."""

    name: str
    book: bytes
    report: str


def build(folder: Path, only: str | None = None) -> Import:
    """Convert what is installed and correct it by `folder`, or by one provider's file of it.

    Raises CorrectionError with every fault that was found.
    """
    reviewed = load(folder, only)
    conversion = Conversion()
    providers = {provider.id: conversion.provider(provider) for provider in data.providers}
    corrected = correct(providers, reviewed.files)
    version = importlib.metadata.version("genai-prices")
    head = _head(version, reviewed) | _calendars(reviewed.files)
    book = render(head, providers)
    name = f"prices-genai-{version}-{sha256(book).hexdigest()[:8]}.json"
    title = f"{name} from genai-prices {version}, reviewed {reviewed.date}"
    return Import(name, book, report(title, providers, corrected, conversion.notes))


def correct(
    providers: dict[str, Json], files: Iterable[Corrections]
) -> Mapping[str, Sequence[str]]:
    """Apply every file to its provider's rows, in place; what was done, a line for each entry."""
    files = list(files)
    faults = [*_unknown_calendars(files)]
    done: dict[str, list[str]] = {}
    for file in files:
        try:
            content = _provider(providers, file)
        except CorrectionError as error:
            faults += error.sentences
            continue
        rows = Rows(file.provider, content["models"])
        _apply(rows, file, faults)
        try:
            if made := uplifts(rows, file.uplifts):
                content["uplifts"] = made
        except CorrectionError as error:
            faults += error.sentences
        done[file.provider] = rows.notes
    if faults:
        raise CorrectionError(*faults)
    return done


def _provider(providers: dict[str, Json], file: Corrections) -> Json:
    """The rows that a file is about; a new provider says that it is one."""
    if file.new == (file.provider in providers):
        near = get_close_matches(file.provider, providers, n=1)
        hint = f", the nearest is {near[0]!r}" if near else ""
        raise CorrectionError(
            f"{file.place}: {file.provider} is in genai-prices: it can't be `new: true`"
            if file.new
            else f"{file.place}: {file.provider} is not in genai-prices{hint}; "
            "a provider of our own says `new: true`"
        )
    return providers.setdefault(file.provider, {"models": []})


def _apply(rows: Rows, file: Corrections, faults: list[str]) -> None:
    """In this order: rows, names, amended prices, variants from rules, amended variants."""
    _each(rows.correct, file.models, faults)
    _each(rows.alias, file.aliases, faults)
    _each(rows.amend, [each for each in file.amend if not each.entry.when], faults)
    _each(lambda placed: expand(rows, placed), file.variants, faults)
    _each(rows.amend, [each for each in file.amend if each.entry.when], faults)
    try:
        check_amendments(file.amend, rows)
    except ValueError:
        pass  # names no row: said above
    except CorrectionError as error:
        faults += error.sentences


def _each(
    apply: Callable[[Placed[Any]], None], entries: Iterable[Placed[Any]], faults: list[str]
) -> None:
    for placed in entries:
        try:
            apply(placed)
        except ValueError as error:
            faults.append(f"{placed.place}: {error}")


def _unknown_calendars(files: Sequence[Corrections]) -> Iterator[str]:
    """A sentence for each part of the day that leaves out days which nobody lists."""
    known = {name for file in files for name in file.calendars}
    for place, row in (placed for file in files for placed in file.models):
        for name in {hours.except_on for price in row.prices or () for hours in price.hours}:
            if name and name not in known:
                yield f"{place}: {row.id}: no calendar is called {name!r}"


def _head(version: str, reviewed: Reviewed) -> Json:
    return {
        "format": FORMAT,
        "date": reviewed.date,
        "notice": _notice(),
        "source": _source(version, reviewed.sha256),
        "per": dict(PER),
        "owners": {p.id: clauses(p.model_match) for p in data.providers if p.model_match},
    }


def _calendars(files: Iterable[Corrections]) -> Json:
    named: dict[str, Sequence[str]] = {}
    for file in files:
        for name, days in file.calendars.items():
            if name in named:
                raise CorrectionError(f"{file.place}: a calendar {name!r} is in another file too")
            named[name] = days
    return {"calendars": named} if named else {}


def _source(version: str, corrections: str) -> dict[str, str]:
    """What the book was made from, to the byte."""
    folder = Path(genai_prices.__file__).parent
    return {
        "name": "genai-prices",
        "version": version,
        "url": "https://github.com/pydantic/genai-prices",
        "license": "MIT",
        "data_sha256": sha256((folder / "data.py").read_bytes()).hexdigest(),
        "units_sha256": sha256((folder / "data_units.py").read_bytes()).hexdigest(),
        "corrections_sha256": corrections,
    }


def _notice() -> str:
    """The licence of the data, which has to travel with it."""
    files = importlib.metadata.files("genai-prices") or []
    licence = next(file for file in files if file.name == "LICENSE")
    return licence.read_text()
