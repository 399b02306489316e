"""`finops.cache.status` of a call: what the span says of a cache, never what we think of it."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.dialect import table
from costspan.dialect.values import truth

HIT = "hit"  # cached tokens were read, or the response came from a cache
WRITE = "write"  # tokens were written, none read
MISS = "miss"  # the span states a count of 0
SILENT = ""  # it says nothing of a cache

_READS = (table.CACHE_READ, table.CACHE_READ_AUDIO, table.CACHE_READ_IMAGE)
_WRITES = (table.CACHE_WRITE, table.CACHE_WRITE_5M, table.CACHE_WRITE_1H)
_STATED = {"read": HIT, "write": WRITE}  # OpenLLMetry on Bedrock, beside or instead of counts


def status(said: Mapping[str, str], counts: Mapping[str, int]) -> str:
    """One of HIT, WRITE, MISS and SILENT."""
    if truth(said.get(table.CACHED, "")):
        return HIT
    if any(map(counts.get, _READS)):
        return HIT
    if any(map(counts.get, _WRITES)):
        return WRITE
    if not counts.keys().isdisjoint(_READS + _WRITES):
        return MISS
    return _STATED.get(said.get(table.PROMPT_CACHING, ""), SILENT)
