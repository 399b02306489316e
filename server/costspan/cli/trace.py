"""`costspan trace ID`: a trace as a tree of costs, from the store."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from costspan.cli.exits import Exit
from costspan.cli.store import Directory, Dsn, Source, Where, connection
from costspan.cli.trace_document import document
from costspan.finish.outline import outline
from costspan.finish.reading import StoredTrace, read_trace
from costspan.ledger.tree import grow

_ID_LENGTH = 16


def trace_command(
    trace: Annotated[str, typer.Argument(metavar="ID", help="Trace id: 32 hex digits.")],
    *,
    dsn: Dsn = None,
    directory: Directory = None,
    config: Source = None,
    as_json: Annotated[bool, typer.Option("--json", help="One costspan.trace/v1 object.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Fold nothing.")] = False,
) -> None:
    """Print a trace as a tree with the cost of every span and of all below it."""
    trace_id = _trace_id(trace)
    with connection(Where(dsn, directory, config)) as tables:
        found = read_trace(tables, trace_id)
    if not (found.spans or found.records):
        print(f"costspan: the store has no trace {trace_id.hex()}", file=sys.stderr)
        raise typer.Exit(Exit.FAILURE)
    _print(trace_id, found, as_json=as_json, every=every)


def _print(trace_id: bytes, found: StoredTrace, *, as_json: bool, every: bool) -> None:
    rolled = found.rollup()
    tree = grow(rolled)
    steps = outline(found, rolled, tree)
    if as_json:
        print(json.dumps(document(trace_id, rolled, steps), ensure_ascii=False))
        return
    from costspan.cli.trace_view import show  # noqa: PLC0415  (rich, which --json does not need)

    show(trace_id, rolled, tree, list(steps), every=every)


def _trace_id(text: str) -> bytes:
    try:
        trace_id = bytes.fromhex(text.strip())
    except ValueError:
        trace_id = b""
    if len(trace_id) != _ID_LENGTH:
        raise typer.BadParameter(f"expected 32 hex digits, saw {text!r}", param_hint="ID")
    return trace_id
