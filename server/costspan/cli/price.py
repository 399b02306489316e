"""`costspan price FILE...`: price OTLP/JSON offline, as complete traces, by the line's own code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from costspan import wire
from costspan.cli.ending import readable
from costspan.cli.price_document import Priced, document, evaluate
from costspan.cli.rates.sources import Book, Rates, pricer
from costspan.clock import SystemClock
from costspan.dialect import DEFAULT_DIMENSIONS, Dimensions, configured
from costspan.errors import Undecodable
from costspan.journal.memory import MemoryJournal
from costspan.ledger.billing import tokens
from costspan.model import SOLO, LlmCall, decode_calls
from costspan.pipeline import MAX_PIECE, Meter, Pipeline
from costspan.telemetry import Telemetry
from costspan.wire.otlp_json import from_json
from costspan_pricing import Pricer, format_usd

_STDIN = "-"


def price_command(
    files: Annotated[
        list[str], typer.Argument(help="OTLP/JSON: a request, an array, or JSON lines; - is stdin.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One costspan.price/v1 object.")] = False,
    rates: Rates = None,
    book: Book = None,
    dimension: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=KEY,...", help="As in `dimensions` of the configuration."),
    ] = None,
) -> None:
    """Price OTLP/JSON files offline. Several files are one set of complete traces."""
    prices = pricer(rates, book)
    with readable():
        priced = price_files(files, prices, _dimensions(dimension or ()))
    if as_json:
        print(json.dumps(document(priced), ensure_ascii=False))
    else:
        _print_tables(priced)


def _dimensions(stated: Sequence[str]) -> Dimensions:
    """Raises ValueError."""
    named = {}
    for each in stated:
        name, equals, keys = each.partition("=")
        if not (name and equals):
            raise ValueError(f"--dimension: expected NAME=KEY,KEY, saw {each!r}")
        named[name] = tuple(filter(None, keys.split(",")))
    return configured(named, witnesses=True)


def price_files(
    files: Sequence[str], prices: Pricer, dimensions: Dimensions = DEFAULT_DIMENSIONS
) -> Priced:
    """Read, price and roll up. Raises Undecodable naming the file, OSError."""
    requests = ((file, each) for file in files for each in read(file, from_json))
    return price_requests(requests, prices, dimensions)


_Read = TypeVar("_Read")


def read(file: str, parse: Callable[[bytes], list[_Read]]) -> list[_Read]:
    """What a file holds; - is stdin. Raises Undecodable naming the file, OSError."""
    data = sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
    try:
        return parse(data)
    except Undecodable as error:
        raise Undecodable(f"{file}: {error}") from error


def price_requests(
    requests: Iterable[tuple[str, bytes]],
    prices: Pricer,
    dimensions: Dimensions = DEFAULT_DIMENSIONS,
) -> Priced:
    """Price (file, request) and roll up. Raises Undecodable naming the file."""
    pipeline = _pipeline(Meter.by(prices, dimensions))
    calls: list[LlmCall] = []
    heads: list[wire.Head] = []
    for file, request in requests:
        for piece in wire.cut(request, MAX_PIECE):
            done = pipeline.intake(piece)
            if done.flags & SOLO or done.faults:
                raise Undecodable(f"{file}: a span of it could not be read or priced")
            calls += map(_anywhere, decode_calls(done.calls))
            heads += wire.unpack_heads(wire.heads(done.body))
    return evaluate(calls, heads)


def _anywhere(call: LlmCall) -> LlmCall:
    """Without its place in a request: of equal copies of a span the first is to count."""
    call.ordinal = 0
    return call


def _pipeline(meter: Meter) -> Pipeline:
    """The line's own intake. Its journal has no reader: nothing is appended here."""
    telemetry, clock = Telemetry(), SystemClock()
    journal = MemoryJournal([], 0, telemetry, clock)
    return Pipeline(journal, meter, telemetry, clock)


def _print_tables(priced: Priced) -> None:
    """Spans, then traces, for a person."""
    from rich.console import Console  # noqa: PLC0415  (20 ms that --json does not need)
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    spans = Table("span", "model", "tokens in", "tokens out", "billed", "US dollars", box=None)
    for decision in priced.spans:
        call = decision.call
        counts = map(str, tokens(call)) if call.usage is not None else ("unknown", "unknown")
        spans.add_row(
            call.name,
            call.response_model or call.request_model,
            *counts,
            decision.reason,
            _dollars(call) if decision.billed else "-",
        )
    console.print(spans)
    traces = Table("trace", "calls", "unpriced", "US dollars", "flags", box=None)
    for trace_id, found in priced.traces.items():
        total = found.total
        known = total.calls > total.unpriced or not total.calls
        traces.add_row(
            trace_id.hex(),
            str(total.calls),
            str(total.unpriced),
            format_usd(total.cost) if known else "unknown",
            " ".join(found.flags),
        )
    console.print()
    console.print(traces)


def _dollars(call: LlmCall) -> str:
    charge = call.charge
    return format_usd(int(charge.total)) if charge.total else charge.reason or charge.status
