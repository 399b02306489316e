"""One question of the pricer: aliases resolved, names collected, the book's row found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from costspan_pricing.book import PriceBook
from costspan_pricing.context import Unpriced
from costspan_pricing.identity import book_provider, canonical_provider
from costspan_pricing.lookup import Sku, find
from costspan_pricing.naming import named_region, spellings
from costspan_pricing.quote import Context
from costspan_pricing.ratecard.match import Names, applies, rank
from costspan_pricing.ratecard.shape import Alias, RateCard


class Call(NamedTuple):
    """What is asked, after aliases."""

    context: Context
    names: Names
    cards: tuple[RateCard, ...]  # those in force for it
    at: datetime
    renamed: tuple[str, ...]  # the modifier of the alias, if one was used
    renamer: tuple[str, ...]  # the card that has it
    sku: Sku | None
    lost: Unpriced | None  # why there is no sku


def ask(book: PriceBook, cards: Sequence[RateCard], context: Context, at: datetime) -> Call:
    """The question with its aliases resolved and its row found, as far as there is one."""
    here = tuple(card for card in cards if applies(card, at, context.resource))
    names = _names(context)
    renamed: tuple[str, ...] = ()
    renamer: tuple[str, ...] = ()
    if found := _alias(here, names):
        card, alias = found
        if _row(book, context)[0] is not None:
            # a deployment called gpt-4o that is a gpt-4.1: prices for gpt-4o are not meant
            names = names._replace(models=())
        stated: dict[str, Any] = dict(alias.context)
        context = msgspec.structs.replace(
            context, provider=alias.provider, model=alias.model, **stated
        )
        renamed, renamer = (f"alias:{alias.provider}/{alias.model}",), (card.ref,)
    if not context.region:
        context = msgspec.structs.replace(context, region=named_region(context.model))
    sku, lost = _row(book, context)
    if sku is not None:
        ids = (sku.model.id.lower(), f"{sku.provider}/{sku.model.id}".lower())
        models = dict.fromkeys((*names.models, *_names(context).models, *ids))
        names = Names(sku.platform, sku.place, tuple(models), context.resource)
    return Call(context, names, here, at, renamed, renamer, sku, lost)


def _row(book: PriceBook, context: Context) -> tuple[Sku | None, Unpriced | None]:
    """The row of the book, or why there is none."""
    try:
        return find(book, context), None
    except Unpriced as why:
        return None, why


def _names(context: Context) -> Names:
    canonical = canonical_provider(context.provider)
    place = book_provider(canonical)
    return Names(canonical, place, spellings(place, context.model), context.resource)


def _alias(cards: Iterable[RateCard], names: Names) -> tuple[RateCard, Alias] | None:
    """The most specific alias of a name."""
    found = [
        (place, card, alias)
        for card in cards
        for alias in card.aliases
        if (place := rank(alias.match, names)) is not None
    ]
    return max(found, key=lambda each: each[0])[1:] if found else None
