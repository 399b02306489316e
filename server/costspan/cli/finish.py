"""`costspan finish`: totals of traces that several sidecars saw parts of, from all their spans."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Annotated

import typer

from costspan.cli.store import Directory, Dsn, Source, Where, connection
from costspan.finish.settle import Settled, settle_all
from costspan_pricing import format_usd

_HOUR = 3600


def finish_command(
    *,
    dsn: Dsn = None,
    directory: Directory = None,
    config: Source = None,
    hours: Annotated[
        float, typer.Option(min=0.01, help="Traces that began to arrive in the last so many hours.")
    ] = 24.0,
    quiet: Annotated[
        float, typer.Option(min=0, help="Only those that ended so many minutes ago, or more.")
    ] = 10.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    every: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="MINUTES", help="Again and again, with a pause of so long."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One costspan.finish/v1 object a trace.")
    ] = False,
) -> None:
    """Roll up anew, from the store, what several sidecars saw parts of."""
    tell = _as_json if as_json else _as_text
    while True:
        with connection(Where(dsn, directory, config)) as store:
            since, silence = round(hours * _HOUR), round(quiet * 60)
            found = settle_all(store, since=since, quiet=silence, write=not dry_run, tell=tell)
        print(f"costspan: {found} traces looked at", file=sys.stderr)
        if every is None:
            return
        threading.Event().wait(every * 60)


Tell = Callable[[Settled], None]


def _as_text(one: Settled) -> None:
    if one.skipped:
        print(f"{one.trace_id.hex()}  left as it is: {one.skipped}")
        return
    print(
        f"{one.trace_id.hex()}  {one.calls_before} calls, ${format_usd(one.cost_before)} ->"
        f" {one.calls} calls, ${format_usd(one.cost)}; {one.corrected} calls corrected"
    )


def _as_json(one: Settled) -> None:
    print(
        json.dumps(
            {
                "schema": "costspan.finish/v1",
                "trace_id": one.trace_id.hex(),
                "llm_calls_before": one.calls_before,
                "llm_calls": one.calls,
                "cost_usd_before": format_usd(one.cost_before),
                "cost_usd": format_usd(one.cost),
                "corrected_calls": one.corrected,
                "skipped": one.skipped or None,
            }
        )
    )
