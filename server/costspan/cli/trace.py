"""`costspan trace ID`: a trace as a tree of costs, from the store."""

from __future__ import annotations

import http.client
import json
from typing import Annotated

import msgspec
import typer

from costspan.cli.ending import ended
from costspan.cli.endpoint import ask
from costspan.cli.exits import Exit
from costspan.cli.store import Directory, Dsn, Source, Where, connection
from costspan.cli.trace_document import Traced, document
from costspan.finish.outline import outline
from costspan.finish.reading import StoredTrace, of_ledger, read_trace
from costspan.ledger.look import View
from costspan.ledger.path import critical_path, heaviest_chain
from costspan.ledger.tree import grow
from costspan.model import decode_calls

_ID_LENGTH = 16
_PATH = "/debug/trace/"


def trace_command(
    trace: Annotated[str, typer.Argument(metavar="ID", help="Trace id: 32 hex digits.")],
    *,
    url: Annotated[
        str | None,
        typer.Option(help="Ask the ledger of a running costspan, by its health address."),
    ] = None,
    dsn: Dsn = None,
    directory: Directory = None,
    config: Source = None,
    as_json: Annotated[bool, typer.Option("--json", help="One costspan.trace/v1 object.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Fold nothing.")] = False,
) -> None:
    """Print a trace as a tree with the cost of every span and of all below it."""
    trace_id = _trace_id(trace)
    if url is not None:
        found = _held(url, trace_id)
    else:
        with connection(Where(dsn, directory, config)) as tables:
            found = read_trace(tables, trace_id)
    if not (found.spans or found.records):
        who = "the store has" if url is None else "the ledger holds"
        raise ended(Exit.FAILURE, f"costspan: {who} no trace {trace_id.hex()}")
    _print(trace_id, found, as_json=as_json, every=every)


def _held(url: str, trace_id: bytes) -> StoredTrace:
    """What a running sidecar's ledger holds: of spans without a record no names."""
    try:
        status, body = ask(url, f"{_PATH}{trace_id.hex()}")
    except (OSError, http.client.HTTPException) as error:
        raise ended(Exit.UNREACHABLE, f"costspan: {url} does not answer: {error}") from error
    if status == http.client.NOT_FOUND:
        return StoredTrace({}, [])
    if status != http.client.OK:
        raise ended(Exit.UNREACHABLE, f"costspan: {url} answers {status}: {body[:200]!r}")
    view = msgspec.json.decode(body, type=View)
    return of_ledger(decode_calls(view.calls), view.heads)


def _print(trace_id: bytes, found: StoredTrace, *, as_json: bool, every: bool) -> None:
    rolled = found.rollup()
    tree = grow(rolled)
    steps = list(outline(found, rolled, tree))
    path, chain = critical_path(rolled), heaviest_chain(rolled, tree)
    traced = Traced(trace_id, rolled, tree, steps, path, chain)
    if as_json:
        print(json.dumps(document(traced), ensure_ascii=False))
        return
    from costspan.cli.trace_view import show  # noqa: PLC0415  (rich, which --json does not need)

    show(traced, every=every)


def _trace_id(text: str) -> bytes:
    try:
        trace_id = bytes.fromhex(text.strip())
    except ValueError:
        trace_id = b""
    if len(trace_id) != _ID_LENGTH:
        raise typer.BadParameter(f"expected 32 hex digits, saw {text!r}", param_hint="ID")
    return trace_id
