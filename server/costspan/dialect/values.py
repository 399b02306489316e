"""What an attribute's value is worth as a count, a text or a sum of money. No key is named here.

SDKs write a count as an int, as a double (JavaScript) or as a string (Spring AI); a stream whose
usage never came may hold NaN (Vercel 4). What can't be a count is refused with a sentence, since a
guess would become money.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Decimal

from costspan.model import Value

MOST_TOKENS = 10**12  # a million times the longest context window: above it, a broken counter
_ATTOS = 18  # digits behind the decimal point of a dollar
_MOST_DOLLARS = 10**9  # for one call
_WHOLE = re.compile(r"([0-9]{1,13})(?:\.0*)?", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_SAYS_NOTHING = frozenset({"", "nan", "none", "null", "undefined"})
# Only ids of the providers' own making: a model's answer in JSON may begin with an "id" as well.
_RESPONSE_ID = re.compile(r'\{"id": ?"((?:chatcmpl-|resp_|msg_)[\w-]{1,128})"', re.ASCII)
MOST_TEXT = 512  # a longer name is no name; it would only fill memory and labels


def count(value: Value) -> int | None:
    """The tokens that `value` states, None if it states nothing. Raises ValueError on nonsense."""
    number: int | None
    match value:
        case bool() | bytes() | list() | dict():
            number = -1
        case int():
            number = value
        case None:
            return None
        case float():
            if math.isnan(value):
                return None
            number = int(value) if value.is_integer() else -1
        case str():
            stated = value.strip()
            if stated.lower() in _SAYS_NOTHING:
                return None
            digits = _WHOLE.fullmatch(stated)
            number = int(digits[1]) if digits else -1
    if 0 <= number <= MOST_TOKENS:
        return number
    raise ValueError(f"expected a whole number of tokens from 0 to 10^12, saw {_shown(value)}")


def whole(value: Value) -> str:
    """A value as text, however long; "" if it is a list, a map, bytes or nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else ""


def text(value: Value) -> str:
    """A name as text, cut at a length that no name has."""
    return whole(value)[:MOST_TEXT]


def response_id(body: str) -> str:
    """The id with which a provider's response in JSON begins, "" if it is something else."""
    begins = _RESPONSE_ID.match(body)
    return begins[1] if begins else ""


def truth(stated: str) -> bool:
    """Whether the text of a flag says that it is set."""
    return stated.strip().lower() == "true"


def attos(stated: str) -> str:
    """A sum of dollars as the decimal text of its 10^-18 USD; "" if it is none or not positive.

    A double stands for the shortest decimal that reads back as it. Zero counts as not stated:
    libraries that don't know a model report 0 (OpenLIT, LiteLLM), and unknown is not free.
    """
    if not _DECIMAL.fullmatch(stated):
        return ""
    dollars = Decimal(stated)
    if dollars >= _MOST_DOLLARS:
        return ""
    exact = int(dollars.scaleb(_ATTOS).to_integral_value(ROUND_HALF_EVEN))
    return str(exact) if exact else ""


def is_zero(stated: str) -> bool:
    """Whether a text is a sum of money, and the sum is nothing."""
    return _DECIMAL.fullmatch(stated) is not None and not Decimal(stated)


def _shown(value: Value) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."  # noqa: PLR2004  one line of a log
