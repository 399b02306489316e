"""The options `--rates` and `--book`, and what they load. A faulty file ends the command with 3."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, NoReturn

import typer

from costspan.cli.ending import ended
from costspan.cli.exits import Exit
from costspan.prices.files import read_book, read_cards
from costspan_pricing import PriceBook, Pricer
from costspan_pricing.ratecard.check import check_card

Rates = Annotated[
    list[str] | None,
    typer.Option("--rates", metavar="FILE", help="A rate card; may be given several times."),
]
Book = Annotated[
    str | None, typer.Option("--book", metavar="FILE", help="A price book in place of ours.")
]


def pricer(rates: Sequence[str] | None, book: str | None) -> Pricer:
    """What prices by these files. Prints every fault of all of them and exits, if there is one.

    A discount on another book than its contract's is a wrong price, and a fault. An alias of a
    model that the book does not have makes calls unpriced, not wrong: it is only said here, and
    `rates check` fails for it.
    """
    faults: list[str] = []
    prices, cards = read_book(book, faults), read_cards(rates or (), faults)
    if prices is not None:
        for card in cards:
            faults += check_card(card._replace(aliases=(), capacity=()), prices)
    if faults or prices is None:
        _end(faults)
    for card in cards:
        for sentence in check_card(card, prices):
            print(f"warning: {sentence}", file=sys.stderr)
    return Pricer(prices, cards)


def price_book(path: str | None) -> PriceBook:
    """The book of `--book`, or ours. Prints its faults and exits, if there is one."""
    faults: list[str] = []
    return read_book(path, faults) or _end(faults)


def _end(faults: Iterable[str]) -> NoReturn:
    raise ended(Exit.CONFIG_INVALID, *faults)
