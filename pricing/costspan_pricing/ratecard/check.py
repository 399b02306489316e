"""What a rate card says, held against a price book: do its names exist, do its prices make sense.

A card is loaded without a book, because the book may be replaced later. `check_card` finds what
makes a card wrong for a book, `warn_card` what is probably not meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from costspan_pricing.book import Catalogue, PriceBook
from costspan_pricing.context import Unpriced
from costspan_pricing.dating import EVER
from costspan_pricing.faults import nearest
from costspan_pricing.identity import book_provider, canonical_provider
from costspan_pricing.lookup import find
from costspan_pricing.quote import Context
from costspan_pricing.ratecard.patterns import matches
from costspan_pricing.ratecard.shape import Match, Pattern, RateCard
from costspan_pricing.ratecard.tables import BUNDLED
from costspan_pricing.usage import Unit

_CACHED = {Unit.CACHE_READ: Unit.INPUT, Unit.CACHE_READ_AUDIO: Unit.AUDIO_INPUT}


def check_card(card: RateCard, book: PriceBook) -> list[str]:
    """Every fault: a sentence each, with file and line."""
    return [*_book_faults(card, book), *_sku_faults(card, book)]


def warn_card(card: RateCard, book: PriceBook) -> list[str]:
    """Everything that is allowed and yet looks like a mistake: a sentence each."""
    found = [*_date_warnings(card), *_price_warnings(card)]
    return found + [
        warning
        for name, line, match in _matches(card)
        for warning in _match_warnings(card, book, f"{card.source}:{line}: {name}", match)
    ]


# --- faults --------------------------------------------------------------------------------------


def _book_faults(card: RateCard, book: PriceBook) -> Iterator[str]:
    if card.book not in (BUNDLED, book.name, book.ref):
        yield f"{card.source}: list.book: expected the book {card.book!r}, in use is {book.name!r}"
    if card.min_date is not None and (book.date is None or book.date < card.min_date):
        wanted, seen = f"a book of {card.min_date} or later", book.date or "one without a date"
        yield f"{card.source}: list.min_date: expected {wanted}, saw {seen}"


def _sku_faults(card: RateCard, book: PriceBook) -> Iterator[str]:
    for alias in card.aliases:
        yield from _unknown(card, book, alias.line, "sku", (alias.provider, alias.model))
    for capacity in card.capacity:
        if capacity.shadow is not None:
            yield from _unknown(card, book, capacity.line, "shadow_sku", capacity.shadow)


def _unknown(
    card: RateCard, book: PriceBook, line: int, key: str, sku: tuple[str, str]
) -> Iterator[str]:
    provider, model = sku
    if _priced(book, provider, model):
        return
    place = f"{card.source}:{line}: {key}: expected a model of the price book"
    if book.catalogue(_place(provider)) is None:
        seen, close = f"the provider {provider!r}", nearest(provider, book.providers)
    else:
        ids = (row.id for each in _catalogues(book, provider) for row in each.models)
        seen, close = f"{provider}/{model}", nearest(model, ids)
        close = close and f"{provider}/{close}"
    yield f"{place}, saw {seen}" + (f"; the nearest is {close}" if close else "")


# --- warnings ------------------------------------------------------------------------------------


def _date_warnings(card: RateCard) -> Iterator[str]:
    start, end = EVER
    if card.span.start == start:
        yield f"{card.source}: effective.from: the contract has no beginning"
    if card.span.end == end:
        yield f"{card.source}: effective.to: the contract has no end"


def _price_warnings(card: RateCard) -> Iterator[str]:
    for rate in card.rates:
        for usd in (rate.usd, rate.usd_over):
            for cached, plain in _CACHED.items():
                if cached in usd and plain in usd and usd[cached] > usd[plain]:
                    yield f"{card.source}:{rate.line}: {cached} costs more than {plain}"


def _matches(card: RateCard) -> Iterator[tuple[str, int, Match]]:
    """What names models of the book. Those of capacity are deployments: only the customer's."""
    for rate in card.rates:
        yield "rates", rate.line, rate.match
    for discount in card.discounts:
        yield "discounts", discount.line, discount.match
    for showback in card.showback:
        yield "showback", showback.line, showback.match


def _match_warnings(card: RateCard, book: PriceBook, place: str, match: Match) -> Iterator[str]:
    unknown = [each for each in match.providers if book.catalogue(_place(each)) is None]
    for provider in unknown:
        yield f"{place}: the price book has no provider {provider!r}"
    providers = [each for each in match.providers if each not in unknown]
    if match.providers and not providers:
        return
    for pattern in match.models:
        if not _means_something(card, book, providers or sorted(book.providers), pattern):
            written = f"~{pattern.text}" if pattern.kind == "regex" else pattern.text
            yield f"{place}: {written!r} is no model of the price book, and no alias"


def _means_something(
    card: RateCard, book: PriceBook, providers: Iterable[str], pattern: Pattern
) -> bool:
    own = _own_names(card)
    if any(each == pattern or matches(pattern, each.text) for each in own):
        return True
    if pattern.kind == "exact":
        return any(_priced(book, provider, pattern.text) for provider in providers)
    return any(
        matches(pattern, name)
        for provider in providers
        for catalogue in _catalogues(book, provider)
        for name in _names(catalogue)
    )


def _own_names(card: RateCard) -> Iterator[Pattern]:
    """Names that the card itself gives a meaning: aliases, what they stand for, deployments."""
    for alias in card.aliases:
        yield from alias.match.models
        yield Pattern("exact", alias.model.lower())
    for capacity in card.capacity:
        yield from capacity.match.models


# --- the book ------------------------------------------------------------------------------------


def _priced(book: PriceBook, provider: str, model: str) -> bool:
    try:
        find(book, Context(provider, model, EVER[0]))
    except Unpriced:
        return False
    return True


def _catalogues(book: PriceBook, provider: str) -> Iterator[Catalogue]:
    """A provider's models, and those of the providers whose list it falls back to."""
    catalogue = book.catalogue(_place(provider))
    for each in (catalogue, *map(book.catalogue, catalogue.fallback if catalogue else ())):
        if each is not None:
            yield each


def _names(catalogue: Catalogue) -> Iterator[str]:
    """The ids of a provider's models, and the other names that are listed literally."""
    for model in catalogue.models:
        yield model.id.lower()
        # a prefix or a part of a name is one of its names too: us.anthropic.claude-sonnet-4-5
        yield from (c[1:].lower() for c in model.match if isinstance(c, str) and c[:1] != "~")


def _place(provider: str) -> str:
    return book_provider(canonical_provider(provider))
