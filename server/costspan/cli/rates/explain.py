"""`costspan rates explain`: the formula behind a price, to be checked by hand."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from costspan.cli.configuration import Json
from costspan.cli.exits import Exit
from costspan.cli.rates import explanation, request
from costspan.cli.rates.options import At, counts, instant, pairs, usage_error
from costspan.cli.rates.sources import Book, Rates, pricer
from costspan_pricing import Reason

_EXAMPLE = ("input=1000",)


def explain_command(
    usage: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BUCKET=COUNT]...", help="Such as input=1000 cache_read=8000."),
    ] = None,
    *,
    provider: Annotated[str, typer.Option(help="As a span states it.")] = "",
    model: Annotated[str, typer.Option(help="As a span states it.")],
    at: At,
    tier: Annotated[str, typer.Option(help="As the response states it: flex, priority.")] = "",
    batch: Annotated[bool, typer.Option("--batch", help="A batch job.")] = False,
    speed: Annotated[str, typer.Option(help="Anthropic's fast mode: fast.")] = "",
    geo: Annotated[str, typer.Option(help="Where inference runs: us, eu, global.")] = "",
    region: Annotated[str, typer.Option(help="The cloud's region: eastus, eu-west-1.")] = "",
    deployment: Annotated[str, typer.Option(help="Azure: global, data-zone, regional.")] = "",
    search: Annotated[str, typer.Option(help="Search context: low, medium, high.")] = "",
    resource: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A resource attribute.")
    ] = None,
    rates: Rates = None,
    book: Book = None,
    as_json: Json = False,
) -> None:
    """Show how a price is made: model, dates, each rate, each line, and what was assumed.

    Buckets are disjoint, as in a request of `rates quote`; without any: input=1000.
    """
    stated = {
        "tier": tier,
        "batch": batch,
        "speed": speed,
        "geo": geo,
        "region": region,
        "deployment": deployment,
        "search": search,
        "resource": pairs(resource or (), "--resource"),
    }
    try:
        asked = request.build(provider, model, instant(at), stated)
    except request.UnknownContext as error:
        usage_error(str(error))
    prices = pricer(rates, book)
    found = prices.explain(counts(usage or _EXAMPLE), asked)
    per = prices.book.per
    if as_json:
        print(json.dumps(explanation.document(found, asked, per)))
    else:
        print(explanation.text(found, asked, per))
    raise typer.Exit(Exit.CHECK_FAILED if found.quote.reason == Reason.POLICY else Exit.OK)
