"""The options `--rates` and `--book`, and what they load. A faulty file ends the command with 3."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, NoReturn

import typer

from costspan.cli.exits import Exit
from costspan_pricing import PriceBook, Pricer, load_book
from costspan_pricing.ratecard.check import check_card
from costspan_pricing.ratecard.load import RateCardError, load_cards
from costspan_pricing.ratecard.shape import RateCard

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


def read_book(path: str | None, faults: list[str]) -> PriceBook | None:
    """A book, or ours; None after a fault."""
    try:
        return load_book(path)
    except OSError as error:
        faults.append(f"{path}: the price book can't be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        faults.append(str(error))
    return None


def read_cards(paths: Sequence[str], faults: list[str]) -> tuple[RateCard, ...]:
    """Rate cards, checked together; none after a fault."""
    try:
        return load_cards(paths)
    except RateCardError as error:
        faults += error.faults
        return ()


def _end(faults: Iterable[str]) -> NoReturn:
    print("\n".join(faults), file=sys.stderr)
    raise typer.Exit(Exit.CONFIG_INVALID)
