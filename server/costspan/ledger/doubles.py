"""Which records of a trace tell of the same call, and which one of them bills. No sums.

Four ways to be told twice: an equal response id; a record around another, with the same tokens;
two libraries beside each other, one of them watching the other's call; and a running sum, whose
last record contains the ones before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from costspan.ledger.beside import beside
from costspan.ledger.forest import Forest
from costspan.ledger.likeness import (
    Best,
    agree,
    same_call,
    says_nothing,
)
from costspan.ledger.series import contained
from costspan.model import AGGREGATE, ALREADY_METERED, LEAF, LlmCall

_CALLS = (LEAF, ALREADY_METERED)
_REACH = 64  # records that are climbed to find who is around whom


class Doubles(NamedTuple):
    """What is told more than once."""

    hosts: Mapping[bytes, bytes]  # call -> the nearest one above that still ran when it began
    winner: Mapping[bytes, bytes]  # every record of a call that is told twice -> the one that bills
    ids: frozenset[str]  # response ids that several records carry
    answers: frozenset[str]  # response ids of which a record states what they cost
    superseded: frozenset[bytes]  # contained in a later running sum
    nested: bool  # some record of a call is around others


class _Seen(NamedTuple):
    """The one call that is told of below a record, or that there are several."""

    key: str | bytes  # what its records share
    best: bytes  # of those below, the one that tells it best
    several: bool = False


_SEVERAL = _Seen("", b"", several=True)


def told_twice(forest: Forest, around: Collection[bytes] = ()) -> Doubles:
    """Find them all. Nothing depends on the order of the records.

    `around`: spans below which an earlier generation of the trace billed.
    """
    hosts, nested = _hosts(forest)
    superseded = contained(
        [
            span_id
            for span_id, call in forest.calls.items()
            if call.cumulative and call.role == LEAF and call.usage
        ],
        forest,
    )
    told = {
        span_id: call
        for span_id, call in forest.calls.items()
        if call.role in _CALLS and span_id not in superseded and not says_nothing(call)
    }
    by_id = _by_response(told, forest)
    best = Best(told)
    pairs, wraps = _nested(forest, hosts, told, best, around) if nested or around else ([], set())
    pairs += beside(forest, told, pairs, best)
    clusters = _clusters(by_id.values(), pairs) if by_id or pairs else ()
    winner = _winners(clusters, forest, wraps, best)
    answers = frozenset(call.response_id for call in told.values()) - {""}
    return Doubles(hosts, winner, frozenset(by_id), answers, superseded, nested)


def _hosts(forest: Forest) -> tuple[Mapping[bytes, bytes], bool]:
    """Of every call the nearest one above that had not ended when it began.

    A context that is not put away makes each call of a loop a child of the one before. Between two
    services there are two clocks, so only those of one are compared.
    Also, whether a record of a call is around any other record.
    """
    calls, above = forest.calls, forest.above
    longer: dict[bytes, bytes] = {}  # call -> the nearest above that ended after it
    hosts: dict[bytes, bytes] = {}
    nested = False
    for span_id in reversed(forest.order):
        host = above[span_id]
        if host in calls:
            call = calls[span_id]
            longest = host
            while host in calls and _ended_before(calls[host], call):
                host = longer[host]
            while longest in calls and calls[longest].end_ns <= call.end_ns:
                longest = longer[longest]
            longer[span_id] = longest
            nested = nested or (host in calls and calls[host].role in _CALLS)
        else:
            longer[span_id] = host
        hosts[span_id] = host
    return hosts, nested


def _ended_before(one: LlmCall, other: LlmCall) -> bool:
    return one.start_ns <= one.end_ns < other.start_ns and one.service == other.service


def _by_response(told: Mapping[bytes, LlmCall], forest: Forest) -> dict[str, list[bytes]]:
    """The records of each id that several carry; aggregates where a call has it too."""
    groups: dict[str, list[bytes]] = {}
    for span_id, call in told.items():
        if call.response_id:
            groups.setdefault(call.response_id, []).append(span_id)
    if groups:
        for span_id, call in forest.calls.items():
            if call.role == AGGREGATE and call.response_id in groups and not says_nothing(call):
                groups[call.response_id].append(span_id)
    return {key: group for key, group in groups.items() if len(group) > 1}


def _nested(
    forest: Forest,
    hosts: Mapping[bytes, bytes],
    told: Mapping[bytes, LlmCall],
    best: Best,
    around: Collection[bytes],
) -> tuple[list[tuple[bytes, bytes]], set[bytes]]:
    """(calls around the same call, calls around several). Agents between them are looked through.

    A record is compared with the best that is known of the call below it; where there are several,
    it may be the sum of them, but it is none of them.
    """
    seen = dict.fromkeys(around, _SEVERAL)
    pairs: list[tuple[bytes, bytes]] = []
    wraps: set[bytes] = set()
    for span_id in forest.order:
        below = seen.pop(span_id, None)
        if span_id in told:
            if below is None:
                below = _Seen(told[span_id].response_id or span_id, span_id)
            elif below.several:
                wraps.add(span_id)
            elif _one(told[span_id], told[below.best]):
                pairs.append((span_id, below.best))
                below = _Seen(below.key, best.of(span_id, below.best))
            else:
                below = _SEVERAL
        host = hosts[span_id]
        if below is not None and host in forest.calls:
            seen[host] = _both(seen[host], below, best) if host in seen else below
    return pairs, wraps


def _one(outer: LlmCall, inner: LlmCall) -> bool:
    same_id = outer.response_id != "" and outer.response_id == inner.response_id
    return same_id or same_call(outer, inner)


def _both(one: _Seen, other: _Seen, best: Best) -> _Seen:
    if one.several or other.several or one.key != other.key:
        return _SEVERAL
    return _Seen(one.key, best.of(one.best, other.best))


def _clusters(
    groups: Iterable[Iterable[bytes]], pairs: Iterable[tuple[bytes, bytes]]
) -> list[list[bytes]]:
    """All records that tell of one call together, whichever way they were found."""
    member: dict[bytes, list[bytes]] = {}
    for group in (*groups, *pairs):
        merged = list(dict.fromkeys(one for span in group for one in member.get(span, [span])))
        for one in merged:
            member[one] = merged
    return list({id(cluster): cluster for cluster in member.values()}.values())


def _winners(
    clusters: Iterable[list[bytes]], forest: Forest, wraps: set[bytes], best: Best
) -> dict[bytes, bytes]:
    calls = forest.calls
    winners: dict[bytes, bytes] = {}
    for cluster in clusters:
        # An aggregate that repeats the id of a call below it, or beside it, is not that call.
        told = [one for one in cluster if calls[one].role != AGGREGATE]
        rest = _answered_by_provider(told, forest)
        first = best.of(*([one for one in rest if one not in wraps] or rest))
        # What is around several calls, and repeats the id of the last, may count all of them.
        alike = [one for one in rest if one in wraps and agree(calls[one], calls[first])]
        winners.update(dict.fromkeys(cluster, best.of(first, *alike)))
    return winners


def _answered_by_provider(cluster: list[bytes], forest: Forest) -> list[bytes]:
    """Without answers that a gateway gave from its cache; if all are, the ones that prove it.

    The client's span above a gateway's looks like any call, and tells of the same answer.
    """
    proofs = [span_id for span_id in cluster if forest.calls[span_id].gateway]
    if not proofs:
        return cluster
    cached = set(proofs)
    for span_id in proofs:
        above = forest.above[span_id]
        for _ in range(_REACH):
            if above not in forest.calls or above in cached:
                break
            cached.add(above)
            above = forest.above[above]
    metered = ALREADY_METERED
    others = [one for one in cluster if one not in cached or forest.calls[one].role == metered]
    return others or proofs
