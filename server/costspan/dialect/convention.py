"""Whether a count of input contains the cached tokens. The step that decided is recorded.

The same key is written both ways: OpenAI and Google count cached tokens inside the input,
Anthropic and Bedrock beside it, and instrumentations pass on either. So the emitter is asked by
its scope, version and provider; only what the numbers themselves prove goes before that.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from functools import lru_cache

from costspan.dialect.layout import DIALECTS
from costspan.dialect.table import (
    EXCLUSIVE,
    FRESH,
    INCLUSIVE,
    INPUT,
    OUTPUT,
    RAW_INPUT,
    TOTAL,
    Emitter,
)

DISJOINT = "disjoint"  # the parts are stated, their sum is of no use

BY_SPLIT = "explicit_split"  # input that no cache served has a count of its own
BY_RAW = "raw_input"  # the API's own count of it stands beside what the library made of it
BY_EMITTER = "emitter"  # a row of a dialect's table
BY_PROOF = "cached_exceeds_input"  # can't be inclusive
BY_TOTAL = "total"  # the stated total adds up one way only
BY_DEFAULT = "default"  # the GenAI conventions since 1.40: inclusive

Known = tuple[str, Emitter]
"""The dialect that an emitter speaks, and its row."""


@lru_cache(maxsize=1024)
def _candidates(scope: str, version: str, provider: str) -> tuple[Known, ...]:
    """The rows that fit by scope, version and provider, down to the first without a condition."""
    fitting: list[Known] = []
    for dialect in DIALECTS:
        for row in dialect.emitters:
            if _fits(row, scope, version, provider):
                fitting.append((dialect.name, row))
                if not (row.model or row.span or row.key):
                    return tuple(fitting)
    return tuple(fitting)


def _fits(row: Emitter, scope: str, version: str, provider: str) -> bool:
    prefix, starred, _ = row.scope.partition("*")
    return (
        (scope.startswith(prefix) if starred else scope == prefix)
        and (not row.version or re.fullmatch(row.version, version) is not None)
        and (not row.providers or provider in row.providers)
    )


def emitter(
    scope: tuple[str, str], provider: str, model: str, span: str, keys: Container[str] = ()
) -> Known | None:
    """Who made the span, if that is a library whose source is known. `provider` is canonical.

    `keys`: of the span's attributes.
    """
    for known in _candidates(scope[0], scope[1], provider):
        row = known[1]
        if row.model in model and span.startswith(row.span) and (not row.key or row.key in keys):
            return known
    return None


def stated(counts: Mapping[str, int], cached: int) -> tuple[str, str] | None:
    """(DISJOINT, INCLUSIVE or EXCLUSIVE, the step) if the span itself says so, whoever made it.

    `cached`: tokens read and written.
    """
    if FRESH in counts:
        return DISJOINT, BY_SPLIT
    if RAW_INPUT in counts and cached:
        added = counts.get(INPUT, 0) - counts[RAW_INPUT]
        if added in (0, cached):
            return INCLUSIVE if added else EXCLUSIVE, BY_RAW
    return None


def counting(counts: Mapping[str, int], cached: int, row: Emitter | None) -> tuple[str, str]:
    """(INCLUSIVE or EXCLUSIVE, the step that decided) of a span that does not say it itself.

    Raises ValueError if the emitter is known to count inclusively and can't have.
    """
    stated = counts.get(INPUT, 0)
    if row is not None and row.counting == EXCLUSIVE:
        return EXCLUSIVE, BY_EMITTER
    if cached > stated:
        if row is None or not row.certain or INPUT not in counts:
            return EXCLUSIVE, BY_PROOF
        raise ValueError(
            f"{cached} cached tokens exceed the {stated} input tokens that contain them"
        )
    if row is not None:
        return INCLUSIVE, BY_EMITTER
    total = counts.get(TOTAL)
    if total and cached:
        plain = stated + counts.get(OUTPUT, 0)
        # A total that adds the cached tokens proves it, whoever added; one that leaves them out
        # proves nothing unless the provider made it, and then it says what the default says.
        if total == plain + cached:
            return EXCLUSIVE, BY_TOTAL
    return INCLUSIVE, BY_DEFAULT
