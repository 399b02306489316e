"""Money: ints of 10^-18 USD ("attos"), their decimal text, and the only rounding. No floats.

Rates with stacked discounts need up to 14 decimals of a dollar per token, a rate per hour counted
in seconds does not end at all: 18 decimals hold the first exactly and the second to half an atto.
"""

from __future__ import annotations

import re

DECIMALS = 18
ATTOS = 10**DECIMALS
_DECIMAL_TEXT = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)


def divide(numerator: int, denominator: int) -> int:
    """Round the exact quotient to an int, half to even. `denominator` > 0."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2):
        return quotient + 1
    return quotient


def format_usd(attos: int) -> str:
    """The exact amount as plain decimal text: no exponent, no trailing zeros."""
    whole, fraction = divmod(abs(attos), ATTOS)
    sign = "-" if attos < 0 else ""
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:0{DECIMALS}d}".rstrip("0")


def parse_usd(text: str) -> int:
    """Decimal text ("0.0025", "2.5e-6") in dollars as attos, exactly.

    Raises ValueError if it is no decimal number, or finer than 10^-18 USD.
    """
    match = _DECIMAL_TEXT.fullmatch(text.strip())
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"expected a decimal number of US dollars, got {text!r}")
    sign, whole, fraction, exponent = match[1], match[2], match[3] or "", int(match[4] or 0)
    digits = int(whole + fraction)
    shift = DECIMALS + exponent - len(fraction)
    attos, lost = divmod(digits * int(10 ** max(shift, 0)), int(10 ** max(-shift, 0)))
    if lost:
        raise ValueError(f"{text!r} is finer than 10^-{DECIMALS} US dollars")
    return -attos if sign == "-" else attos
