"""The document of `costspan rates quote --json` (schema costspan.quote/v1). Pure: quotes to dicts.

Its JSON Schema is docs/reference/quote.schema.json. Later versions only add fields.
"""

from __future__ import annotations

from typing import Any

from costspan_pricing import Quote, QuoteLine, format_usd

SCHEMA = "costspan.quote/v1"


def document(quote: Quote) -> dict[str, Any]:
    """A quote: money as plain decimal text, null = unknown."""
    return {
        "schema": SCHEMA,
        "status": quote.status,
        "reason": quote.reason or None,
        "cost_usd": usd(quote.total),
        "list_cost_usd": usd(quote.list_total),
        "contracted_cost_usd": usd(quote.total),
        "effective_cost_usd": usd(effective(quote)),
        "showback_cost_usd": usd(quote.showback_total),
        "savings_usd": usd(quote.savings),
        "currency": "USD",
        "lines": [_line(line) for line in quote.lines],
        "price_ref": quote.price_ref or None,
        "effective_from": effective_from(quote.price_ref),
        "model": quote.model or None,
        "modifiers": list(quote.modifiers),
        "assumed": list(quote.assumed),
    }


def refusal(status: str, reason: str | None, error: str) -> dict[str, Any]:
    """The same for a line that never became a quote, with a sentence in `error`."""
    return {**document(Quote("unpriced")), "status": status, "reason": reason, "error": error}


def effective(quote: Quote) -> int | None:
    """With commitments spread over their use; None if nobody has said how to spread them."""
    if quote.effective_total is not None or quote.status == "provisioned":
        return quote.effective_total
    return quote.total


def effective_from(price_ref: str) -> str | None:
    """Since when the price holds; None: the book knows no earlier one."""
    parts = price_ref.split(";")
    return parts[2] or None if len(parts) > 2 else None  # noqa: PLR2004  book;sku;from;card


def usd(attos: int | None) -> str | None:
    """Money as plain decimal text."""
    return None if attos is None else format_usd(attos)


def _line(line: QuoteLine) -> dict[str, Any]:
    return {
        "unit": line.unit,
        "quantity": line.quantity,
        "usd_per_unit": format_usd(line.usd_per_unit),
        "usd": format_usd(line.usd),
    }
