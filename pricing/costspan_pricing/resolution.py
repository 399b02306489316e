"""From a call's context to compiled rates: the order in which things are decided. No arithmetic.

alias ─▶ capacity? ─▶ row of the book ─▶ context ─▶ instant ─▶ list rates ─▶ contracts ─▶ compiled
                           └─ nothing fits: the policy of the rate card, else the reason
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import NamedTuple

import msgspec

from costspan_pricing.book import Bounds, PriceBook
from costspan_pricing.context import DEPLOYMENT, PROVISIONED, Facts, Unpriced, facts
from costspan_pricing.contract import Found, contracted, ranked
from costspan_pricing.dating import Window, instant, window
from costspan_pricing.family import nearest
from costspan_pricing.inheritance import inherits
from costspan_pricing.listing import LIST, Listing, RatedBand, changes, listed
from costspan_pricing.lookup import Sku
from costspan_pricing.money import ATTOS, divide
from costspan_pricing.question import Call, ask
from costspan_pricing.quote import Context, Quote, Reason
from costspan_pricing.ratecard.shape import Capacity, Policy, RateCard
from costspan_pricing.selection import by_place
from costspan_pricing.tariff import Band, Miss, Provisioned, Tariff, compile_band
from costspan_pricing.usage import Unit

NO_CARD = f"{LIST}@0"  # the card part of a price_ref: no rate card, list prices
_NO_BOUNDS: Mapping[Unit, Bounds] = {}


class Resolved(NamedTuple):
    """A tariff, and how its rates came about. `bands`, `listed`: as compiled, highest first."""

    tariff: Tariff | Provisioned | Miss
    bands: tuple[RatedBand, ...] = ()
    listing: Listing | None = None


def resolve(book: PriceBook, cards: Sequence[RateCard], context: Context, at: datetime) -> Resolved:
    """The rates for a context at an instant (UTC). Never raises for data."""
    call = ask(book, cards, context, at)
    span = window((*_card_edges(cards), *_list_edges(book, call)), at)
    capacity = ranked(call.cards, lambda card: card.capacity, call.names, at)
    if capacity and _spilled(call.context):
        return _by_the_token(book, cards, call.context, capacity[0][1], at)
    if capacity:
        return Resolved(_provisioned(book, call, *capacity[0], span))
    try:
        return _priced(book, call, span)
    except Unpriced as why:
        return _by_policy(book, call, why, span)


def _priced(book: PriceBook, call: Call, span: Window) -> Resolved:
    """List rates and what contracts make of them. Raises Unpriced."""
    known = facts(call.context)
    listing, why = None, call.lost
    if call.sku is not None:
        known = by_place(known, book.catalogue(call.sku.place))
        known = known._replace(platform=call.sku.platform)
        try:
            listing = listed(book, call.sku, known, call.at)
        except Unpriced as error:
            why = error
    found = contracted(listing, call.cards, call.names, known, call.at)
    if found is None and listing is None:
        raise why or Unpriced(Reason.UNKNOWN_MODEL)
    return _compiled(book, call, listing, found, known, span)


def _compiled(
    book: PriceBook,
    call: Call,
    listing: Listing | None,
    found: Found | None,
    known: Facts,
    span: Window,
) -> Resolved:
    bands = found.bands if found else listing.bands if listing else ()
    place = call.sku.provider if call.sku else call.names.provider
    modifiers = listing.modifiers if listing else ()
    added = (*call.renamed, *modifiers, *(found.modifiers if found else ()))
    refs = found.refs if found else ()
    since = (*([instant(listing.since)] if listing else ()), *(found.since if found else ()))
    marks = listing.marks if listing else known.marks
    compiled = tuple(_bands(bands, listing, bool(refs), place, added))
    tariff = Tariff(
        *span,
        status="priced",
        model=call.sku.model.id if call.sku else call.context.model,
        price_ref=_price_ref(book, call, modifiers, since, (*call.renamer, *refs)),
        assumed=(
            *(call.sku.assumed if call.sku else ()),
            *marks,
            *(found.marks if found else ()),
        ),
        bands=compiled,
        flat=min((band.over for band in compiled if band.over >= 0), default=sys.maxsize),
        per_request=any(Unit.REQUESTS in band.rates for band in bands),
        billed=_bounds(call.sku),
        showback=_showback(call),
    )
    return Resolved(tariff, bands, listing)


def _bands(
    bands: Iterable[RatedBand],
    listing: Listing | None,
    negotiated: bool,  # noqa: FBT001  (decides what is compared)
    place: str,
    modifiers: tuple[str, ...],
) -> Iterator[Band]:
    for over, rates in bands:
        named = modifiers if over < 0 else (*modifiers, f"long_context:>{over}")
        public = None
        if negotiated:
            above = (band.rates for band in listing.bands if band.over <= over) if listing else ()
            public = next(iter(above), {})
        yield compile_band(rates, public, inherits(place), over, named)


# --- where no list price applies -----------------------------------------------------------------


def _provisioned(
    book: PriceBook, call: Call, card: RateCard, capacity: Capacity, span: Window
) -> Provisioned:
    """A call on capacity that is paid by the hour, with the list price it would have had."""
    context = msgspec.structs.replace(call.context, deployment=_shadow_place(call.context))
    if capacity.shadow is not None:
        provider, model = capacity.shadow
        context = msgspec.structs.replace(context, provider=provider, model=model)
    shadow = resolve(book, (), context, call.at).tariff
    tariff = shadow if isinstance(shadow, Tariff) else None
    return Provisioned(
        max(span[0], shadow.start),
        min(span[1], shadow.end),
        marginal=divide(capacity.marginal.numerator * ATTOS, capacity.marginal.denominator),
        model=tariff.model if tariff else call.context.model,
        price_ref=_price_ref(
            book, call, (PROVISIONED,), [max(card.span.start, capacity.span.start)], (card.ref,)
        ),
        assumed=(),
        shadow=tariff,
        per_token=None if capacity.usd_per_token is None else capacity.usd_per_token * ATTOS,
        showback=_showback(call),
    )


def _spilled(context: Context) -> bool:
    """Whether the call says that it ran beside the capacity: spillover is billed by the token.

    learn.microsoft.com/azure/ai-foundry/openai/how-to/spillover-traffic-management
    """
    stated = facts(msgspec.structs.replace(context, batch=""))
    return DEPLOYMENT in stated.said and stated.place.get(DEPLOYMENT) != PROVISIONED


def _by_the_token(
    book: PriceBook, cards: Sequence[RateCard], context: Context, capacity: Capacity, at: datetime
) -> Resolved:
    """The price of spillover: that of the model behind the capacity, contracts included."""
    if capacity.shadow is not None:
        provider, model = capacity.shadow
        context = msgspec.structs.replace(context, provider=provider, model=model)
    return resolve(book, [card._replace(capacity=()) for card in cards], context, at)


def _shadow_place(context: Context) -> str:
    """The deployment type without the word that says that it is provisioned."""
    return "" if PROVISIONED in context.deployment.lower().replace("-", "") else context.deployment


def _by_policy(book: PriceBook, call: Call, why: Unpriced, span: Window) -> Resolved:
    """What the rate cards want for a call that nothing prices; flagged without their word."""
    policies = {card.unpriced for card in call.cards}
    if Policy.FAIL in policies:
        said = (f"{why.reason}", *why.said)
        return Resolved(Miss(*span, Quote("unpriced", Reason.POLICY, assumed=said)))
    if Policy.LIST_OF_FAMILY in policies and why.reason == Reason.UNKNOWN_MODEL:
        estimate = _estimate(book, call)
        if estimate is not None:
            return estimate
    return Resolved(Miss(*span, Quote("unpriced", why.reason, assumed=why.said)))


def _estimate(book: PriceBook, call: Call) -> Resolved | None:
    """The list price of the nearest model of the same provider, as an estimate."""
    catalogue = book.catalogue(call.names.provider)
    if catalogue is None:
        return None
    for name in call.names.models:
        model = nearest(catalogue, name)
        if model is None:
            continue
        context = msgspec.structs.replace(call.context, model=model.id)
        found = resolve(book, (), context, call.at)
        if isinstance(found.tariff, Tariff):
            mark = f"model={call.context.model}:family price of {model.id}"
            tariff = msgspec.structs.replace(
                found.tariff, status="estimated", assumed=(*found.tariff.assumed, mark)
            )
            return found._replace(tariff=tariff)
    return None


# --- parts of the answer -------------------------------------------------------------------------


def _price_ref(
    book: PriceBook,
    call: Call,
    modifiers: tuple[str, ...],
    since: Sequence[datetime],
    refs: Sequence[str],
) -> str:
    """book@sha8;sku;from;card@rev."""
    if call.sku is not None:
        name = f"{call.sku.provider}/{call.sku.model.id}"
    else:
        name = f"{call.names.provider}/{call.context.model}"
    start = max(since) if since else instant("")
    text = "" if start == instant("") else f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    sku = "+".join((name, *modifiers))
    return f"{book.ref};{sku};{text};{','.join(dict.fromkeys(refs)) or NO_CARD}"


def _bounds(sku: Sku | None) -> Mapping[Unit, Bounds]:
    if sku is None or not sku.model.billed:
        return _NO_BOUNDS
    return {Unit(unit): bounds for unit, bounds in sku.model.billed.items()}


def _showback(call: Call) -> Fraction | None:
    found = ranked(call.cards, lambda card: card.showback, call.names, call.at)
    return found[0][1].multiplier if found else None


def _list_edges(book: PriceBook, call: Call) -> Iterator[datetime]:
    if call.sku is not None:
        yield from changes(book, call.sku, call.at)


def _card_edges(cards: Iterable[RateCard]) -> Iterator[datetime]:
    """Every instant at which a card, or an entry of one, begins or ends."""
    for card in cards:
        yield from card.span
        for entries in (card.rates, card.discounts, card.capacity, card.showback):
            for entry in entries:
                yield from entry.span
