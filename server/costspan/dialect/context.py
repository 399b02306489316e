"""The circumstances that change a price: tier, batch, speed, geo, region. Only what is stated.

The tier that the response states is the one that is billed: a request for `flex` may be served,
and charged, as the standard tier.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from costspan.dialect import table
from costspan.dialect.identity import host

_ASKING = frozenset({"", "auto", "standard_only"})  # wishes, not tiers: both end in one
_BATCH = "batch"


class _Parameters(msgspec.Struct, frozen=True):
    """The part of OpenInference's `llm.invocation_parameters` that has a price."""

    service_tier: str = ""
    speed: str = ""


_NO_PARAMETERS = _Parameters()
_decode_parameters = msgspec.json.Decoder(_Parameters).decode


def context(said: Mapping[str, str]) -> dict[str, str]:
    """Those of tier, batch, speed, geo and region that the span states."""
    get = said.get
    asked = _parameters(said[table.PARAMETERS]) if table.PARAMETERS in said else _NO_PARAMETERS
    return _context(
        get(table.SERVED_TIER, ""),
        get(table.ASKED_TIER, ""),
        asked.service_tier,
        asked.speed,
        get(table.GEO, ""),
        get(table.REGION, ""),
        get(table.SERVER, ""),
    ).copy()


@lru_cache(maxsize=1024)
def _context(
    served: str, asked: str, argued: str, speed: str, geo: str, region: str, server: str
) -> dict[str, str]:
    """The same from its few repeating parts. Callers get a copy."""
    tier = _tier(served, asked, argued)
    at = host(server)
    stated = {
        "tier": tier if tier != _BATCH else "",
        "batch": "true" if tier == _BATCH else "",  # Anthropic's service_tier of a batch result
        "speed": speed.lower(),
        "geo": geo.lower() or at.geo,
        "region": region or at.region,
    }
    return {name: value for name, value in stated.items() if value}


def _tier(*stated: str) -> str:
    """The first that is a tier, in the order in which they are to be believed."""
    return next((tier.lower() for tier in stated if tier.lower() not in _ASKING), "")


def _parameters(arguments: str) -> _Parameters:
    """A look at the request's arguments, only if they may hold something that has a price."""
    if '"service_tier"' not in arguments and '"speed"' not in arguments:
        return _NO_PARAMETERS
    try:
        return _decode_parameters(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _NO_PARAMETERS
