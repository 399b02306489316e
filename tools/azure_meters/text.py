"""Rows as YAML: short, in a fixed order, one context a pair of lines. Knows no prices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]
SOURCES = (
    "https://prices.azure.com/api/retail/prices",
    "https://pypi.org/project/azure-genai-prices/0.2.0/",
)
BECAUSE = (
    "Azure bills a meter for each model, deployment type and region; these are its list prices."
)


HEAD = """\
# Written by tools/import_azure_meters.py: change that, not this. The data are those of
# azure-genai-prices 0.2.0 (MIT, Copyright (c) 2026 Nik Klavžar): the meters of Azure's retail price
# API on the day `checked`.
provider: azure

models:
"""


def render(rows: Iterable[Json], day: str) -> str:
    """A file of corrections. Its first row states what all share, by anchors."""
    items = (line for index, row in enumerate(rows) for line in _row(row, day, first=not index))
    return HEAD + "".join(items)


def _row(row: Json, day: str, *, first: bool) -> Iterator[str]:
    yield f"  - id: {row['id']}\n"
    if first:
        yield f"    because: &meters {BECAUSE}\n"
        yield f"    source: &retail {_flow(list(SOURCES))}\n"
    else:
        yield "    because: *meters\n    source: *retail\n"
    yield f"    checked: {day}\n"
    if "match" in row:
        yield f"    match: {_flow(row['match'])}\n"
    yield "    prices:\n"
    for price in row["prices"]:
        yield f"      - rates: {_flow(price['rates'])}\n"
        yield from _bands(price)
    if "variants" in row:
        yield "    variants:\n"
    for variant in row.get("variants", ()):
        yield f"      - when: {_flow(variant['when'], quote=False)}\n"
        yield f"        rates: {_flow(variant['rates'])}\n"
        yield from _bands(variant)


def _bands(price: Json) -> Iterator[str]:
    for band in price.get("bands", ()):
        yield f"        bands: [{{over: {band['over']}, rates: {_flow(band['rates'])}}}]\n"


def _flow(value: object, *, quote: bool = True) -> str:
    """YAML's short form. Keys, and words of a `when`, need no quotes; names and decimals do."""
    if isinstance(value, Mapping):
        inside = (f"{key}: {_flow(each, quote=quote)}" for key, each in value.items())
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(each, quote=quote) for each in value) + "]"
    return json.dumps(value) if quote else str(value)
