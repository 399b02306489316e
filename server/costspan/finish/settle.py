"""Totals of traces that several writers saw parts of, made anew from all that is stored of them.

No writer saw the whole trace, so none could tell a wrapper in one process from the calls below it
in another. The row that is written here stands until a part of the trace gets a newer version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from costspan.dialect import ANNOUNCES
from costspan.errors import Refused
from costspan.exporter.clickhouse import rows
from costspan.exporter.clickhouse.fit import fit_calls, fit_totals
from costspan.exporter.clickhouse.inserts import Insert
from costspan.exporter.clickhouse.totals import totals_block
from costspan.finish.reading import StoredTrace, attos, read_traces
from costspan.ledger.rollup import Rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.model import ALREADY_METERED, LlmCall, TraceTotals
from costspan.wire.native import Block

WRITER = "finisher"
FINISHED = "finished"  # the reason of its rows
_MOST_TRACES = 10_000  # of one run; the next one finds the others
# Read and written together: one trace takes as long to find as a hundred, but for their spans.
_AT_ONCE, _SPANS_AT_ONCE = 100, 20_000

# Of several parts: a span that went to two writers is a row once, and in the total twice. Or of one
# part with parents missing that the store has: a part without usage has no row, and yet may hold
# the agent, the entry, or what lies between two tellings of a call.
_CANDIDATES = """
SELECT t.TraceId, t.LlmCalls, t.CostUsd, p.Versions, toUnixTimestamp64Nano(t.Arrived), p.Spans,
       p.Calls, t.Spans
FROM trace_totals AS t
INNER JOIN (SELECT TraceId, sum(Version) AS Versions, max(End) AS Last, max(Spans) AS Spans,
                   max(LlmCalls) AS Calls
            FROM trace_totals_parts FINAL WHERE SettledVersions = 0
            GROUP BY TraceId) AS p ON p.TraceId = t.TraceId
LEFT JOIN (SELECT TraceId, uniqExactIf(SpanId,
               NOT hasAny(mapKeys(SpanAttributes), {announces:Array(String)})) AS Spans
           FROM otel_traces
           WHERE Timestamp > now() - toIntervalSecond({since:UInt64} + 86400) AND TraceId IN (
               SELECT TraceId FROM trace_totals_parts
               WHERE has(Flags, 'orphans') AND Arrived > now() - toIntervalSecond({since:UInt64}))
           GROUP BY TraceId) AS stored ON stored.TraceId = t.TraceId
WHERE (t.Parts > 1 OR stored.Spans > t.Spans)
  AND t.Arrived > now() - toIntervalSecond({since:UInt64})
  AND p.Last < now() - toIntervalSecond({quiet:UInt64})
