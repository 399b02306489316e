"""Ask the price book what a call costs, and write the answer into its record. No arithmetic here.

Aggregates are priced too but not billed: the ledger bills one whose calls nobody saw.
"""

from __future__ import annotations

from datetime import UTC, datetime

from costspan.model import AGGREGATE, CUMULATIVE, LEAF, Charge, Line, LlmCall
from costspan_pricing import Context, InvalidUsage, Pricer, Quote, Reason, Usage

_PRICED_ROLES = frozenset({LEAF, AGGREGATE, CUMULATIVE})
_NAMELESS = frozenset({Reason.UNKNOWN_MODEL, Reason.ALIAS_MISSING})
_SECOND = 1_000_000_000
_CACHED = ("cache_read", "cache_read_audio")
_NO_COUNT = "cached_response:priced as counted"
_REPORTED = "reported"
_BY_REQUEST = "model=request"  # the response names a model that the book does not know


def price(call: LlmCall, pricer: Pricer) -> None:
    """Set `call.charge`; `call.invalid` too if the buckets contradict each other. Never raises."""
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
    charge = _charge(_quote(call, usage, pricer), call)
    if charge.status == "unpriced" and call.reported_cost:
        # Nothing of ours is known, so theirs is the total; its list price or parts are not.
        # The reference keeps a second costspan on the way from billing it again.
        charge = Charge(
            "provider_reported",
            total=call.reported_cost,
            price_ref=_REPORTED,
            assumed=charge.assumed,
        )
    call.charge = charge


def _quote(call: LlmCall, usage: Usage | None, pricer: Pricer) -> Quote:
    """The quote for the model that answered, else for the one that was asked."""
    answered, asked = call.response_model, call.request_model
    quote = pricer.quote(usage, _context(call, answered or asked))
    if quote.reason in _NAMELESS and answered and asked and asked != answered:
        second = pricer.quote(usage, _context(call, asked))
        if second.status == "priced":
            return _marked(second, _BY_REQUEST)
    return quote


def _marked(quote: Quote, mark: str) -> Quote:
    return Quote(
        quote.status,
        quote.reason,
        quote.total,
        quote.list_total,
        quote.savings,
        quote.lines,
        quote.price_ref,
        quote.modifiers,
        (*quote.assumed, mark),
        quote.model,
    )


def _context(call: LlmCall, model: str) -> Context:
    """The circumstances at the span's end, when its usage is known.

    Whole seconds, rounded down: prices change on whole seconds, and a double of nanoseconds could
    round a call of the last instant into the next price.
    """
    at = datetime.fromtimestamp((call.end_ns or call.start_ns) // _SECOND, UTC)
    if not call.context:
        return Context(call.provider, model, at)
    return Context(call.provider, model, at, **call.context)  # type: ignore[arg-type]  # its names


def _charge(quote: Quote, call: LlmCall) -> Charge:
    """A quote as it is stored: money as decimal text, "" for unknown."""
    assumed = quote.assumed
    if call.cache_status == "hit" and call.usage and not any(map(call.usage.get, _CACHED)):
        assumed = (*assumed, _NO_COUNT)
    return Charge(
        quote.status,
        str(quote.reason),
        _text(quote.total),
        _text(quote.list_total),
        _text(quote.savings),
        tuple([Line(n.unit, n.quantity, str(n.usd_per_unit), str(n.usd)) for n in quote.lines]),
        quote.price_ref,
        quote.model,
        quote.modifiers,
        assumed,
    )


def _text(money: int | None) -> str:
    return "" if money is None else str(money)
