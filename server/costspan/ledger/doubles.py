"""Which records of a trace tell of the same call, and which one of them bills. No sums.

Four ways to be told twice: an equal response id; a record around another, with the same tokens;
two libraries beside each other, one of them watching the other's call; and a running sum, whose
last record contains the ones before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from costspan.ledger.forest import Forest
from costspan.ledger.likeness import (
    FRAMEWORK,
    Rank,
    agree,
    model,
    rank,
    same_call,
    says_nothing,
    supersedes,
    teller,
    tokens,
    told_apart,
)
from costspan.model import AGGREGATE, ALREADY_METERED, LEAF, LlmCall

_CALLS = (LEAF, ALREADY_METERED)
_REACH = 64  # records that are climbed to find who is around whom
_AT_ONCE = 256  # frameworks' calls that run at the same time under one span


class Doubles(NamedTuple):
    """What is told more than once."""

    hosts: Mapping[bytes, bytes]  # call -> the nearest one above that still ran when it began
    winner: Mapping[bytes, bytes]  # every record of a call that is told twice -> the one that bills
    ids: frozenset[str]  # response ids that several records carry
    superseded: frozenset[bytes]  # contained in a later running sum
    nested: bool  # some record of a call is around others


class _Seen(NamedTuple):
    """The one call that is told of below a record, or that there are several."""

    key: str | bytes  # what its records share
    best: bytes  # of those below, the one that tells it best
    several: bool = False


class _Best:
    """Which record of a call tells it best. Asked of the same ones again and again."""

    def __init__(self, calls: Mapping[bytes, LlmCall]) -> None:
        self._calls = calls
        self._ranks: dict[bytes, Rank] = {}

    def of(self, *span_ids: bytes) -> bytes:
        return span_ids[0] if len(span_ids) == 1 else max(span_ids, key=self._rank)

    def _rank(self, span_id: bytes) -> Rank:
        known = self._ranks.get(span_id)
        if known is None:
            known = self._ranks[span_id] = rank(self._calls[span_id], span_id)
        return known


_SEVERAL = _Seen("", b"", several=True)


def told_twice(forest: Forest) -> Doubles:
    """Find them all. Nothing depends on the order of the records."""
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
    best = _Best(told)
    pairs, wraps = _nested(forest, hosts, told, best) if nested else ([], set())
    pairs += _beside(told, pairs)
    clusters = _clusters(by_id.values(), pairs) if by_id or pairs else ()
    winner = _winners(clusters, forest, wraps, best)
    return Doubles(hosts, winner, frozenset(by_id), superseded, nested)


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
    forest: Forest, hosts: Mapping[bytes, bytes], told: Mapping[bytes, LlmCall], best: _Best
) -> tuple[list[tuple[bytes, bytes]], set[bytes]]:
    """(calls around the same call, calls around several). Agents between them are looked through.

    A record is compared with the best that is known of the call below it; where there are several,
    it may be the sum of them, but it is none of them.
    """
    seen: dict[bytes, _Seen] = {}
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


def _both(one: _Seen, other: _Seen, best: _Best) -> _Seen:
    if one.several or other.several or one.key != other.key:
        return _SEVERAL
    return _Seen(one.key, best.of(one.best, other.best))


def _beside(
    told: Mapping[bytes, LlmCall], pairs: Iterable[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    """A framework's record, and the SDK's for the call that the framework made meanwhile.

    Frameworks that do not make their span the current one (OpenLLMetry's LangChain 0.62 around the
    Responses API) have it beside the one that it is around. Equal libraries are never compared:
    what one of them tells twice, happened twice.
    """
    if len({call.scope_name for call in told.values()}) == 1:
        return
    paired = {span_id for pair in pairs for span_id in pair}
    families: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for span_id, call in told.items():
        if span_id not in paired:
            family = families.setdefault(call.parent_span_id, ([], []))
            family[teller(call.scope_name, call.kind) > FRAMEWORK].append(span_id)
    for frameworks, sdks in families.values():
        if frameworks and sdks:
            yield from _meanwhile(frameworks, sdks, told)


def _meanwhile(
    frameworks: list[bytes], sdks: list[bytes], told: Mapping[bytes, LlmCall]
) -> Iterator[tuple[bytes, bytes]]:
    """Pair each call with the shortest unpaired one around it: the most pairs that there can be."""
    coming = sorted(frameworks, key=lambda span_id: (told[span_id].start_ns, span_id), reverse=True)
    running: list[bytes] = []
    for sdk in sorted(sdks, key=lambda span_id: (told[span_id].start_ns, span_id)):
        call = told[sdk]
        while coming and told[coming[-1]].start_ns <= call.start_ns:
            running.append(coming.pop())
        running = [one for one in running if told[one].end_ns >= call.start_ns][-_AT_ONCE:]
        around = [one for one in running if _watches(told[one], call)]
        if around:
            framework = min(around, key=lambda one: (told[one].end_ns, one))
            running.remove(framework)
            yield framework, sdk


def _watches(outer: LlmCall, inner: LlmCall) -> bool:
    return (
        inner.end_ns <= outer.end_ns
        and outer.service == inner.service
        and any(tokens(inner))
        and model(outer) == model(inner)
        and agree(outer, inner)
        and not told_apart(outer, inner)
    )


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
    clusters: Iterable[list[bytes]], forest: Forest, wraps: set[bytes], best: _Best
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


def contained(span_ids: Iterable[bytes], forest: Forest) -> frozenset[bytes]:
    """Running sums that a later one of the same series contains.

    Only of emitters that are known to write them. The calls of a tool loop prove it once more: each
    adds to the prompt, so that what is new in a sum is a prompt no shorter than the one before.
    """
    series: dict[tuple[object, ...], list[bytes]] = {}
    for span_id in span_ids:
        series.setdefault(_series(span_id, forest), []).append(span_id)
    found: set[bytes] = set()
    for group in series.values():
        found.update(_contained(group, forest.calls))
    return frozenset(found)


def _series(span_id: bytes, forest: Forest) -> tuple[object, ...]:
    """What the records of one running sum share: they are beside each other, or nested."""
    call, above = forest.calls[span_id], forest.above[span_id]
    for _ in range(_REACH):
        if above not in forest.calls or not forest.calls[above].cumulative:
            break
        above = forest.above[above]
    names = (call.request_model, call.response_model, call.identity.agent)
    return (above, call.role, call.scope_name, *names)


def _contained(group: Iterable[bytes], calls: Mapping[bytes, LlmCall]) -> Iterator[bytes]:
    in_time = sorted(group, key=lambda one: (calls[one].end_ns, calls[one].start_ns, one))
    earlier, prompt = in_time[0], tokens(calls[in_time[0]])[0]
    for span_id in in_time[1:]:
        total = tokens(calls[span_id])[0]
        new = total - tokens(calls[earlier])[0]
        loops = calls[span_id].role == AGGREGATE or new >= prompt
        if loops and supersedes(calls[span_id], calls[earlier]):
            yield earlier
            prompt = new
        else:
            prompt = total
        earlier = span_id
