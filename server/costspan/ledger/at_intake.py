"""Which calls of one request the request itself shows to be told of twice. No bytes, no prices.

The rule is the trace's own (`billing`), over the part of a trace that is here. So a span whose
double comes in another request keeps its cost until the ledger corrects row and totals, and a span
that lost its cost here has its winner in the same request. Most requests hold no double: what a
trace costs here before one is suspected are two set lookups a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from costspan.ledger.billing import COVERED, DUPLICATE, bill
from costspan.ledger.forest import ROOT, Node, parent_key, plant, span_key
from costspan.model import AGGREGATE, ALREADY_METERED, LEAF, PROVISIONAL, LlmCall

LinksOf = Callable[[AbstractSet[bytes]], Mapping[bytes, Mapping[bytes, bytes]]]
"""Traces -> the parent of each of their spans that are in the request."""

_SHOWN = frozenset({DUPLICATE, COVERED})


def mark_doubles(calls: Sequence[LlmCall], links_of: LinksOf) -> None:
    """Take `billed` from every call that another one here is billed for. If it raises, from none.

    `links_of`: how spans without a record are linked; asked only where that can matter.
    """
    if len(calls) > 1:
        for call, reason in list(_doubles(calls, links_of)):
            mark(call, reason)


def mark(call: LlmCall, reason: str) -> None:
    """Another span is billed for it as far as is known; the ledger has the last word."""
    call.billed, call.billed_reason, call.version = False, reason, PROVISIONAL


class _Suspect(NamedTuple):
    """The part of a trace in which two spans may tell of one call."""

    calls: list[LlmCall]
    tellers: AbstractSet[bytes]  # spans that are billed, here or by another costspan
    links: dict[bytes, bytes]  # of the calls
    sure: bool  # two of them share an id, or one lies below another
    ajar: bool  # spans without a record may lie between two of them


def _doubles(calls: Sequence[LlmCall], links_of: LinksOf) -> Iterator[tuple[LlmCall, str]]:
    traces: dict[bytes, list[LlmCall]] = {}
    for call in calls:
        if call.trace_id in traces:
            traces[call.trace_id].append(call)
        else:
            traces[call.trace_id] = [call]
    several = {trace_id: told for trace_id, told in traces.items() if len(told) > 1}
    suspects = {i: found for i, told in several.items() if (found := _suspect(told)) is not None}
    ajar = {trace_id for trace_id, suspect in suspects.items() if suspect.ajar}
    between = links_of(ajar) if ajar else {}
    for trace_id, suspect in suspects.items():
        links = {**between.get(trace_id, {}), **suspect.links}
        if suspect.sure or _nested(suspect.tellers, links):
            yield from _rule(suspect.calls, links)


def _suspect(calls: list[LlmCall]) -> _Suspect | None:
    """The cheap test. None: whatever lies between them, these calls are told of once each."""
    tellers = [call for call in calls if _tells(call)]
    if len(tellers) < 2:  # noqa: PLR2004  (a double takes two)
        return None
    links = {call.span_id: call.parent_span_id or ROOT for call in calls}
    spans = {call.span_id for call in tellers}
    answers = [call.response_id for call in tellers if call.response_id]
    sure = len(spans) < len(tellers) or len(set(answers)) < len(answers) or _nested(spans, links)
    ends = set(links.values()).difference(links)  # all below one span: none is above another
    ajar = len(ends) > 1 and _overlap(tellers)
    return _Suspect(calls, spans, links, sure, ajar) if sure or ajar else None


def _tells(call: LlmCall) -> bool:
    return (call.billed and call.role == LEAF) or call.role == ALREADY_METERED


def _nested(spans: AbstractSet[bytes], links: Mapping[bytes, bytes]) -> bool:
    """Whether one of the spans lies below another. Every link is followed once."""
    passed: set[bytes] = set()  # none of the spans is above these, or the search had ended
    for span_id in spans:
        above = links[span_id]
        while above in links and above not in passed:
            if above in spans:
                return True
            passed.add(above)
            above = links[above]
    return False


def _overlap(calls: Sequence[LlmCall]) -> bool:
    """Whether one begins while another runs.

    One that is made for another does; it may end later, as a stream does that is read afterwards.
    """
    latest = -1
    for start, end in sorted([(call.start_ns, call.end_ns) for call in calls]):
        if start <= latest:
            return True
        latest = max(latest, end)
    return False


def _rule(calls: Sequence[LlmCall], links: Mapping[bytes, bytes]) -> Iterator[tuple[LlmCall, str]]:
    """The doubles among the calls of one trace, by the rule for whole traces."""
    told = _without_wrappers(calls)
    ids = {call.span_id for call in told}
    forest = plant(told, [_node(*link) for link in links.items() if link[0] not in ids])
    reasons = bill(forest).reasons
    for call in told:
        if call.role == LEAF and call.billed:
            span_id = span_key(call.span_id)
            reason = reasons[span_id] if forest.calls[span_id] is call else DUPLICATE
            if reason in _SHOWN:
                yield call, reason


def _without_wrappers(calls: Sequence[LlmCall]) -> list[LlmCall]:
    """Without aggregates, unless one repeats a call's id: that is the call, told of once more.

    An aggregate never carries a cost, so nothing may lose its own to one: the calls below it may
    come later, and be less than the aggregate said.
    """
    answers = {call.response_id for call in calls if _tells(call)} - {""}
    return [call for call in calls if call.role != AGGREGATE or call.response_id in answers]


def _node(span_id: bytes, parent: bytes) -> Node:
    """A step of a path: its times decide nothing."""
    return span_key(span_id), parent_key(parent), 0, 0, 0, 0, 0