ORDER BY t.Arrived, t.TraceId LIMIT {most:UInt64}"""


class Store(Protocol):
    """What is needed of a connection."""

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]: ...
    def insert(self, insert: Insert) -> None: ...


class Candidate(NamedTuple):
    """A trace that may be told wrong, and as what. Money in attos."""

    trace_id: bytes
    calls: int
    cost: int
    versions: int  # of its parts, added up
    arrived_ns: int
    spans_of_one: int  # the most that one part counts: there are at least as many
    calls_of_one: int
    spans: int  # of all parts: what both saw twice


class Settled(NamedTuple):
    """What became of one trace. Money in attos."""

    trace_id: bytes
    calls_before: int
    calls: int
    cost_before: int
    cost: int
    corrected: int  # rows of calls that say something else now
    skipped: str = ""  # why nothing was written


def candidates(store: Store, *, since: int, quiet: int) -> list[Candidate]:
    """Traces that arrived in the last `since` seconds and have been quiet for `quiet` seconds."""
    found = store.rows(
        _CANDIDATES, since=since, quiet=quiet, most=_MOST_TRACES, announces=list(ANNOUNCES)
    )
    return [
        Candidate(bytes.fromhex(trace_id), calls, int(attos(cost)), *rest)
        for trace_id, calls, cost, *rest in found
    ]


def settle_all(
    store: Store, *, since: int, quiet: int, write: bool, tell: Callable[[Settled], None]
) -> int:
    """Roll every candidate up over all that is stored of it, and write what differs.

    Return how many were looked at.
    """
    found = candidates(store, since=since, quiet=quiet)
    for group in _groups(found):
        traces = read_traces(store, [one.trace_id for one in group])
        news = [_settled(one, traces[one.trace_id]) for one in group]
        if write:
            _write(store, [one for one in news if one.row is not None])
        for one in news:
            tell(one.outcome)
    return len(found)


class _News(NamedTuple):
    """What is found out about a trace."""

    outcome: Settled
    row: TraceTotals | None = None  # None: nothing is written
    corrections: Sequence[LlmCall] = ()


def _groups(found: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    group: list[Candidate] = []
    spans = 0
    for one in found:
        if group and (len(group) == _AT_ONCE or spans + one.spans > _SPANS_AT_ONCE):
            yield group
            group, spans = [], 0
        group.append(one)
        spans += one.spans
    if group:
        yield group


def _settled(one: Candidate, trace: StoredTrace) -> _News:
    rolled = trace.rollup()
    before = (one.trace_id, one.calls, rolled.total.calls, one.cost, rolled.total.cost)
    # fewer billed calls may be right: what one part bills, another may tell better
    if len(trace.spans) < one.spans_of_one or len(trace.shown) < one.calls_of_one:
        return _News(Settled(*before, 0, skipped="the store has less of it than one writer saw"))
    corrections = list(_corrections(trace, rolled))
    return _News(Settled(*before, len(corrections)), _row(one, trace, rolled), corrections)


def _write(store: Store, news: Sequence[_News]) -> None:
    """Calls first: a total that stands is of calls that say the same.

    A refusal may be one trace's fault (calls of more days than an insert takes): then each alone.
    """
    corrections = [call for one in news for call in one.corrections]
    found = [one.row for one in news if one.row is not None]
    try:
        if corrections:
            _insert(store, "llm_calls", rows.call_block(fit_calls(corrections)[0]))
        if found:
            _insert(store, "trace_totals_parts", totals_block(fit_totals(found)[0]))
    except Refused:
        if len(news) == 1:
            raise
        for one in news:
            _write(store, [one])


def _row(one: Candidate, trace: StoredTrace, rolled: Rollup) -> TraceTotals:
    """The store knows the name of every span; a ledger only those that carry a record."""
    grade = "verified" if rolled.whole and not trace.awaited else "quiet"
    stamp = Stamp(one.trace_id, WRITER, 0, one.versions, FINISHED, grade, one.arrived_ns)
    row = totals(rolled, stamp)
    row.settles = one.versions
    root = rolled.forest.root
    if root is not None and root.span_id in trace.spans:
        row.root_name = trace.spans[root.span_id].name
        row.service = trace.spans[root.span_id].service
    for each in row.transactions:
        if each.span_id in trace.spans:
            each.name = trace.spans[each.span_id].name
            each.service = trace.spans[each.span_id].service
    for branch in row.branches:
        if branch.span_id in trace.spans:
            branch.name = trace.spans[branch.span_id].name
    return row


def _corrections(trace: StoredTrace, rolled: Rollup) -> Iterator[LlmCall]:
    """Rows of calls that were decided by a part of the trace, one version further."""
    for span_id, held in rolled.decisions.items():
        call = held.call
        said = (call.billed, call.billed_reason, trace.shown.get(span_id))
        if held.reason != ALREADY_METERED and said != (held.billed, held.reason, held.identity):
            yield held.corrected(call.version + 1)


def _insert(store: Store, table: str, block: Block) -> None:
    """The token is of these very rows: an insert that is tried again writes once."""
    body = block.encode()
    token = f"{WRITER}:{sha256(body).hexdigest()[:32]}"
    store.insert(Insert(table, block.columns, block.rows, body, "Native", token))
