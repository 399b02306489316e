"""From files to prices that are checked together, or every fault of them. No thread, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from costspan.errors import ConfigError
from costspan_pricing import PriceBook, load_book
from costspan_pricing.ratecard.check import check_card, warn_card
from costspan_pricing.ratecard.load import RateCardError, load_cards
from costspan_pricing.ratecard.shape import RateCard

Fingerprint = tuple[str, ...]


class PriceFiles(NamedTuple):
    """Where prices come from. Without a `book` it is the one that ships."""

    book: str | None = None
    cards: tuple[str, ...] = ()

    def fingerprint(self) -> Fingerprint:
        """What the files hold now. A file that can't be read has the reason for its content.

        By content and not by time: a mounted ConfigMap changes by a symlink, and a copy that keeps
        its old time is new all the same.
        """
        named = (*self.cards, self.book) if self.book else self.cards
        return tuple(map(_fingerprint, named))


class Prices(NamedTuple):
    """A book and rate cards that fit together."""

    book: PriceBook
    cards: tuple[RateCard, ...]
    warnings: tuple[str, ...] = ()  # allowed, and probably not meant: a sentence each

    def __str__(self) -> str:
        cards = ", ".join(card.ref for card in self.cards)
        return f"price book {self.book.ref}, " + (f"rate cards {cards}" if cards else "list prices")


def load(files: PriceFiles) -> Prices:
    """Read and check everything. Raises ConfigError with every fault of every file."""
    faults: list[str] = []
    book = read_book(files.book, faults)
    cards = read_cards(files.cards, faults)
    if book is not None:
        faults += (fault for card in cards for fault in check_card(card, book))
    if faults or book is None:
        raise ConfigError(faults)
    return Prices(book, cards, tuple(w for card in cards for w in warn_card(card, book)))


def read_book(path: str | None, faults: list[str]) -> PriceBook | None:
    """A book, or the one that ships; None after a fault."""
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


def _fingerprint(path: str) -> str:
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        return f"unreadable: {error}"
