"""The JSON Schema of a rate card, for editors. It says what the reader checks on one key."""

from __future__ import annotations

from typing import Any

from costspan_pricing.ratecard.forms import Form
from costspan_pricing.ratecard.kinds import Kind, ListOf, MapOf, OneOrMore, Section
from costspan_pricing.ratecard.reading import MAX_VALUES
from costspan_pricing.ratecard.tables import CARD


def json_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "costspan rate card",
        "description": "Negotiated prices, discounts, names and capacity of one contract.",
        **_section(CARD),
    }


def _section(section: Section) -> dict[str, Any]:
    required = [name for name, key in section.keys.items() if key.required]
    return {
        "type": "object",
        "properties": {
            name: _block(_kind(key.kind), key.kind, required=key.required)
            | {"description": key.text}
            for name, key in section.keys.items()
        },
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _block(schema: dict[str, Any], kind: Kind, *, required: bool) -> dict[str, Any]:
    """A mapping or a list that need not be there may be left empty."""
    blocks = isinstance(kind, Section | ListOf | MapOf)
    return {**schema, "type": [schema["type"], "null"]} if blocks and not required else schema


def _kind(kind: Kind) -> dict[str, Any]:
    match kind:
        case Form():
            return dict(kind.schema)
        case OneOrMore():
            one = dict(kind.form.schema)
            return {
                "anyOf": [
                    one,
                    {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_VALUES},
                ]
            }
        case ListOf():
            return {"type": "array", "items": _section(kind.section)}
        case MapOf():
            return {
                "type": "object",
                "propertyNames": dict(kind.name.schema),
                "additionalProperties": _kind(kind.value),
            }
        case Section():
            return _section(kind)
