"""`costspan rates quote FILE|-`: one request a line in, one quote a line out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from costspan.cli.ending import ended
from costspan.cli.exits import Exit
from costspan.cli.rates.answer import Answer, Outcome, answers, exit_code
from costspan.cli.rates.sources import Book, Rates, pricer

STDIN = "-"


def quote_command(
    file: Annotated[str, typer.Argument(help="Requests, one JSON object a line; - is stdin.")],
    *,
    rates: Rates = None,
    book: Book = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One costspan.quote/v1 object a line.")
    ] = False,
) -> None:
    """Price requests, one JSON object a line: provider, model, at, usage, context."""
    found = answers(lines(file), pricer(rates, book))
    show = _print_lines if as_json else _print_table
    try:
        code = exit_code(show(_complaining(file, found)))
    except BrokenPipeError:
        raise
    except OSError as error:
        where = error.filename or file
        raise ended(Exit.FAILURE, f"costspan: {where}: {error.strerror}") from error
    raise typer.Exit(code)


def lines(file: str) -> Iterator[bytes]:
    """The lines of a file or of stdin, each as soon as it is there. Raises OSError."""
    if file == STDIN:
        yield from sys.stdin.buffer
        return
    with Path(file).open("rb") as source:
        yield from source


def _complaining(file: str, found: Iterable[Answer]) -> Iterator[Answer]:
    """The same answers; what could not be read is said on stderr too, with its line."""
    for answer in found:
        if answer.outcome is Outcome.UNREADABLE:
            place = f"{'stdin' if file == STDIN else file}:{answer.number}"
            print(f"costspan: {place}: {answer.document['error']}", file=sys.stderr)
        yield answer


def _print_lines(found: Iterable[Answer]) -> Iterator[Outcome]:
    for answer in found:
        print(json.dumps(answer.document), flush=True)
        yield answer.outcome


def _print_table(found: Iterable[Answer]) -> Iterator[Outcome]:
    """For a person, when the last line is in: the columns take their width from all of them."""
    from rich.console import Console  # noqa: PLC0415  (20 ms that --json does not need)
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None)
    for title in ("", "model", "at", "US dollars", "list", "why"):
        table.add_column(title, overflow="fold")
    for answer in found:
        table.add_row(*(Text(cell) for cell in _row(answer)))
        yield answer.outcome
    Console().print(table)


def _row(answer: Answer) -> tuple[str, ...]:
    asked, quote = answer.line, answer.document
    return (
        str(quote.get("id", answer.number)),
        "/".join(str(asked[key]) for key in ("provider", "model") if asked.get(key)),
        str(asked.get("at") or ""),
        quote["cost_usd"] or quote["status"],
        quote["list_cost_usd"] or "",
        quote.get("error") or quote["reason"] or " ".join(quote["modifiers"]),
    )
