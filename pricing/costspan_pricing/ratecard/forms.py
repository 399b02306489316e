"""How single values of a rate card are written: decimals, instants, names. Knows no keys.

A decimal is read from its text, never through a float, so an unquoted 0.1 is exactly a tenth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from costspan_pricing.identity import book_provider, canonical_provider
from costspan_pricing.ratecard.patterns import pattern

MAX_TEXT = 200
MAX_MULTIPLIER = 10


class Form(NamedTuple):
    """One way of writing a value."""

    expected: str  # completes "expected ..."
    parse: Callable[[str], Any]  # raises ValueError; its text is a hint, "" if there is none
    schema: Mapping[str, Any]


# --- numbers -------------------------------------------------------------------------------------

_DIGITS = r"(0|[1-9]\d{0,14})(\.\d{1,18})?"
_DECIMAL = re.compile(rf"{_DIGITS}([eE][+-]?\d{{1,2}})?", re.ASCII)
_COUNT = re.compile(r"[1-9]\d{0,14}", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}([,_ ']\d{3})+(\.\d+)?", re.ASCII)
_DECIMAL_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": rf"^{_DIGITS}([eE][+-]?\d{{1,2}})?$"},
        {"type": "number", "minimum": 0},
    ]
}
_MULTIPLIER_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^(?=.*[1-9])(\d(\.\d{1,18})?|10(\.0{1,18})?)$"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_MULTIPLIER},
    ]
}


def _decimal(text: str) -> Fraction:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(_meant(text))
    return Fraction(Decimal(text))


def _multiplier(text: str) -> Fraction:
    value = _decimal(text)
    if not 0 < value <= MAX_MULTIPLIER:
        raise ValueError('18 % off is "0.82", 7 % more is "1.07"')
    return value


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise ValueError(_meant(text))
    return int(text)


def _meant(text: str) -> str:
    """How a number should have been written, as far as that is plain; else ""."""
    if text.strip().endswith("%"):
        return 'write a factor: 18 % off is "0.82"'
    bare = re.sub(r"(?i)us\$|usd|dollars?|\$", "", text).strip().removeprefix("+")
    if re.fullmatch(r"(?i)[+-]?\.?(nan|inf|infinity)", bare):
        return "leave the key out if there is no price"
    if bare.startswith("-"):
        return "it can't be negative"
    if _GROUPED.fullmatch(bare):
        bare = re.sub(r"[,_ ']", "", bare)
    if re.fullmatch(r"\d*,\d+", bare):
        bare = bare.replace(",", ".")
    whole, point, rest = bare.partition(".")
    if whole or rest:
        bare = (whole.lstrip("0") or "0") + (point + rest if rest else "")
    return f'write "{bare}"' if _DECIMAL.fullmatch(bare) and bare != text else ""


# --- instants ------------------------------------------------------------------------------------

_DATE = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_ZONE = r"(Z|[+-]\d{2}:\d{2})"
_INSTANT = re.compile(rf"{_DATE}({_CLOCK}{_ZONE})?", re.ASCII)
_NAIVE = re.compile(rf"{_DATE}{_CLOCK}", re.ASCII)


def _instant(text: str) -> datetime:
    if _NAIVE.fullmatch(text):
        raise ValueError(f'it has no zone: for UTC write "{text}Z"')
    if not _INSTANT.fullmatch(text):
        raise ValueError("")
    try:
        stated = datetime.fromisoformat(text)
        return stated.astimezone(UTC) if stated.tzinfo else stated.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("") from error


def _date(text: str) -> date:
    if not re.fullmatch(_DATE, text, re.ASCII):
        raise ValueError("")
    return date.fromisoformat(text)


# --- names ---------------------------------------------------------------------------------------

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"  # it stands in price references: book;sku;from;id@rev+sha
_PROVIDER = r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}"
_SKU = rf"{_PROVIDER}/\S(.*\S)?"


def _word(form: str) -> Callable[[str], str]:
    wanted = re.compile(form, re.ASCII)

    def parse(text: str) -> str:
        if not wanted.fullmatch(text):
            raise ValueError("")
        return text

    return parse


def _text(text: str) -> str:
    if not text.strip() or len(text) > MAX_TEXT or not text.isprintable():
        raise ValueError("")
    return text.strip()


def _provider(text: str) -> str:
    """The book's id or the canonical name; other names that are known become the latter."""
    name = _word(_PROVIDER)(text).strip().lower()
    canonical = canonical_provider(name)
    return name if name == book_provider(canonical) else canonical or name


def _sku(text: str) -> tuple[str, str]:
    provider, _, model = _word(_SKU)(text).partition("/")
    return _provider(provider), model


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("write true" if text.lower() in ("yes", "on", "y") else "")
    return text.lower() == "true"


def one_of(*words: str) -> Form:
    """One of a few words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError("")
        return text

    expected = words[0] if len(words) == 1 else "one of " + ", ".join(words)
    return Form(expected, parse, {"enum": list(words)})


def _string(form: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{form}$"}


_ANY_TEXT = {"type": ["string", "number", "boolean"]}
DECIMAL = Form('a decimal of 0 or more such as "4.25"', _decimal, _DECIMAL_SCHEMA)
MULTIPLIER = Form(
    f'a factor above 0 and at most {MAX_MULTIPLIER} such as "0.82"', _multiplier, _MULTIPLIER_SCHEMA
)
COUNT = Form("a whole number of 1 or more", _count, {"type": "integer", "minimum": 1})
INSTANT = Form(
    'an instant such as "2026-07-01T00:00:00Z" or a date (its midnight in UTC)',
    _instant,
    _string(rf"{_DATE}({_CLOCK}{_ZONE})?"),
)
DATE = Form("a date such as 2026-07-01", _date, _string(_DATE))
BOOLEAN = Form("true or false", _boolean, {"type": "boolean"})
TEXT = Form(f"a text of 1 to {MAX_TEXT} characters in one line", _text, _ANY_TEXT)
ID = Form("letters, digits, dots, dashes and underscores", _word(_ID), _string(_ID))
REVISION = Form(ID.expected, ID.parse, {"anyOf": [{"type": "integer", "minimum": 0}, _string(_ID)]})
PROVIDER = Form(
    "the name of one provider such as anthropic (leave the key out for all)",
    _provider,
    _string(_PROVIDER),
)
SKU = Form("provider/model such as azure/gpt-4o", _sku, _string(_SKU))
PATTERN = Form(
    "a name, a glob such as gpt-5* or a regular expression such as ~^gpt-[45]",
    lambda text: pattern(_text_of_name(text)),
    _ANY_TEXT,
)


def _text_of_name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("")
    return text.strip()
