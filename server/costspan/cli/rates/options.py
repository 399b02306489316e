"""Options that several commands share, and the request that they make. No prices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, NoReturn

import typer

from costspan.cli.ending import ended
from costspan.cli.exits import Exit
from costspan.cli.rates import request
from costspan_pricing import InvalidUsage, Usage

At = Annotated[
    str, typer.Option(metavar="INSTANT", help="ISO 8601; without a zone it is read as UTC.")
]
_DIGITS = 18  # more would be no count of anything


def instant(text: str) -> datetime:
    """The instant of `--at`, or exit 2 with a sentence."""
    try:
        return request.instant(text)
    except request.Unreadable as error:
        usage_error(f"--{error}")


def pairs(arguments: Iterable[str], what: str) -> dict[str, str]:
    """`key=value` arguments, or exit 2 with a sentence."""
    found: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not (key and equals) or key in found:
            usage_error(f"expected {what} as key=value, each once, got {argument!r}")
        found[key] = value
    return found


def counts(arguments: Iterable[str]) -> Usage:
    """`bucket=quantity` arguments, or exit 2 with a sentence."""
    buckets: dict[str, int] = {}
    for key, value in pairs(arguments, "usage").items():
        if not value.isascii() or not value.isdecimal() or len(value) > _DIGITS:
            usage_error(f"{key}: expected a count of 0 or more, got {value!r}")
        buckets[key] = int(value)
    try:
        return Usage(buckets)
    except InvalidUsage as error:
        usage_error(str(error))


def usage_error(sentence: str) -> NoReturn:
    """Say what was wrong with the command line, and exit 2."""
    raise ended(Exit.USAGE, f"costspan: {sentence}")
