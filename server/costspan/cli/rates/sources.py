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
    """What prices by these files. Prints every fault of them and exits, if there is one."""
    prices, found = price_book(book), cards(rates)
    _check(found, prices)
    return Pricer(prices, found)


def _check(found: Sequence[RateCard], prices: PriceBook) -> None:
    """A discount on another book than its contract's is a wrong price: that ends the command.

    An alias of a model that the book does not have makes calls unpriced, not wrong: it is only
    said. `rates check` fails for it.
    """
    unfit = [
        sentence
        for card in found
        for sentence in check_card(card._replace(aliases=(), capacity=()), prices)
    ]
    if unfit:
        _end(unfit)
    for card in found:
        for sentence in check_card(card, prices):
            print(f"warning: {sentence}", file=sys.stderr)


def price_book(path: str | None) -> PriceBook:
    """The book of `--book`, or ours."""
    try:
        return load_book(path)
    except OSError as error:
        _end([f"{error.filename}: {error.strerror}"])
    except ValueError as error:
        _end([str(error)])


def cards(paths: Sequence[str] | None) -> tuple[RateCard, ...]:
    """The rate cards of `--rates`."""
    try:
        return load_cards(paths or ())
    except RateCardError as error:
        _end(error.faults)


def _end(faults: Iterable[str]) -> NoReturn:
    print("\n".join(faults), file=sys.stderr)
    raise typer.Exit(Exit.CONFIG_INVALID)
