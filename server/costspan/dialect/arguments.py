"""What tools were called with: where spans say it, and a hash of it. The arguments are not kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from costspan.dialect.layout import ARGUMENTS
from costspan.dialect.table import Arguments
from costspan.model import Value

_DIGEST = 8  # bytes: two different calls of one trace do not meet in it by chance
_VALUE, _TEXT = 0x12, 0x0A  # KeyValue: 2 = value, AnyValue: 1 = string; both length-delimited

_as_json = msgspec.json.Encoder(order="sorted").encode

KEYS = frozenset(each.key for each in ARGUMENTS if each.where is None)
"""Attributes that are read wherever they stand."""

CONDITIONAL = tuple((*each.where, each.key) for each in ARGUMENTS if each.where)
"""As `Wanted.conditional`."""


def _marker(each: Arguments) -> bytes:
    """Letters that a span has if it states its arguments, and that no prompt has by chance.

    Of the key its last two words: what several conventions have in common is looked for once.
    """
    key, value = each.where or (each.key, "")
    begins = ".".join(key.split(".")[-2:]).encode() + bytes((_VALUE,))
    if each.where is None:
        return begins
    said = value.encode()
    return begins + bytes((len(said) + 2, _TEXT, len(said))) + said


MARKERS = tuple(dict.fromkeys(map(_marker, ARGUMENTS)))
"""Of the spans that say what a tool was called with. To open them all is not for everybody: a tool
that names neither an agent nor a workflow would else not be looked at.
"""


def digest(stated: Iterable[str], values: Mapping[str, Value]) -> bytes:
    """A hash of the first of these attributes that says something, of any kind and length."""
    value = next(filter(None, (values[key] for key in stated)), None)
    if value is None:
        return b""
    said = value.encode(errors="surrogatepass") if isinstance(value, str) else _as_json(value)
    return blake2b(said, digest_size=_DIGEST).digest()
