"""The circumstances that change a price: tier, batch, speed, geo, region, search. Stated ones only.

The tier that the response states is the one that is billed: a request for `flex` may be served,
and charged, as the standard tier. The region is that of the model. Where the application runs is
no evidence of it: `cloud.region` of its resource is not read, and a span's only where the span's
own client of AWS sets it. Azure's deployment type is in no library's attributes: rate cards state
it with their aliases.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from costspan.dialect import table
from costspan.dialect.identity import host

_ASKING = frozenset({"", "auto", "standard_only"})  # wishes, not tiers: both end in one
_BATCH = "batch"
_AWS, _VERTEX = "aws.bedrock", "gcp.vertex_ai"


class _Search(msgspec.Struct, frozen=True):
    """`web_search_options` of Perplexity and of OpenAI's chat completions."""

    search_context_size: str | None = None


class _Parameters(msgspec.Struct, frozen=True):
    """The part of OpenInference's `llm.invocation_parameters` that has a price."""

    service_tier: str | None = None
    speed: str | None = None
    web_search_options: _Search | None = None

    @property
    def search(self) -> str:
        options = self.web_search_options
        return (options.search_context_size or "") if options else ""


_NO_PARAMETERS = _Parameters()
# Where a span states the region of the model, by provider. The others' price knows none, or the
# host's name gives it away.
_REGION_OF = {_AWS: table.REGION, _VERTEX: table.LOCATION}
_PRICED_PARAMETERS = ('"service_tier"', '"speed"', '"search_context_size"')
_decode_parameters = msgspec.json.Decoder(_Parameters).decode


def context(said: Mapping[str, str], provider: str) -> dict[str, str]:
    """Those of tier, batch, speed, geo, region and search that the span states.

    `provider` is the canonical one that served the call.
    """
    get = said.get
    asked = _parameters(said[table.PARAMETERS]) if table.PARAMETERS in said else _NO_PARAMETERS
    region = get(_REGION_OF[provider], "") if provider in _REGION_OF else ""
    return _context(
        get(table.SERVED_TIER, ""),
        get(table.ASKED_TIER, ""),
        get(table.SPEED, ""),
        asked,
        get(table.GEO, ""),
        region,
        get(table.SERVER, ""),
    ).copy()


@lru_cache(maxsize=1024)
def _context(
    served: str,
    asked: str,
    speed: str,
    arguments: _Parameters,
    geo: str,
    region: str,
    server: str,
) -> dict[str, str]:
    """The same from its few repeating parts. Callers get a copy."""
    tier = _tier(served, asked, arguments.service_tier or "")
    at = host(server)
    stated = {
        "tier": tier if tier != _BATCH else "",
        "batch": "true" if tier == _BATCH else "",  # Anthropic's service_tier of a batch result
        "speed": (speed or arguments.speed or "").lower(),
        "geo": geo.lower() or at.geo,
        "region": at.region or region,  # the host is where the call went
        "search": arguments.search.lower(),
    }
    return {name: value for name, value in stated.items() if value}


def _tier(*stated: str) -> str:
    """The first that is a tier, in the order in which they are to be believed."""
    return next((tier.lower() for tier in stated if tier.lower() not in _ASKING), "")


def _parameters(arguments: str) -> _Parameters:
    """A look at the request's arguments, only if they may hold something that has a price."""
    if not any(name in arguments for name in _PRICED_PARAMETERS):
        return _NO_PARAMETERS
    try:
        return _decode_parameters(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _NO_PARAMETERS
