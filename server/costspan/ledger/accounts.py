"""Accounts that stand beside the calls that they account for, not above them. No trees are built.

AG2 1.2 keeps books of each turn in spans below the turn's own, without a common id: one for each
model call, one for all that a sub-agent spent, whose spans, if it has any, hang below the tool that
runs it, and one for each call that it makes for itself and has no span for, though the provider's
SDK may have (ag2 1.2.1: middleware/builtin/telemetry.py, tools/subagents/run_task.py, compact.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from costspan.ledger.forest import Forest
from costspan.ledger.likeness import Tokens, agree, tokens
from costspan.model import LEAF

_CALL, _SUBTASK = "model_call", "subtask"  # operations of the accounts
_UPKEEP = frozenset({"compaction", "aggregation"})
_BOOKS = frozenset({_CALL, _SUBTASK}) | _UPKEEP
_REACH = 64  # spans between a call and the turn that it is a part of

_Branch = tuple[bytes, bytes]
"""A span that has accounts below it, and one of the spans directly below it."""


def repeated(billed: Iterable[bytes], forest: Forest) -> Iterator[bytes]:
    """Of the spans that are billed, the accounts of calls that other billed spans tell of.

    That of a call is one if any call has a span below the same turn: then all have. That of a
    sub-agent is one if a branch of the turn spent as much, each branch for one account. That of
    upkeep is one if an SDK's span below the turn counts the same, each span for one.
    """
    billed = list(billed)
    books = [one for one in billed if forest.calls[one].operation in _BOOKS]
    if not books:
        return
    watched = {
        forest.links[one]
        for one, call in forest.calls.items()
        if call.role == LEAF and call.operation not in _UPKEEP
    }
    found = {one for one in books if _is(one, _CALL, forest) and forest.links[one] in watched}
    found.update(_upkeep(books, billed, forest))
    yield from found
    yield from _subtasks([one for one in billed if one not in found], forest)


def _is(span_id: bytes, operation: str, forest: Forest) -> bool:
    return forest.calls[span_id].operation == operation


def _upkeep(books: list[bytes], billed: list[bytes], forest: Forest) -> Iterator[bytes]:
    """Those of calls that another library tells of as well."""
    calls = forest.calls
    scopes = {calls[one].scope_name for one in books}
    told: dict[tuple[bytes, int], list[bytes]] = {}
    for one in sorted(billed):
        if calls[one].scope_name not in scopes:
            told.setdefault((forest.links[one], tokens(calls[one])[0]), []).append(one)
    for one in sorted(books):
        if calls[one].operation not in _UPKEEP:
            continue
        beside = told.get((forest.links[one], tokens(calls[one])[0]), [])
        double = next((other for other in beside if agree(calls[one], calls[other])), None)
        if double is not None:
            beside.remove(double)
            yield one


def _subtasks(billed: list[bytes], forest: Forest) -> Iterator[bytes]:
    """Innermost first: what a sub-agent's own sub-agent spent is a part of what it spent."""
    subtasks = {one for one in billed if _is(one, _SUBTASK, forest)}
    turns = {forest.links[one] for one in subtasks}
    ways = {one: tuple(_way(one, turns, forest)) for one in billed} if turns else {}
    spent: dict[_Branch, Tokens] = {}
    for one, way in ways.items():
        if one not in subtasks:
            _add(spent, way, tokens(forest.calls[one]))
    for one in sorted(subtasks, key=lambda each: (-len(ways[each]), each)):
        amount, turn = tokens(forest.calls[one]), forest.links[one]
        branch = _alike(amount, turn, spent)
        if branch is None:
            _add(spent, ways[one], amount)
        else:
            del spent[branch]
            yield one


def _way(span_id: bytes, turns: set[bytes], forest: Forest) -> Iterator[_Branch]:
    """The branches of turns that a span is on; not where the turn itself makes the call."""
    below = span_id
    for _ in range(_REACH):
        if below not in forest.links:
            return
        above = forest.links[below]
        own = below == span_id or (below in forest.calls and forest.calls[below].role == LEAF)
        if above in turns and not own:
            yield above, below
        below = above


def _add(spent: dict[_Branch, Tokens], ways: Iterable[_Branch], amount: Tokens) -> None:
    for way in ways:
        held = spent.get(way, (0, 0))
        spent[way] = held[0] + amount[0], held[1] + amount[1]


def _alike(amount: Tokens, turn: bytes, spent: Mapping[_Branch, Tokens]) -> _Branch | None:
    """The branch of a turn that spent so much, else the one that spent least of those with more."""
    able = [
        (held, branch)
        for branch, held in spent.items()
        if branch[0] == turn and held[0] >= amount[0] and held[1] >= amount[1]
    ]
    return min(able)[1] if able else None
