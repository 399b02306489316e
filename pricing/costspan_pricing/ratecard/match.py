"""Whether an entry of a rate card means a call, and how specifically. Pure: no money, no files.

What is more specific, in this order: an exact name (the one that the trace carries before the one
that it stands for), a glob (the longer its literal text, the more), a regex, a provider alone,
nothing. Among equals a provider's own API (`gcp.vertex_ai`) beats the provider (`google`), and that
beats none; then the entry that asks for more resource attributes wins. What is still equal stays in
the order of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from costspan_pricing.ratecard.patterns import literal, matches
from costspan_pricing.ratecard.shape import Match, Pattern, RateCard

_EXACT = 1 << 13  # above every glob: names have at most 2048 characters
_GLOB = 2
_REGEX = 1
_PROVIDER_STEPS = 3
_RESOURCE_STEPS = 16


class Names(NamedTuple):
    """What a call is called. All lower-cased but the resource."""

    canonical: str  # provider: gcp.vertex_ai
    provider: str  # the book's id of it: google
    models: tuple[str, ...]  # as emitted, normalised, the book's id, the sku; "" are skipped
    resource: Mapping[str, str] = {}


def rank(match: Match, names: Names) -> int | None:
    """How specifically the names are meant: higher is more. None: not at all."""
    provider = _provider_rank(match.providers, names)
    model = _model_rank(match.models, names.models)
    if provider is None or model is None or not meets(match.resource, names.resource):
        return None
    resource = min(len(match.resource), _RESOURCE_STEPS - 1)
    return (model * _PROVIDER_STEPS + provider) * _RESOURCE_STEPS + resource


def applies(card: RateCard, at: datetime, resource: Mapping[str, str]) -> bool:
    """Whether the card is in force at `at` for calls of this resource."""
    return card.span.holds(at) and meets(card.scope, resource)


def meets(wanted: Mapping[str, tuple[Pattern, ...]], resource: Mapping[str, str]) -> bool:
    """Whether each attribute that is asked for is there and matches one of its patterns."""
    return all(
        key in resource and any(matches(each, resource[key].lower()) for each in patterns)
        for key, patterns in wanted.items()
    )


def _provider_rank(providers: tuple[str, ...], names: Names) -> int | None:
    if not providers:
        return 0
    if names.canonical in providers and names.canonical != names.provider:
        return 2
    return 1 if {names.canonical, names.provider} & set(providers) else None


def _model_rank(patterns: tuple[Pattern, ...], models: tuple[str, ...]) -> int | None:
    """The best of all patterns and all names; an earlier name is closer to the trace."""
    if not patterns:
        return 0
    return max(
        (
            _pattern_rank(pattern, position)
            for position, model in enumerate(models)
            if model
            for pattern in patterns
            if matches(pattern, model)
        ),
        default=None,
    )


def _pattern_rank(pattern: Pattern, position: int) -> int:
    if pattern.kind == "exact":
        return 2 * _EXACT - position
    return _GLOB + literal(pattern) if pattern.kind == "glob" else _REGEX
