"""`costspan rates refresh`: take a newer price book, and say what it changes. Never the network."""

from __future__ import annotations

import json
import tempfile
from errno import EAGAIN
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from costspan.cli.configuration import Json
from costspan.cli.ending import ended
from costspan.cli.exits import Exit
from costspan.cli.rates.difference import Change, Difference, difference
from costspan.cli.rates.installed import ImportFailed, convert
from costspan.cli.rates.sources import Book, price_book
from costspan_pricing import PriceBook

SCHEMA = "costspan.rates.refresh/v1"


def refresh_command(
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FILE", help="The newer book; else genai-prices as installed."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the checked book is put.")
    ] = Path(),
    book: Book = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Check a newer book to its last rate, report every change, and write it under a pinned name.

    The name ends in the first eight digits of its SHA-256, which every later load checks. Mount the
    file and name it in `processors.cost.price_book`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            file = Path(source) if source else convert(Path(scratch))
            old, new = price_book(book), price_book(str(file))
            written = None if dry_run else write(new, file, out)
        except ImportFailed as error:
            raise ended(Exit.FAILURE, str(error)) from error
        except OSError as error:
            raise ended(Exit.FAILURE, f"costspan: {error.filename}: {error.strerror}") from error
    found = difference(old, new)
    if as_json:
        print(json.dumps(document(old, new, found, written)))
    else:
        print(report(old, new, found, written))


def write(book: PriceBook, source: Path, folder: Path) -> Path:
    """Put the checked bytes into the folder, whole or not at all. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{book.name}-{book.sha256[:8]}.json"
    data = source.read_bytes()
    if sha256(data).hexdigest() != book.sha256:
        raise OSError(EAGAIN, "changed while it was read: try again", str(source))
    partial = target.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(target)
    return target


def document(
    old: PriceBook, new: PriceBook, found: Difference, written: Path | None
) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "schema": SCHEMA,
        "from": _book(old),
        "to": _book(new),
        "written": str(written) if written else None,
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": {name: _listed(changes) for name, changes in found.changed.items()},
        "providers": {name: _listed(changes) for name, changes in found.providers.items()},
    }


def report(old: PriceBook, new: PriceBook, found: Difference, written: Path | None) -> str:
    """The same for a person."""
    added, removed, changed = map(len, (found.added, found.removed, found.changed))
    lines = [
        f"{old.ref} -> {new.ref}",
        f"{added} rows added, {removed} removed, {changed} changed",
        *(f"  + {sku}" for sku in found.added),
        *(f"  - {sku}" for sku in found.removed),
    ]
    for name, changes in (*found.changed.items(), *found.providers.items()):
        lines.append(f"  {name or 'the book'}")
        lines += [f"      {c.what}: {c.old or 'none'} -> {c.new or 'none'}" for c in changes]
    if written:
        lines += [f"written: {written}", "use it: processors.cost.price_book, or --book"]
    return "\n".join(lines)


def _book(book: PriceBook) -> dict[str, Any]:
    return {"name": book.name, "sha256": book.sha256, "source": dict(book.source)}


def _listed(changes: tuple[Change, ...]) -> list[dict[str, str | None]]:
    return [change._asdict() for change in changes]
