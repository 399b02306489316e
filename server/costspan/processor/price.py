"""The price of a call, onto its record. No arithmetic here.

Aggregates are priced too but not billed: the ledger bills one whose calls nobody saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from costspan.model import AGGREGATE, CUMULATIVE, LEAF, Charge, Line, LlmCall, Value
from costspan_pricing import Context, InvalidUsage, Pricer, Quote, Reason, Usage

_PRICED_ROLES = frozenset({LEAF, AGGREGATE, CUMULATIVE})
_NAMELESS = frozenset({Reason.UNKNOWN_MODEL, Reason.ALIAS_MISSING})
_SECOND = 1_000_000_000
_CACHED = ("cache_read", "cache_read_audio")
_NO_COUNT = "cached_response:priced as counted"
_ALIAS = "alias:"  # the modifier of a name that a rate card translates
_BY_REQUEST = "model=request"  # the response names a model that the book does not know
# In place of a price_ref where no price of ours is behind the total: it keeps a second costspan on
# the way from billing the call again.
_REPORTED = "reported"
_GATEWAY = "gateway_cache"
_NOWHERE: Mapping[str, Value] = MappingProxyType({})


def price(call: LlmCall, pricer: Pricer, resource: Mapping[str, Value] = _NOWHERE) -> None:
    """Set `call.charge`; `call.invalid` too if the buckets contradict each other. Never raises.

    `resource`: attributes of the span's resource; only those that a rate card asks for are looked
    at.
    """
    if call.role not in _PRICED_ROLES:
        return
    usage = None
    try:
        usage = Usage(call.usage) if call.usage else None
    except InvalidUsage as error:
        call.invalid, call.usage = str(error), None
    if call.invalid:
        call.charge = Charge("invalid_usage")
        return
    quote = _quote(call, usage, pricer, resource)
    if call.gateway:
        call.charge = _avoided(quote, call.gateway)
    elif quote.status == "unpriced" and call.reported_cost:
        # Nothing of ours is known, so theirs is the total; its list price or parts are not.
        call.charge = Charge(
            "provider_reported",
            total=call.reported_cost,
            price_ref=_REPORTED,
            assumed=_assumed(quote, call),
        )
    else:
        call.charge = _charge(quote, call)


def _quote(
    call: LlmCall, usage: Usage | None, pricer: Pricer, resource: Mapping[str, Value]
) -> Quote:
    """The quote for the model that answered, else for the one that was asked.

    The other way round if a rate card knows what was asked by its own name: an Azure deployment
    answers with the name of the model behind it, and its type and its contract are lost with that.
    """
    answered, asked = call.response_model, call.request_model
    where = _wanted(resource, pricer.resource_keys) if pricer.resource_keys else None
    at = _instant(call)
    two = answered and asked and asked != answered
    if two and pricer.cards:
        own = pricer.quote(usage, _context(call, asked, at, where))
        if _named_by_card(own):
            return own
    quote = pricer.quote(usage, _context(call, answered or asked, at, where))
    if two and quote.reason in _NAMELESS:
        second = pricer.quote(usage, _context(call, asked, at, where))
        if second.status != "unpriced":
            return msgspec.structs.replace(second, assumed=(*second.assumed, _BY_REQUEST))
    return quote


def _named_by_card(quote: Quote) -> bool:
    """Whether a rate card gave a name its price, and not the book's row of that name."""
    if quote.status == "provisioned":
        return True
    by_contract_alone = quote.status == "priced" and quote.list_total is None
    return by_contract_alone or any(each.startswith(_ALIAS) for each in quote.modifiers)


def _wanted(resource: Mapping[str, Value], keys: frozenset[str]) -> dict[str, str] | None:
    """Those attributes that a rate card asks for: others must not tell contexts apart."""
    found = {}
    for key in keys:
        value = resource.get(key)
        if type(value) is str:  # nearly always
            found[key] = value
        elif value is not None:  # as YAML would write it
            found[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return found or None


def _instant(call: LlmCall) -> datetime:
    """The span's end, when its usage is known.

    Whole seconds, rounded down: prices change on whole seconds, and a double of nanoseconds could
    round a call of the last instant into the next price.
    """
    return datetime.fromtimestamp((call.end_ns or call.start_ns) // _SECOND, UTC)


def _context(
    call: LlmCall, model: str, at: datetime, resource: Mapping[str, str] | None
) -> Context:
    """The circumstances of a call."""
    if resource:
        return Context(call.provider, model, at, resource=resource, **call.context)
    if not call.context:
        return Context(call.provider, model, at)
    return Context(call.provider, model, at, **call.context)  # type: ignore[arg-type]  # its names


def _charge(quote: Quote, call: LlmCall) -> Charge:
    """A quote as it is stored: money as decimal text, "" for unknown."""
    total = quote.total
    text = _text(total)
    return Charge(
        quote.status,
        str(quote.reason),
        text,
        text if quote.list_total == total else _text(quote.list_total),
        _text(quote.savings),
        tuple([Line(n.unit, n.quantity, str(n.usd_per_unit), str(n.usd)) for n in quote.lines]),
        quote.price_ref,
        quote.model,
        quote.modifiers,
        _assumed(quote, call),
        "" if quote.effective_total == total else _text(quote.effective_total),
        _text(quote.showback_total),
    )


def _assumed(quote: Quote, call: LlmCall) -> tuple[str, ...]:
    if call.cache_status == "hit" and call.usage and not any(map(call.usage.get, _CACHED)):
        return (*quote.assumed, _NO_COUNT)
    return quote.assumed


def _avoided(quote: Quote, gateway: str) -> Charge:
    """Nobody called the provider: no cost, and what the call would have cost is saved.

    Saved against the same call without any cache, as savings are everywhere.
    """
    saved = None if quote.total is None else quote.total + (quote.savings or 0)
    return Charge(
        "priced",
        total="0",
        list_total="0",
        savings=_text(saved),
        price_ref=quote.price_ref or _GATEWAY,
        priced_model=quote.model,
        modifiers=(*quote.modifiers, f"{_GATEWAY}:{gateway}"),
        assumed=quote.assumed,
    )


def _text(money: int | None) -> str:
    return "" if money is None else str(money)
