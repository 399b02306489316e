"""`costspan rates check`: rate cards, price books and vectors, every fault at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from costspan.cli.configuration import Json
from costspan.cli.exits import Exit
from costspan.cli.rates.sources import Book
from costspan.cli.rates.vectors import Verdict, verdicts
from costspan.prices.files import read_book, read_cards
from costspan_pricing import Pricer
from costspan_pricing.ratecard.check import check_card, warn_card

SCHEMA = "costspan.rates.check/v1"


@dataclass
class Report:
    """What was found, sentences with their place."""

    faults: list[str] = field(default_factory=list)  # a file can't be used
    findings: list[str] = field(default_factory=list)  # it can, and something in it is wrong
    warnings: list[str] = field(default_factory=list)
    vectors: int = 0

    @property
    def code(self) -> Exit:
        """3 for a faulty file, 5 for one that says something wrong."""
        if self.faults:
            return Exit.CONFIG_INVALID
        return Exit.CHECK_FAILED if self.findings else Exit.OK


def check_command(
    files: Annotated[list[str], typer.Argument(help="Rate cards (YAML) and price books (.json).")],
    *,
    vectors: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Requests as for quote, with expect_usd or expect."),
    ] = None,
    book: Book = None,
    as_json: Json = False,
) -> None:
    """Check rate cards and books, and what they make of requests with known answers.

    The cards are held against --book, else against a book among the files, else against ours.
    Exit code 3: a file can't be used. 5: a card does not fit the book, or a vector differs.
    """
    report = Report()
    books = [name for name in files if name.endswith(".json")]
    loaded = [found for name in books if (found := read_book(name, report.faults))]
    prices = read_book(book, report.faults) if book or not loaded else loaded[-1]
    cards = read_cards([name for name in files if name not in books], report.faults)
    if prices is not None:
        for card in cards:
            report.findings += check_card(card, prices)
            report.warnings += warn_card(card, prices)
        if not report.faults:
            _try_vectors(vectors or (), Pricer(prices, cards), report)
    _show(report, files, as_json=as_json)
    raise typer.Exit(report.code)


def _try_vectors(paths: Sequence[str], pricer: Pricer, report: Report) -> None:
    for path in paths:
        try:
            lines = Path(path).read_bytes().splitlines()
        except OSError as error:
            report.faults.append(f"{error.filename}: {error.strerror}")
            continue
        for verdict in verdicts(lines, pricer):
            report.vectors += 1
            report.findings += _sentences(path, verdict)


def _sentences(path: str, verdict: Verdict) -> list[str]:
    place = f"{path}:{verdict.number}: "
    if verdict.id is not None:
        place += f"{verdict.id}: "
    if verdict.fault:
        return [place + verdict.fault]
    return [
        f"{place}{wrong.field}: expected {_said(wrong.expected)}, got {_said(wrong.got)}"
        for wrong in verdict.mismatches
    ]


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _show(report: Report, files: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_document(report)))
        return
    for sentence in (*report.faults, *report.findings):
        print(sentence, file=sys.stderr)
    for sentence in report.warnings:
        print(f"warning: {sentence}", file=sys.stderr)
    wrong = len(report.faults) + len(report.findings)
    verdict = "valid" if not wrong else f"{wrong} fault{'s' if wrong > 1 else ''}"
    tried = f", {report.vectors} vectors tried" if report.vectors else ""
    print(f"{' '.join(files)}: {verdict}, {len(report.warnings)} warnings{tried}")


def _document(report: Report) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "valid": report.code is Exit.OK,
        "faults": report.faults,
        "findings": report.findings,
        "warnings": report.warnings,
        "vectors": report.vectors,
    }
