"""Dated entries of a row and the intervals in which they hold. No rates are changed here.

Instants are texts of one form, "2026-08-16T16:00:00Z", and compare as texts; "" as a beginning is
before every other, "" as an end is after every other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

Json = dict[str, Any]


class Period(NamedTuple):
    """[start, end) and the entry in force."""

    start: str
    end: str
    entry: Json


def earliest(one: str, other: str) -> str:
    """The earlier of two ends."""
    return min(one, other) if one and other else one or other


def holds(start: str, end: str) -> bool:
    """Whether there is an instant in [start, end)."""
    return not end or start < end


def overlap(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two intervals share an instant."""
    return holds(max(one[0], other[0]), earliest(one[1], other[1]))


def periods(entries: Sequence[Json]) -> Iterator[Period]:
    """Every entry with its interval: until its `to`, or until the next one begins."""
    entries = sorted(entries, key=start_of)
    for entry, following in zip(entries, [*entries[1:], {}], strict=True):
        end = earliest(str(entry.get("to", "")), str(following.get("from", "")))
        yield Period(start_of(entry), end, entry)


def start_of(entry: Json) -> str:
    """The instant from which an entry holds."""
    return str(entry.get("from", ""))


def dated(start: str, end: str) -> Json:
    """`from` and `to` as the book has them: absent when open."""
    return ({"from": start} if start else {}) | ({"to": end} if end else {})


def changed(
    entries: Sequence[Json], start: str, end: str, change: Callable[[Json], Json]
) -> tuple[list[Json], int]:
    """Entries cut at `start` and `end`, with `change` made between; and how many were changed.

    A piece keeps a `to` only where nothing follows it directly.
    """
    pieces: list[Json] = []
    count = 0
    for period in periods(entries):
        rest = {key: value for key, value in period.entry.items() if key not in ("from", "to")}
        inner = max(period.start, start), earliest(period.end, end)
        if not holds(*inner):
            pieces.append(period.entry)
            continue
        count += 1
        if period.start < inner[0]:
            pieces.append(dated(period.start, "") | rest)
        last = inner[1] == period.end
        pieces.append(dated(inner[0], period.entry.get("to", "") if last else "") | change(rest))
        if not last:
            pieces.append(dated(inner[1], period.entry.get("to", "")) | rest)
    return pieces, count


def same_place(one: Json, other: Json) -> bool:
    """Whether some context satisfies two `when`s that ask about the same keys."""
    return one.keys() == other.keys() and all(_share(one[key], other[key]) for key in one)


def _share(one: str | Sequence[str], other: str | Sequence[str]) -> bool:
    ones, others = ([each] if isinstance(each, str) else each for each in (one, other))
    return any(_meet(a, b) for a in ones for b in others)


def _meet(one: str, other: str) -> bool:
    if one.startswith("!") and other.startswith("!"):
        return True
    if one.startswith("!"):
        return not fnmatchcase(other, one[1:])
    if other.startswith("!"):
        return not fnmatchcase(one, other[1:])
    return fnmatchcase(one, other) or fnmatchcase(other, one)
