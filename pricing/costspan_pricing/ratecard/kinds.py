"""What a table of keys is made of. The reader and the JSON Schema are both written over these."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from costspan_pricing.ratecard.forms import Form


class Key(NamedTuple):
    """One key of a mapping and its sentence."""

    kind: Kind
    text: str
    required: bool = False


class Section(NamedTuple):
    """A mapping with known keys."""

    keys: Mapping[str, Key]
    elsewhere: Mapping[str, str] = MappingProxyType({})  # keys that stand elsewhere: a sentence


class ListOf(NamedTuple):
    """A list of mappings."""

    section: Section


class OneOrMore(NamedTuple):
    """One value, or a list of them."""

    form: Form


class MapOf(NamedTuple):
    """A mapping whose keys have a form, not names."""

    name: Form
    value: Form | OneOrMore


Kind: TypeAlias = Form | Section | ListOf | OneOrMore | MapOf


def expected(kind: Kind) -> str:
    """Completes "expected ..."."""
    match kind:
        case Form():
            return kind.expected
        case OneOrMore():
            return f"{kind.form.expected}, or a list of them"
        case ListOf():
            return "a list"
        case _:
            return "a mapping"
