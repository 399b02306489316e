"""The JSON Schema of the file, for editors. It says what the loader checks on one key."""

from __future__ import annotations

import re
from typing import Any

from msgspec import inspect

from costspan.config.section import Section
from costspan.config.shape import ALIASES, REQUIRED, Key, exporter_types, keys
from costspan.config.show import plain
from costspan.config.tree import Tree

_REFERENCE = {"type": "string", "pattern": r"\$\{.+\}"}


def json_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of the whole tree."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "costspan configuration",
        **_section(Tree),
    }


def _section(section: type[Section]) -> dict[str, Any]:
    known = keys(section)
    schema: dict[str, Any] = {
        "type": ["object", "null"],
        "description": _sentence(section),
        "properties": {name: _key(key) for name, key in known.items()},
        "additionalProperties": False,
    }
    required = [name for name, key in known.items() if key.default is REQUIRED]
    return {**schema, "type": "object", "required": required} if required else schema


def _key(key: Key) -> dict[str, Any]:
    if not key.built:
        return {"description": f"{key.text} Not built in this version.", "type": "null"}
    schema = _section(key.section) if key.section else _kind(key.kind, key)
    schema["description"] = key.text
    shown = plain(key)
    return schema if shown is None else {**schema, "default": shown}


def _kind(kind: inspect.Type, key: Key) -> dict[str, Any]:  # noqa: PLR0911  one for each kind
    if key.form:
        return {"anyOf": [_form(key), _REFERENCE, {"type": "null"}]}
    match kind:
        case inspect.DictType(value_type=inspect.UnionType()):
            return _components()
        case inspect.DictType(value_type=value):
            return {"type": ["object", "null"], "additionalProperties": _kind(value, key)}
        case inspect.VarTupleType(item_type=item):
            return {"type": ["array", "null"], "items": _kind(item, key)}
        case inspect.LiteralType(values=values):
            return {"anyOf": [{"enum": list(values)}, _REFERENCE, {"type": "null"}]}
        case inspect.StrType():
            return {"type": ["string", "number", "boolean", "null"]}
        case _:
            return {"anyOf": [_number(kind), _REFERENCE, {"type": "null"}]}


def _form(key: Key) -> dict[str, Any]:
    if not key.form:
        raise TypeError(key.name)
    types = ["string", "integer"] if re.match(key.form.pattern, "0") else ["string"]
    return {"type": types, "pattern": key.form.pattern}


def _number(kind: inspect.Type) -> dict[str, Any]:
    names = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum"}
    if isinstance(kind, inspect.BoolType):
        return {"type": "boolean"}
    bounds = {
        keyword: getattr(kind, name)
        for name, keyword in names.items()
        if getattr(kind, name, None) is not None
    }
    return {"type": "integer" if isinstance(kind, inspect.IntType) else "number", **bounds}


def _components() -> dict[str, Any]:
    patterns = {}
    for kind, section in exporter_types().items():
        names = [kind, *(old for old, new in ALIASES.items() if new == kind)]
        patterns[f"^({'|'.join(names)})(/.+)?$"] = _section(section)
    return {
        "type": ["object", "null"],
        "patternProperties": patterns,
        "additionalProperties": False,
    }


def _sentence(section: type[Section]) -> str:
    return (section.__doc__ or "").partition("\n")[0]
