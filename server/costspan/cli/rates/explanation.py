"""How a number was made: as text that a person can check by hand, and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from costspan.cli.rates import sentences
from costspan.cli.rates.document import document as quote_document
from costspan.cli.rates.document import effective, usd
from costspan_pricing import Context, Quote, QuoteLine, Reason
from costspan_pricing.explanation import Explanation
from costspan_pricing.listing import Derivation, decimal

SCHEMA = "costspan.rates.explain/v1"
_LABEL = 17  # width of the first column


def document(found: Explanation, asked: Context, per: Mapping[str, int]) -> dict[str, Any]:
    """What `--json` prints. Rates are in dollars per `per` units."""
    return {
        "schema": SCHEMA,
        "provider": asked.provider,
        "model": asked.model,
        "at": _instant(asked.at),
        "sku": found.sku or None,
        "from": found.since or None,
        "to": found.until or None,
        "prompt_tokens": found.prompt,
        "long_context_over": list(found.bands),
        "rates": [_rate(rate, per) for rate in found.rates],
        "quote": quote_document(found.quote),
    }


def text(found: Explanation, asked: Context, per: Mapping[str, int]) -> str:
    """The same for a person, who can check each line with a pocket calculator."""
    quote = found.quote
    lines = [f"{asked.provider or '(no provider)'} {asked.model} at {_instant(asked.at)}"]
    if found.sku:
        lines += ["", _row("found", _found(found, asked)), _row("price", _dates(found))]
        if found.rates:
            lines.append(_row("prompt", _prompt(found)))
        if quote.modifiers:
            lines.append(_row("moved by", ", ".join(quote.modifiers)))
    counted = {line.unit for line in quote.lines} or {rate.unit for rate in found.rates}
    used = [rate for rate in found.rates if rate.unit in counted]
    if used:
        lines += ["", "rates, in US dollars", *(_formula(rate, per) for rate in used)]
    if quote.lines:
        lines += ["", "lines", *map(_line, quote.lines)]
    lines += ["", *_totals(quote)]
    label = "because" if quote.status == "unpriced" else "assumed"
    lines += [_row(label, sentences.mark(each)) for each in quote.assumed]
    if quote.price_ref:
        lines.append(_row("reference", quote.price_ref))
    return "\n".join(lines)


def _rate(rate: Derivation, per: Mapping[str, int]) -> dict[str, Any]:
    each = per.get(rate.unit, 1)
    return {
        "unit": rate.unit,
        "per": each,
        "origin": rate.origin,
        "base_usd": decimal(rate.base * each),
        "factors": [{"of": label, "factor": decimal(factor)} for label, factor in rate.steps],
        "usd": decimal(rate.rate * each),
    }


def _formula(rate: Derivation, per: Mapping[str, int]) -> str:
    """`list 5 x 0.5 (batch) x 1.1 (geo:us) = 2.75 per 1000000`."""
    each = per.get(rate.unit, 1)
    said = f"{rate.origin} {decimal(rate.base * each)}"
    for label, factor in rate.steps:
        said += f" x {decimal(factor)} ({label})"
    if rate.steps:
        said += f" = {decimal(rate.rate * each)}"
    return _row(f"  {rate.unit}", f"{said} per {each}")


def _line(line: QuoteLine) -> str:
    each, total = usd(line.usd_per_unit), usd(line.usd)
    exact = line.quantity * line.usd_per_unit == line.usd
    rounded = "" if exact else " (rounded once, from the exact rate)"
    return _row(f"  {line.unit}", f"{line.quantity} x {each} = {total}{rounded}")


def _found(found: Explanation, asked: Context) -> str:
    own = found.quote.model.lower() == asked.model.strip().lower()
    return found.sku if own else f"{found.sku}, which {asked.model} is a name of"


def _dates(found: Explanation) -> str:
    since = f"from {found.since}" if found.since else "as far back as the book knows"
    return f"in force {since}, " + (f"at least to {found.until}" if found.until else "no end known")


def _prompt(found: Explanation) -> str:
    """The decision about long context: the whole prompt counts, cached or not."""
    said = f"{found.prompt} tokens"
    if not found.bands:
        return f"{said}; one price for every length"
    passed = [band for band in found.bands if found.prompt > band]
    if passed:
        return f"{said}, over {max(passed)}: the whole call at the rates for long prompts"
    return f"{said}, not over {min(found.bands)}: the rates for short prompts"


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _totals(quote: Quote) -> Iterator[str]:
    if quote.total is None:
        yield _row("unpriced", quote.reason or quote.status)
        if quote.reason:
            yield _row("", sentences.reason(Reason(quote.reason)))
        return
    yield _row("contracted", f"{usd(quote.total)} US dollars: what the call adds to the bill")
    yield _row("list", usd(quote.list_total) or "unknown")
    yield _row("effective", usd(effective(quote)) or "unknown: the card does not amortise it")
    if quote.showback_total is not None:
        yield _row("showback", f"{usd(quote.showback_total)}")
    yield _row("savings", f"{usd(quote.savings)}: without a cache, minus the cost")


def _row(label: str, value: str) -> str:
    return f"{label:<{_LABEL}} {value}"
