"""Counts and names that stand inside an attribute's JSON. No attribute is named here.

A table names such a place like any key: the attribute, `#`, and the way into the document with a
`/` before each step (a JSON pointer as in RFC 6901, whose escapes no table has needed). What is
found there is read under that name, so that precedence, counts and texts know nothing of JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from costspan.model import Value

_MARK = "#"
_LONGEST = 256 * 1024  # characters; beyond it decoding would hold up the line: nothing is read

_decode = msgspec.json.Decoder().decode


class Place(NamedTuple):
    """One place in a document."""

    key: str  # as the tables name it
    steps: tuple[str, ...]  # names of members from the outermost in; none: the document itself
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
            needle = f'"{steps[-1]}"' if steps else ""
            found.setdefault(attribute, []).append(Place(key, steps, needle))
    return {attribute: tuple(each) for attribute, each in found.items()}


def attribute(key: str) -> str:
    """The attribute that a table's key is found in: nearly always the key itself."""
    return key.partition(_MARK)[0]


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
        wanted = tuple(place for place in wanted if place.needle in value)
        if not wanted or len(value) > _LONGEST:
            return {}
        try:
            document = _decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return {}
    found = ((place.key, _at(document, place.steps)) for place in wanted)
    return {key: held for key, held in found if held is not None}


def _at(document: object, steps: tuple[str, ...]) -> str | int | float | None:
    for step in steps:
        if not isinstance(document, dict):
            return None
        document = document.get(step)
    return document if isinstance(document, str | int | float) else None
