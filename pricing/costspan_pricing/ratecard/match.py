"""Which entries of rate cards apply to a call, the most specific first. Pure: no money, no files.

What is more specific, in this order: an exact name (the one that the trace carries before the one
that it stands for), a glob (the longer its literal text, the more), a regex, a provider alone,
nothing. Among equals a provider's own API (`gcp.vertex_ai`) beats the provider (`google`), and that
beats none; then the entry that asks for more resource attributes; then the one that stands first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from costspan_pricing.ratecard.patterns import literal, matches
from costspan_pricing.ratecard.shape import Alias, Discount, Match, Pattern, RateCard, Span
from costspan_pricing.usage import Unit

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


class Matched(Protocol):
    """An entry that says to what it applies."""

    @property
    def match(self) -> Match: ...


class Dated(Matched, Protocol):
    """An entry that also says when."""

    @property
    def span(self) -> Span: ...


AnyMatched = TypeVar("AnyMatched", bound=Matched)
AnyDated = TypeVar("AnyDated", bound=Dated)


def rank(match: Match, names: Names) -> int | None:
    """How specifically the names are meant: higher is more. None: not at all."""
    provider = _provider_rank(match.providers, names)
    model = _model_rank(match.models, names.models)
    if provider is None or model is None or not meets(match.resource, names.resource):
        return None
    resource = min(len(match.resource), _RESOURCE_STEPS - 1)
    return (model * _PROVIDER_STEPS + provider) * _RESOURCE_STEPS + resource


def ranked(entries: Iterable[AnyDated], names: Names, at: datetime) -> tuple[AnyDated, ...]:
    """The entries in force that apply, the most specific first, ties in the order given."""
    return _sorted((entry for entry in entries if entry.span.holds(at)), names)


def best(entries: Iterable[AnyDated], names: Names, at: datetime) -> AnyDated | None:
    """The most specific entry in force."""
    return next(iter(ranked(entries, names, at)), None)


def stacked(
    discounts: Iterable[Discount], names: Names, at: datetime, unit: Unit | None = None
) -> tuple[Discount, ...]:
    """The discounts whose multipliers apply together, of those that move `unit` if it is given.

    Every one that is marked `stack`, and the most specific one of the others.
    """
    found = [each for each in ranked(discounts, names, at) if unit is None or unit in each.units]
    alone = next((each for each in found if not each.stack), None)
    return tuple(each for each in found if each.stack or each is alone)


def alias_of(aliases: Iterable[Alias], names: Names) -> Alias | None:
    """The alias that a name has, if any."""
    return next(iter(_sorted(aliases, names)), None)


def applies(card: RateCard, at: datetime, resource: Mapping[str, str]) -> bool:
    """Whether the card is in force at `at` for calls of this resource."""
    return card.span.holds(at) and meets(card.scope, resource)


def meets(wanted: Mapping[str, tuple[Pattern, ...]], resource: Mapping[str, str]) -> bool:
    """Whether each attribute that is asked for is there and matches one of its patterns."""
    return all(
        key in resource and any(matches(each, resource[key].lower()) for each in patterns)
        for key, patterns in wanted.items()
    )


def _sorted(entries: Iterable[AnyMatched], names: Names) -> tuple[AnyMatched, ...]:
    found = [(rank(entry.match, names), entry) for entry in entries]
    return tuple(
        entry
        for _, entry in sorted(
            ((-level, entry) for level, entry in found if level is not None),
            key=lambda pair: pair[0],  # sorting is stable: ties stay in order
        )
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
