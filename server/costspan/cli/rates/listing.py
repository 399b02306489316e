"""`costspan rates list`: what is charged at an instant, or which book and cards there are."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from costspan.cli.configuration import Json
from costspan.cli.rates.options import instant, usage_error
from costspan.cli.rates.sources import Book, Rates, pricer
from costspan.cli.rates.tariffs import Entry, document, entries
from costspan.clock import SystemClock
from costspan_pricing import PriceBook, canonical_provider
from costspan_pricing.faults import suggestion
from costspan_pricing.identity import book_provider

_NANOSECONDS = 1_000_000_000


def list_command(
    *,
    provider: Annotated[str, typer.Option(help="One provider, in any of its spellings.")] = "",
    model: Annotated[str, typer.Option(metavar="GLOB", help="Ids of the book: gpt-4o*.")] = "",
    at: Annotated[str, typer.Option(metavar="INSTANT", help="ISO 8601; now, if not given.")] = "",
    rates: Rates = None,
    book: Book = None,
    as_json: Json = False,
) -> None:
    """List what the book, with the rate cards, charges; without a filter, say which there are."""
    prices = pricer(rates, book)
    moment = _moment(at)
    found = None
    if provider or model:
        found = list(entries(prices, moment, _known(prices.book, provider), model or "*"))
    if as_json:
        print(json.dumps(document(prices, moment, found)))
    elif found is None:
        print(_summary(document(prices, moment, None)))
    elif found:
        print("\n".join(_blocks(found, prices.book.per)))
    else:
        print("costspan: no model of the book fits", file=sys.stderr)


def _moment(text: str) -> datetime:
    if not text:
        return datetime.fromtimestamp(SystemClock().now() // _NANOSECONDS, UTC)
    at = instant(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _known(book: PriceBook, provider: str) -> str:
    """The book's id of a provider in any spelling, or exit 2."""
    known = book_provider(canonical_provider(provider))
    if provider and known not in book.providers:
        usage_error(
            f"--provider: {provider!r} is not in the book; {suggestion(provider, book.providers)}"
        )
    return known


def _summary(found: Mapping[str, Any]) -> str:
    book = found["book"]
    lines = [
        f"book       {book['name']}@{book['sha256'][:8]}, prices of {book['date'] or 'no date'}",
        f"source     {book['source'].get('name', '')} {book['source'].get('version', '')}",
        f"models     {book['models']} of {len(book['providers'])} providers",
        *(f"           {name}: {count}" for name, count in book["providers"].items()),
    ]
    for card in found["cards"]:
        since, until = card["from"] or "ever", card["to"] or "no end"
        lines.append(f"rate card  {card['ref']} ({card['file']}), {since} to {until}")
    if not found["cards"]:
        lines.append("rate cards none")
    return "\n".join(lines)


def _blocks(found: Sequence[Entry], per: Mapping[str, int]) -> Iterator[str]:
    """For a person: a few lines a model, which fit any terminal."""
    yield f"US dollars per {per.get('input', 1)}, where no other number of units is written"
    for entry in found:
        changes = f"; next change {entry.until}" if entry.until else ""
        yield f"{entry.provider}/{entry.model}"
        yield f"    {_rates(entry.rates, per) or 'no price at that instant'}"
        for over, rates in entry.bands.items():
            yield f"    over {over} tokens: {_rates(rates, per)}"
        if entry.variants:
            yield f"    other rates for {', '.join(entry.variants)}"
        yield f"    since {entry.since or 'the first day that the book knows'}{changes}"


def _rates(rates: Mapping[str, str], per: Mapping[str, int]) -> str:
    usual = per.get("input", 1)
    return "  ".join(
        f"{unit} {rate}" + (f" per {per[unit]}" if per.get(unit, usual) != usual else "")
        for unit, rate in rates.items()
    )
