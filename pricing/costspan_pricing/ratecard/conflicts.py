"""Entries that would set the same price twice, in one card or in several. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple, TypeAlias

from costspan_pricing.faults import Faults, Mark
from costspan_pricing.ratecard.shape import Match, Pattern, Span
from costspan_pricing.usage import Unit

Scope: TypeAlias = frozenset[tuple[str, frozenset[Pattern]]]
_NO_PROVIDER = ("",)
_NO_MODEL = (None,)


class Claim(NamedTuple):
    """What one entry sets: its kind, and for which names, when, and of which units."""

    kind: str  # rates, discounts, ...: they do not stand in each other's way
    mark: Mark
    path: str
    scope: Scope
    match: Match
    span: Span
    units: frozenset[Unit]  # empty: the entry as a whole


def report(claims: Iterable[Claim], faults: Faults) -> None:
    """A fault for each entry that means the same names, instants and units as an earlier one."""
    known: dict[tuple[object, ...], list[Claim]] = {}
    for claim in claims:
        keys = list(_keys(claim))
        earlier = next((e for key in keys for e in known.get(key, ()) if _clash(e, claim)), None)
        if earlier is not None:
            faults.add(claim.mark, claim.path, _sentence(earlier, claim))
        for key in keys:
            known.setdefault(key, []).append(claim)


def _keys(claim: Claim) -> Iterator[tuple[object, ...]]:
    """One for each name that the entry is for: a longer list is no narrower."""
    match = claim.match
    resource = frozenset((key, frozenset(each)) for key, each in match.resource.items())
    for provider, model in product(match.providers or _NO_PROVIDER, match.models or _NO_MODEL):
        yield claim.kind, claim.scope, resource, provider, model


def _clash(one: Claim, other: Claim) -> bool:
    same_time = one.span.start < other.span.end and other.span.start < one.span.end
    return same_time and (one.units == other.units or bool(one.units & other.units))


def _sentence(earlier: Claim, claim: Claim) -> str:
    same_file = earlier.mark.source == claim.mark.source
    place = f"line {earlier.mark.line}" if same_file else str(earlier.mark)
    shared = sorted(earlier.units & claim.units, key=list(Unit).index)
    what = f" for {', '.join(shared)}" if shared else ""
    return f"the same names at the same time as {earlier.path} in {place}{what}: keep one of them"
