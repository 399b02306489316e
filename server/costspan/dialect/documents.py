"""Counts and names that stand inside an attribute's JSON. No attribute is named here.

Some libraries write a dict as Python shows it (LiteLLM 1, LangSmith), which is read as well.

A table names such a place like any key: the attribute, `#`, and the way into the document with a
`/` before each step (a JSON pointer as in RFC 6901, whose escapes no table has needed). What is
found there is read under that name, so that precedence, counts and texts know nothing of JSON.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from costspan.model import Value

_MARK = "#"
_LONGEST = 256 * 1024  # characters; beyond it decoding would hold up the line: nothing is read
_LONGEST_LITERAL = 8 * 1024
_DICT = "{'"
_OPENINGS = ("{", "[")
_ENDS = ("}", "]", "\n", " ")
_CONSTANTS = (("None", "null"), ("True", "true"), ("False", "false"))

_decode = msgspec.json.Decoder().decode


class Place(NamedTuple):
    """One place in a document."""

    key: str  # as the tables name it
    steps: tuple[str, ...]  # members and elements from the outermost in; none: the document itself
    needle: str  # without these letters in the text the place is not there


Places = Mapping[str, tuple[Place, ...]]
"""Attribute to the places in its document that mean something."""


def places(keys: Iterable[str]) -> Places:
    """Those of a table's keys that name a place."""
    found: dict[str, list[Place]] = {}
    for key in dict.fromkeys(keys):
        attribute, mark, pointer = key.partition(_MARK)
        if mark:
            steps = tuple(pointer.split("/")[1:])
            needle = steps[-1] if steps else ""
            found.setdefault(attribute, []).append(Place(key, steps, needle))
    return {attribute: tuple(each) for attribute, each in found.items()}


def attribute(key: str) -> str:
    """The attribute that a table's key is found in: nearly always the key itself."""
    return key.partition(_MARK)[0]


def cut(values: Mapping[str, Value], names: Iterable[str]) -> tuple[str, ...]:
    """Those whose JSON ends in the middle: an SDK's limit of lengths leaves no counts in them."""
    return tuple(name for name in names if _is_cut(values[name]))


def _is_cut(value: Value) -> bool:
    return isinstance(value, str) and value[:1] in _OPENINGS and value[-1] not in _ENDS


def unfold(values: Mapping[str, Value], present: Iterable[str], known: Places) -> dict[str, Value]:
    """`values` and what stands in the documents of those attributes. Never raises."""
    unfolded = dict(values)
    for name in present:
        unfolded.update(_members(values[name], known[name]))
    return unfolded


def _members(value: Value, wanted: tuple[Place, ...]) -> dict[str, Value]:
    """The places that hold a number or a text; an attribute may be a map instead of JSON."""
    document: object = value
    if isinstance(value, str):
        said = {needle for needle in {place.needle for place in wanted} if needle in value}
        wanted = tuple(place for place in wanted if place.needle in said)
        if not wanted or len(value) > _LONGEST:
            return {}
        document = _document(value)
    found = ((place.key, _at(document, place.steps)) for place in wanted)
    return {key: held for key, held in found if held is not None}


def _document(value: str) -> object:
    """What a text holds, None if it is neither JSON nor a dict of Python's."""
    try:
        return _decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _literal(value) if value.startswith(_DICT) else None


def _literal(value: str) -> object:
    """A dict as Python shows it. Nearly all become JSON by their quotes and constants alone.

    That takes a twentieth of the time of a parser; only a quote inside of a text needs one.
    """
    as_json = value.replace("'", '"')
    for constant, name in _CONSTANTS:
        as_json = as_json.replace(constant, name)
    try:
        return _decode(as_json)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    try:
        return ast.literal_eval(value) if len(value) <= _LONGEST_LITERAL else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _at(document: object, steps: tuple[str, ...]) -> str | int | float | None:
    for step in steps:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document if isinstance(document, str | int | float) else None
