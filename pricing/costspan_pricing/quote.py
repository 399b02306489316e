"""What is asked of the pricer and what it answers: records only, no arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

import msgspec

from costspan_pricing.usage import Unit


class Reason(StrEnum):
    """Why there is no price. Closed: free text goes to `Quote.assumed`."""

    NO_USAGE = "no_usage"
    NO_MODEL = "no_model"
    NO_PROVIDER = "no_provider"  # not stated and not evident from the model, or not in the book
    UNKNOWN_MODEL = "unknown_model"
    ALIAS_MISSING = "alias_missing"  # a deployment, profile or fine-tune only its owner can name
    NO_RATE_AT_TIME = "no_rate_at_time"
    NO_RATE_FOR_UNIT = "no_rate_for_unit"
    UNKNOWN_CONTEXT = "unknown_context"  # a tier, batch or speed that the book has no rate for
    POLICY = "policy"


_NOTHING: Mapping[str, str] = MappingProxyType({})


class Context(msgspec.Struct, frozen=True, kw_only=False):
    """Everything besides usage that decides a price. "" = the span does not say.

    `provider` and `model` as emitted; `at` is an aware datetime (the span's end): a naive one is
    read as UTC and marked.
    """

    provider: str
    model: str
    at: datetime
    tier: str = ""  # as the response states it: default, flex, priority, ...
    batch: bool | str = ""
    speed: str = ""
    geo: str = ""
    region: str = ""
    deployment: str = ""  # Azure's deployment type: global, data-zone, regional, provisioned
    search: str = ""  # the size of the search context: low, medium, high
    resource: Mapping[str, str] = _NOTHING  # for rate cards that apply to some resources only


class QuoteLine(msgspec.Struct, frozen=True, gc=False):
    """quantity x usd_per_unit = usd, in attos.

    Only where a rate per hour repeats as a decimal per second is `usd_per_unit` itself rounded;
    `usd` is then rounded once, from the exact product.
    """

    unit: Unit
    quantity: int
    usd_per_unit: int
    usd: int


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The answer. Money in attos, None = unknown (never 0). The lines add up to `total`.

    The three prices of FOCUS: `list_total` at public rates, `total` at the contracted ones,
    `effective_total` with commitments that were paid up front spread over their use.
    """

    status: Literal["priced", "unpriced", "provisioned", "estimated"]
    reason: Reason | Literal[""] = ""  # only when unpriced
    total: int | None = None  # what the call adds to the bill; provisioned: its marginal cost
    list_total: int | None = None  # before contract and discounts; None if no list has the model
    savings: int | None = None  # all cached tokens as plain input, minus total: < 0 on a write
    lines: tuple[QuoteLine, ...] = ()
    price_ref: str = ""  # book@sha8;sku;from;card@rev
    modifiers: tuple[str, ...] = ()  # what moved the rate: batch, tier:flex, long_context:>200000
    assumed: tuple[str, ...] = ()  # what nobody stated, in words
    model: str = ""  # the book's name of the model that was priced
    effective_total: int | None = None
    showback_total: int | None = None  # what is charged on internally; None: no rule for it
