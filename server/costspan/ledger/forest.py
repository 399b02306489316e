"""The tree of one trace, reduced to the spans that carry a record. No money, no clock.

Only links between records matter for billing and identity, so every other span is a step of a
path. Nothing here recurses: chains of 100 000 spans and parent links that form cycles are input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from costspan.model import WITNESS, LlmCall, encode_calls

ROOT = bytes(8)
"""The parent id of a span that has none."""
_ID = len(ROOT)
_NAMELESS = b"\xff" * _ID  # stands for a span without an id: ROOT is above all, and no span
_ERROR = 2  # Status.code of opentelemetry-proto
_ENTERED = frozenset({2, 5})  # Span.kind: SERVER, CONSUMER
# Span.flags: it is known whether the parent is in another process; and it is
_KNOWN, _REMOTE = 0x100, 0x300
_PEELINGS = 12  # deeper trees are walked


Node = tuple[bytes, bytes, int, int, int, int, int]
"""A head without its trace id: span id, parent span id, start, end, flags, kind, status."""


class Root(NamedTuple):
    """The span without a parent that starts first; of several the smallest id."""

    start_ns: int
    span_id: bytes
    end_ns: int


class Forest(NamedTuple):
    """The spans of one trace. All ids are 8 bytes."""

    calls: dict[bytes, LlmCall]  # by span id: of several copies the one that counts
    above: dict[bytes, bytes]  # call -> the nearest call above, else ROOT or a missing span's id
    order: list[bytes]  # the calls, every one after all calls below it
    root: Root | None
    roots: int  # spans without a parent
    orphans: int  # spans whose parent is not here
    errors: int  # spans that ended in one
    start_ns: int  # the first; a time of 0 is no time
    end_ns: int  # the last
    cycles: int  # each cut at its smallest span id
    links: Mapping[bytes, bytes]  # every span, the calls included -> parent, without cycles
    nodes: Mapping[bytes, Node]  # every span; of several copies the one that ended last
    entries: frozenset[bytes]  # where a process was entered: SERVER, CONSUMER, a remote parent

    def nearest(self, span_id: bytes) -> bytes:
        """The first call at or above a span, else ROOT or the id of the missing span above."""
        return _climb(span_id, self.links, self.calls, {})


def plant(calls: Iterable[LlmCall], nodes: Iterable[Node]) -> Forest:
    """Build the forest. The same set of records gives the same forest, in any order.

    Columns and not spans: what looks at every span of a trace then runs in C.
    """
    kept = _richest_copies(calls)
    copies = list(nodes)
    rows = _one_each(copies, kept)
    ids, parents, starts, ends, _, _, statuses = zip(*rows, strict=True) if rows else ((),) * 7
    links: dict[bytes, bytes] = dict(zip(ids, parents, strict=True))
    absent = set(parents).difference(links, (ROOT,))
    roots = parents.count(ROOT)
    start_ns = min(filter(None, starts), default=0)
    cycles = 0 if _ends_everywhere(links) else _cut_cycles(links)
    memo: dict[bytes, bytes] = {}
    above = {span_id: _climb(links[span_id], links, kept, memo) for span_id in kept}
    return Forest(
        kept,
        above,
        _children_first(above),
        _root(rows, parents) if roots else None,
        roots,
        sum(map(absent.__contains__, parents)) if absent else 0,
        statuses.count(_ERROR),
        start_ns,
        max(start_ns, max(ends, default=0)),  # clocks step back
        cycles,
        links,
        dict(zip(ids, rows, strict=True)),
        frozenset(row[0] for row in copies if row[5] in _ENTERED or row[4] & _REMOTE == _REMOTE),
    )


def is_entry(flags: int, kind: int) -> bool:
    """Whether a process was entered with this span."""
    return kind in _ENTERED or flags & _REMOTE == _REMOTE


def is_local(flags: int) -> bool:
    """Whether the parent is known to be in the process of the span."""
    return flags & _REMOTE == _KNOWN


def span_key(span_id: bytes) -> bytes:
    """Under which a span is known: its id at its fixed width, or a name for the one without."""
    key = parent_key(span_id)
    return _NAMELESS if key == ROOT else key


def parent_key(span_id: bytes) -> bytes:
    """The id of the span above at its fixed width, as `heads` packs it; ROOT if there is none."""
    return span_id if len(span_id) == _ID else span_id[:_ID].ljust(_ID, b"\0")


def richer(one: LlmCall, other: LlmCall) -> LlmCall:
    """Of two copies of a span the one that counts: a join, so neither order nor number matters."""
    if one is other:
        return one
    return max(one, other, key=_copy_rank)


def _copy_rank(call: LlmCall) -> tuple[bool, int, int, bytes]:
    """A state of the span that tells of usage goes before one that does not, however late."""
    cost = call.charge.attos
    return (call.role != WITNESS, call.end_ns, -1 if cost is None else cost, encode_calls([call]))


def _richest_copies(calls: Iterable[LlmCall]) -> dict[bytes, LlmCall]:
    kept: dict[bytes, LlmCall] = {}
    for call in calls:
        span_id = span_key(call.span_id)
        held = kept.get(span_id)
        kept[span_id] = call if held is None else richer(held, call)
    return kept


def _one_each(rows: list[Node], calls: Mapping[bytes, LlmCall]) -> list[Node]:
    """One row per span id: of several the one that ended last; a call without one gets its own."""
    spans = {row[0]: row for row in rows}
    if ROOT in spans:
        rows = [(span_key(row[0]), *row[1:]) for row in rows]
        spans = {row[0]: row for row in rows}
    if len(spans) < len(rows):
        for row in rows:
            held = spans[row[0]]
            if (row[3], row) > (held[3], held):
                spans[row[0]] = row
        rows = list(spans.values())
    return rows + [
        (span_id, parent_key(call.parent_span_id), call.start_ns, call.end_ns, 0, call.kind,
         call.status)
        for span_id, call in calls.items()
        if span_id not in spans
    ]  # fmt: skip


def _root(rows: Sequence[Node], parents: tuple[bytes, ...]) -> Root:
    """The root of rows of which at least one has no parent."""
    at = parents.index(ROOT)
    if parents.count(ROOT) == 1:
        span_id, _, start, end, *_ = rows[at]
        return Root(start, span_id, end)
    return min(Root(row[2], row[0], row[3]) for row in rows if row[1] == ROOT)


def _ends_everywhere(links: Mapping[bytes, bytes]) -> bool:
    """True if no path can go round in a circle; False if that is not known.

    Spans that nobody is below are taken away until none is left. What is left on a circle stays.
    """
    left: AbstractSet[bytes] = links.keys()
    for _ in range(_PEELINGS):
        inner = links.keys() & {links[span_id] for span_id in left}
        if not inner:
            return True
        if len(inner) == len(left):
            return False
        left = inner
    return False


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
