"""What a span says of a cache, never what we think of it: its status, and who answered instead.

Two caches are told apart. A provider's holds prompts: cached tokens are counted and billed at a
discount. A gateway's holds whole responses: no provider is called, and none sends a bill.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from costspan.dialect import table
from costspan.dialect.values import truth
from costspan.model import Value

HIT = "hit"  # cached tokens were read, or the response came from a cache
WRITE = "write"  # tokens were written, none read
MISS = "miss"  # the span states a count of 0
SILENT = ""  # it says nothing of a cache

_READS = (table.CACHE_READ, table.CACHE_READ_AUDIO, table.CACHE_READ_IMAGE)
_WRITES = (table.CACHE_WRITE, table.CACHE_WRITE_5M, table.CACHE_WRITE_1H)
_STATED = {"read": HIT, "write": WRITE}  # OpenLLMetry on Bedrock, beside or instead of counts

REPORTED_ZERO = "reported_zero"  # the gateway has no name of its own on the span
_HIDDEN = "hidden_params"


class Evidence(NamedTuple):
    """What proves that a gateway answered from a cache of its own."""

    gateway: str
    keys: tuple[str, ...]
    text: str


def _header(gateway: str, header: str, values: str) -> Evidence:
    """A response header, captured by the conventions for HTTP or as Python's packages spell it."""
    prefix = "http.response.header."
    keys = (prefix + header, prefix + header.replace("-", "_"))
    return Evidence(gateway, keys, f"The captured response header `{header}` is {values}.")


# A flag that the application sets is no proof: `gen_ai.response.cached` may mean either cache.
EVIDENCE = (
    Evidence(  # litellm 1.109.1: integrations/opentelemetry.py, integrations/otel/mappers/genai.py
        "litellm", ("litellm.cache_hit", _HIDDEN), "`true`, or `cache_hit: true` in the JSON."
    ),
    # docs.helicone.ai/features/advanced-usage/caching; Helicone/ai-gateway
    _header("helicone", "helicone-cache", "`HIT`"),
    # portkey.ai/docs/api-reference/response-schema
    _header("portkey", "x-portkey-cache-status", "`HIT` or `SEMANTIC HIT`"),
    # developers.cloudflare.com/ai-gateway/configuration/caching
    _header("cloudflare", "cf-aig-cache-status", "`HIT`"),
    # As clients of router.requesty.ai log it: `HIT` or `MISS`
    _header("requesty", "x-requesty-cache", "`HIT`"),
    # developer.konghq.com: the proxy-cache plugin
    _header("kong", "x-cache-status", "`Hit`"),
)
GATEWAYS: Mapping[str, tuple[str, ...]] = {each.gateway: each.keys for each in EVIDENCE}

_WHOLE_HIT = re.compile(r"(?:semantic )?hit", re.IGNORECASE)


class _Hidden(msgspec.Struct, frozen=True):
    """The part of LiteLLM's `hidden_params` that tells of its cache."""

    cache_hit: bool | None = None


_decode_hidden = msgspec.json.Decoder(_Hidden).decode


def status(said: Mapping[str, str], counts: Mapping[str, int]) -> str:
    """One of HIT, WRITE, MISS and SILENT."""
    if truth(said.get(table.CACHED, "")):
        return HIT
    if reads(counts):
        return HIT
    if any(map(counts.get, _WRITES)):
        return WRITE
    if not counts.keys().isdisjoint(_READS + _WRITES):
        return MISS
    return _STATED.get(said.get(table.PROMPT_CACHING, ""), SILENT)


def reads(counts: Mapping[str, int]) -> bool:
    """Whether tokens were read from a provider's cache."""
    return any(map(counts.get, _READS))


def gateway(found: Iterable[tuple[str, tuple[str, ...]]], values: Mapping[str, Value]) -> str:
    """The first gateway that says that it answered from its own cache, "" if none does.

    `found`: gateways, each with those of its keys that are on the span.
    """
    for name, keys in found:
        if any(_says_hit(key, values[key]) for key in keys):
            return name
    return ""


def _says_hit(key: str, value: Value) -> bool:
    match value:
        case bool():
            return value
        case list():  # a captured header is a list of its values
            return any(_says_hit(key, each) for each in value)
        case str() if key == _HIDDEN:
            return _hidden_hit(value)
        case str():
            return truth(value) or _WHOLE_HIT.fullmatch(value.strip()) is not None
        case _:
            return False


def _hidden_hit(parameters: str) -> bool:
    if '"cache_hit"' not in parameters:
        return False
    try:
        return _decode_hidden(parameters).cache_hit is True
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
