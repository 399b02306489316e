"""The attributes that we write onto spans: their names in one table, and their bytes. No prices.

An attribute that is on the span already stays as it is, whoever wrote it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from costspan.model import LEAF, Charge, LlmCall, Value
from costspan.wire import encode_attribute
from costspan_pricing import format_usd

_ATTOS = 10**18


class Attribute(NamedTuple):
    """One attribute that we write."""

    name: str
    type: str  # double | string
    text: str


TOTAL = "window.financial.total_cost"
TOTAL_EXACT = "window.financial.total_cost_exact"
INPUT = "window.financial.input_cost"
OUTPUT = "window.financial.output_cost"
CACHE_READ = "window.financial.cache_read_cost"
CACHE_WRITE = "window.financial.cache_write_cost"
OTHER = "window.financial.other_cost"
LIST = "window.financial.list_cost"
EFFECTIVE = "window.financial.effective_cost"
REPORTED = "window.financial.reported_cost"
CURRENCY = "window.financial.currency"
STATUS = "window.financial.status"
REASON = "window.financial.unpriced_reason"
PRICE_REF = "window.financial.price_ref"
CACHE_STATUS = "finops.cache.status"
CACHE_SAVINGS = "finops.cache.savings"
DE_FACTO = "gen_ai.usage.cost"

ATTRIBUTES = (
    Attribute(TOTAL, "double", "Cost of the call in USD: the double nearest to the exact amount."),
    Attribute(TOTAL_EXACT, "string", "Cost of the call in USD, exact: a plain decimal."),
    Attribute(INPUT, "double", "The part for prompt tokens that were not cached, if not zero."),
    Attribute(OUTPUT, "double", "The part for generated tokens, reasoning included, if not zero."),
    Attribute(CACHE_READ, "double", "The part for tokens read from a cache, if not zero."),
    Attribute(CACHE_WRITE, "double", "The part for tokens written to a cache, if not zero."),
    Attribute(OTHER, "double", "The part for everything that is no token, if not zero."),
    Attribute(
        LIST,
        "double",
        "The same call at public list prices, if that is another sum than the total.",
    ),
    Attribute(
        EFFECTIVE,
        "double",
        "The total with what was paid up front spread over its use, if that is another sum.",
    ),
    Attribute(REPORTED, "double", "The cost that the library reported, beside ours."),
    Attribute(CURRENCY, "string", "Always USD."),
    Attribute(
        STATUS,
        "string",
        "priced, unpriced, invalid_usage, provider_reported, provisioned, estimated; duplicate and"
        " covered: no cost here, another span of the same call is billed.",
    ),
    Attribute(REASON, "string", "Why there is no price; only if the status is unpriced."),
    Attribute(PRICE_REF, "string", "The price: book, model, effective-from, rate card, revision."),
    Attribute(CACHE_STATUS, "string", "hit, write or miss; absent if the span names no cache."),
    Attribute(CACHE_SAVINGS, "double", "USD saved by the cache; negative if writing cost more."),
    Attribute(
        DE_FACTO,
        "double",
        "The total again, under the name that other back ends read; not beside"
        " `gen_ai.usage.cost.*`, which needs the name for itself.",
    ),
)

OWN_KEYS = frozenset(attribute.name for attribute in ATTRIBUTES)

# Where attributes are nested, a name can't hold a value and be a namespace. The draft of the
# conventions makes it one (semantic-conventions-genai PR 443).
_NAMESPACE = f"{DE_FACTO}."

_PARTS = {
    "input": INPUT,
    "audio_input": INPUT,
    "image_input": INPUT,
    "output": OUTPUT,
    "reasoning": OUTPUT,
    "audio_output": OUTPUT,
    "image_output": OUTPUT,
    "cache_read": CACHE_READ,
    "cache_read_audio": CACHE_READ,
    "cache_write_5m": CACHE_WRITE,
    "cache_write_1h": CACHE_WRITE,
    "cache_write_12h": CACHE_WRITE,
}

# No cost on these: the same request holds the span that is billed for this call.
_NOT_HERE = frozenset({"duplicate", "covered"})
_WITHOUT_COST = _NOT_HERE | {"unpriced", "invalid_usage"}

_pack = struct.Struct("<d").pack
# Everything of a double attribute before its last eight bytes, which are the double.
_HEADS = {a.name: encode_attribute(a.name, 1.0)[:-8] for a in ATTRIBUTES if a.type == "double"}


def attributes(call: LlmCall, own: Mapping[str, Value], off: frozenset[str]) -> bytes:
    """The encoded attributes to append to the span, b"" if there are none.

    `own`: those of our names that are on the span already; `off`: names that are switched off.
    """
    if call.role != LEAF:
        return b""
    skip = off | _taken(own) if own else off
    charge = call.charge
    if call.billed_reason in _NOT_HERE:
        return _facts(call.billed_reason, "", call.cache_status, "", skip)
    facts = _facts(charge.status, charge.reason, call.cache_status, charge.price_ref, skip)
    return facts + _costs(call, int(charge.total), skip) if charge.total else facts


def double_elsewhere(own: Mapping[str, Value]) -> str:
    """What another costspan on the way found this span to be: duplicate, covered, or ""."""
    status = own.get(STATUS)
    return status if isinstance(status, str) and status in _NOT_HERE else ""


def _taken(own: Mapping[str, Value]) -> frozenset[str]:
    """Those of our names that are on the span, or that can't be there beside what is."""
    if any(name.startswith(_NAMESPACE) for name in own):
        return frozenset(own) | {DE_FACTO}
    return frozenset(own)


@lru_cache(maxsize=4096)
def _facts(status: str, reason: str, cache: str, price_ref: str, skip: frozenset[str]) -> bytes:
    """The texts that are the same on many spans, "" = none."""
    texts = {STATUS: status, CACHE_STATUS: cache}
    if status == "unpriced":
        texts[REASON] = reason
    elif status not in _WITHOUT_COST:
        texts |= {CURRENCY: "USD", PRICE_REF: price_ref}
    return b"".join(
        encode_attribute(name, text) for name, text in texts.items() if text and name not in skip
    )


def _costs(call: LlmCall, total: int, skip: frozenset[str]) -> bytes:
    """The sums of a call whose total is known. `total` in attos."""
    charge = call.charge
    sums: dict[str, int] = {}
    for line in charge.lines:
        name = _PARTS.get(line.unit, OTHER)
        sums[name] = sums.get(name, 0) + int(line.usd)
    if call.cache_status and charge.savings:
        sums[CACHE_SAVINGS] = int(charge.savings)
    if call.reported_cost and charge.status != "provider_reported":
        sums[REPORTED] = int(call.reported_cost)
    double = _pack(total / _ATTOS)  # ints divide to the nearest double
    encoded = [_HEADS[name] + double for name in (TOTAL, DE_FACTO) if name not in skip]
    if TOTAL_EXACT not in skip:
        encoded.append(encode_attribute(TOTAL_EXACT, format_usd(total)))
    for name, usd in sums.items():
        if usd and name not in skip:
            encoded.append(_HEADS[name] + _pack(usd / _ATTOS))
    if charge.list_total not in ("", charge.total) or charge.effective_total:
        encoded += _others(charge, skip)
    return b"".join(encoded)


def _others(charge: Charge, skip: frozenset[str]) -> Iterator[bytes]:
    """What the call would cost by another reckoning, zero or not; only where it differs."""
    for name, attos in ((LIST, charge.list_total), (EFFECTIVE, charge.effective_total)):
        if attos not in ("", charge.total) and name not in skip:
            yield _HEADS[name] + _pack(int(attos) / _ATTOS)
