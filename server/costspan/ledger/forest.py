"""The tree of one trace, reduced to the spans that carry a record. No money, no clock.

Only links between records matter for billing and identity, so every other span is a step of a
path. Nothing here recurses: chains of 100 000 spans and parent links that form cycles are input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from costspan.model import LlmCall, encode_calls
from costspan.wire import Head

ROOT = bytes(8)
"""The parent id of a span that has none."""
_ERROR = 2  # Status.code of opentelemetry-proto


class Forest(NamedTuple):
    """The spans of one trace. All ids are 8 bytes."""

    calls: dict[bytes, LlmCall]  # by span id: of several copies the one that counts
    spans: dict[bytes, Head]  # by span id, those of the calls included
    above: dict[bytes, bytes]  # call -> the nearest call above, else ROOT or a missing span's id
    order: list[bytes]  # the calls, every one after all calls below it
    root: Head | None  # without a parent, earliest start, smallest id
    roots: int  # spans without a parent
    orphans: int  # spans whose parent is not here
    errors: int  # spans that ended in one
    start_ns: int  # the first; a time of 0 is no time
    end_ns: int  # the last
    cycles: int  # each cut at its smallest span id
    links: Mapping[bytes, bytes]  # span -> parent, without cycles

    def nearest(self, span_id: bytes) -> bytes:
        """The first call at or above a span, else ROOT or the id of the missing span above."""
        return _climb(span_id, self.links, self.calls, {})


def plant(calls: Iterable[LlmCall], heads: Iterable[Head]) -> Forest:
    """Build the forest. The same set of records gives the same forest, in any order."""
    kept = _richest_copies(calls)
    spans = _latest_heads(heads, kept)
    links: dict[bytes, bytes] = {}
    roots: list[Head] = []
    orphans = errors = start_ns = end_ns = 0
    for span_id, head in spans.items():
        _, _, parent, start, end, _, _, status = head
        links[span_id] = parent
        if parent == ROOT:
            roots.append(head)
        elif parent not in spans:
            orphans += 1
        errors += status == _ERROR
        start_ns = min(start_ns or start, start or start_ns)
        end_ns = max(end_ns, end)
    cycles = _cut_cycles(links)
    memo: dict[bytes, bytes] = {}
    above = {span_id: _climb(links[span_id], links, kept, memo) for span_id in kept}
    root = min(roots, key=lambda head: (head.start_ns, head.span_id), default=None)
    return Forest(
        kept,
        spans,
        above,
        _children_first(above),
        root,
        len(roots),
        orphans,
        errors,
        start_ns,
        max(start_ns, end_ns),  # clocks step back
        cycles,
        links,
    )


def span_key(span_id: bytes) -> bytes:
    """A span id at its fixed width, as `heads` packs it."""
    return span_id[:8].ljust(8, b"\0")


def richer(one: LlmCall, other: LlmCall) -> LlmCall:
    """Of two copies of a span the one that counts: a join, so neither order nor number matters."""
    if one is other:
        return one
    return max(one, other, key=_copy_rank)


def _copy_rank(call: LlmCall) -> tuple[int, int, bytes]:
    cost = call.charge.attos
    return (call.end_ns, -1 if cost is None else cost, encode_calls([call]))


def _richest_copies(calls: Iterable[LlmCall]) -> dict[bytes, LlmCall]:
    kept: dict[bytes, LlmCall] = {}
    for call in calls:
        span_id = span_key(call.span_id)
        held = kept.get(span_id)
        kept[span_id] = call if held is None else richer(held, call)
    return kept


def _latest_heads(heads: Iterable[Head], calls: Mapping[bytes, LlmCall]) -> dict[bytes, Head]:
    """One head per span id: of several the one that ended last; a call without one gets its own."""
    spans: dict[bytes, Head] = {}
    for head in heads:
        held = spans.get(head.span_id)
        if held is None or (head.end_ns, head) > (held.end_ns, held):
            spans[head.span_id] = head
    for span_id, call in calls.items():
        if span_id not in spans:
            spans[span_id] = Head(
                call.trace_id,
                span_id,
                span_key(call.parent_span_id),
                call.start_ns,
                call.end_ns,
                0,
                call.kind,
                call.status,
            )
    return spans


def _cut_cycles(links: dict[bytes, bytes]) -> int:
    """Make the smallest span id of every cycle a root. Return how many cycles there were."""
    walked: dict[bytes, bytes] = {}  # span -> where the walk that met it began
    cycles = 0
    for start in links:
        if start in walked:
            continue
        path: list[bytes] = []
        span_id = start
        while span_id in links and span_id not in walked:
            walked[span_id] = start
            path.append(span_id)
            span_id = links[span_id]
        if path and walked.get(span_id) == start:  # this walk met itself
            links[min(path[path.index(span_id) :])] = ROOT
            cycles += 1
    return cycles


def _climb(
    span_id: bytes,
    links: Mapping[bytes, bytes],
    calls: Mapping[bytes, LlmCall],
    memo: dict[bytes, bytes],
) -> bytes:
    """Go up to the first call, to ROOT or out of the trace; remember it for the whole path."""
    path: list[bytes] = []
    while span_id in links and span_id not in calls:
        if span_id in memo:
            span_id = memo[span_id]
            break
        path.append(span_id)
        span_id = links[span_id]
    for passed in path:
        memo[passed] = span_id
    return span_id


def _children_first(above: Mapping[bytes, bytes]) -> list[bytes]:
    """The calls in an order in which every one comes after all calls below it."""
    children: dict[bytes, list[bytes]] = {}
    stack: list[bytes] = []
    for span_id, parent in above.items():
        if parent in above:
            children.setdefault(parent, []).append(span_id)
        else:
            stack.append(span_id)
    order: list[bytes] = []
    while stack:
        span_id = stack.pop()
        order.append(span_id)
        stack.extend(children.get(span_id, ()))
    order.reverse()
    return order
