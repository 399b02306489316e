"""The records and spans of a trace, back from ClickHouse's tables. Reads only; decides nothing.

`llm_calls` gives the records of calls, with their exact money. It holds no witnesses: who an agent
is, is read from the attributes in `otel_traces`, as the line read it from the span.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from costspan.dialect import DEFAULT_DIMENSIONS, Dimensions, recognise, wanted
from costspan.ledger.forest import Node, parent_key, span_key
from costspan.ledger.rollup import Rollup, rollup
from costspan.model import PENDING, WITNESS, Charge, Hit, Identity, Line, LlmCall
from costspan.wire import unpack_heads
from costspan_pricing import parse_usd

MOST_SPANS = 200_000  # at once: a bound for memory, far above what a ledger holds of one trace
_KINDS = {"Internal": 1, "Server": 2, "Client": 3, "Producer": 4, "Consumer": 5}
_CODES = {"Ok": 1, "Error": 2}

_SPANS = """
SELECT TraceId,
       SpanId, ParentSpanId, SpanName, SpanKind, StatusCode, ServiceName, ScopeName, ScopeVersion,
       toUnixTimestamp64Nano(Timestamp), Duration,
       mapFilter((k, v) -> {attributes}, SpanAttributes),
       mapFilter((k, v) -> {resources}, ResourceAttributes)
FROM otel_traces WHERE TraceId IN ({ids})
ORDER BY TraceId, Timestamp, SpanId LIMIT 1 BY TraceId, SpanId LIMIT {most}"""

# In the order of the fields of LlmCall, as far as the table has them.
_CALLS = """
SELECT TraceId,
       SpanId, ParentSpanId, SpanName, SpanKind, toUnixTimestamp64Nano(Timestamp),
       toUnixTimestamp64Nano(EndTimestamp), StatusCode, ScopeName, ScopeVersion, ServiceName,
       Dialect, Convention, DecidedBy, Operation, Provider, RequestModel, ResponseModel, ResponseId,
       Role, UsageKnown, Usage, CacheStatus, Context,
       Agent, Workflow, Tool, User, Session, Conversation, Dimensions,
       CostStatus, UnpricedReason, CostUsd, ListCostUsd, SavingsUsd, Lines.Unit, Lines.Quantity,
       Lines.UsdPerUnit, Lines.Usd, PriceRef, PricedModel, Modifiers, Assumed, EffectiveCostUsd,
       ShowbackCostUsd, ReportedCostUsd, ErrorType, MissingAttributes, InvalidUsage, Billed,
       BilledReason, Version, Gateway, Cumulative, TransactionSpanId, RootSpanId
FROM llm_calls_latest WHERE TraceId IN ({ids}) ORDER BY TraceId, Timestamp, SpanId"""


class Tables(Protocol):
    """What is needed of a connection."""

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]: ...


class StoredSpan(NamedTuple):
    """A span as `otel_traces` has it."""

    node: Node
    name: str
    service: str


class StoredTrace(NamedTuple):
    """What the store knows of a trace."""

    spans: dict[bytes, StoredSpan]  # by span id
    records: list[LlmCall]  # calls, and the witnesses among the spans, as they arrived
    shown: Mapping[bytes, Identity] = {}  # of calls: whose their newest rows say that they are
    awaited: bool = False  # a span of it was announced, and is not here

    def rollup(self) -> Rollup:
        """By the code that the ledger uses, over all of it."""
        return rollup(self.records, [span.node for span in self.spans.values()])


def read_trace(
    tables: Tables, trace_id: bytes, dimensions: Dimensions = DEFAULT_DIMENSIONS
) -> StoredTrace:
    """Everything of one trace; nothing of it if it is not there. Raises what `rows` raises."""
    return read_traces(tables, [trace_id], dimensions)[trace_id]


def read_traces(
    tables: Tables, trace_ids: Sequence[bytes], dimensions: Dimensions = DEFAULT_DIMENSIONS
) -> dict[bytes, StoredTrace]:
    """The same of several, by two queries: nearly all of the time goes into finding a trace.

    What is asked for stands in the text: as a parameter it would be longer than a URL may be.
    """
    ids = ", ".join(_quoted(trace_id.hex()) for trace_id in trace_ids)
    spans = tables.rows(_spans_query(dimensions, ids))
    if len(spans) >= MOST_SPANS and len(trace_ids) > 1:  # more than that were asked for
        half = len(trace_ids) // 2
        return read_traces(tables, trace_ids[:half], dimensions) | read_traces(
            tables, trace_ids[half:], dimensions
        )
    spans_of, calls_of = _by_trace(spans), _by_trace(tables.rows(_CALLS.format(ids=ids)))
    return {one: _stored(one, spans_of[one], calls_of[one], dimensions) for one in trace_ids}


def _by_trace(found: Iterable[Sequence[Any]]) -> Mapping[bytes, list[Sequence[Any]]]:
    """The rest of the rows, by the trace id that they begin with."""
    groups: dict[bytes, list[Sequence[Any]]] = defaultdict(list)
    for trace_id, *row in found:
        groups[bytes.fromhex(trace_id)].append(row)
    return groups


def _stored(
    trace_id: bytes,
    found: Sequence[Sequence[Any]],
    rows: Sequence[Sequence[Any]],
    dimensions: Dimensions,
) -> StoredTrace:
    calls = [_call(trace_id, row) for row in rows]
    shown = {span_key(call.span_id): call.identity for call in calls}
    hits = [_hit(trace_id, row) for row in found if (row[10] or row[11])]
    told = [call for call in (recognise(hit, dimensions) for hit in hits) if call is not None]
    begun = {
        span_key(call.span_id): parent_key(call.parent_span_id)
        for call in told
        if call.role == PENDING
    }
    spans = {span.node[0]: span for span in map(_span, found) if span.node[0] not in begun}
    own = {span_key(call.span_id): call for call in told}
    records = [in_own_words(call, own.get(span_key(call.span_id))) for call in calls]
    records += [
        call for call in told if call.role == WITNESS and span_key(call.span_id) not in shown
    ]
    return StoredTrace(spans, records, shown, not spans.keys() >= set(begun.values()))


def in_own_words(call: LlmCall, own: LlmCall | None) -> LlmCall:
    """A call with the names that its span says, None if that is gone; and what no row has.

    Its row has the gaps filled by a writer that saw a part of the trace: what is nearer may be in
    another part. Dimensions stay: which attributes they are, is in the configuration of a sidecar.
    """
    if own is None:
        return call
    kept = call.identity
    said = replace(own.identity, dimensions=kept.dimensions, defaults=kept.defaults)
    return replace(call, identity=said, arguments=own.arguments)


def of_ledger(records: list[LlmCall], heads: bytes) -> StoredTrace:
    """A trace as a ledger holds it; only spans with a record have a name and a service."""
    told = {span_key(call.span_id): call for call in records}
    spans = {}
    for head in unpack_heads(heads):
        call = told.get(head.span_id)
        name, service = (call.name, call.service) if call else ("(no name yet)", "")
        spans[head.span_id] = StoredSpan(head[1:], name, service)
    return StoredTrace(spans, records)


def _spans_query(dimensions: Dimensions, ids: str) -> str:
    """Of the attributes those that `recognise` looks at: prompts stay where they are."""
    asked = wanted(dimensions, frozenset())
    begins = [f"startsWith(k, {_quoted(prefix)})" for prefix in sorted(asked.prefixes)]
    apart = [
        f"(k = {_quoted(other)} AND SpanAttributes[{_quoted(key)}] = {_quoted(value)})"
        for key, value, other in asked.conditional
    ]
    return _SPANS.format(
        attributes=" OR ".join([_one_of(asked.keys), *begins, *apart]),
        resources="true" if "" in asked.resource_keys else _one_of(asked.resource_keys),
        ids=ids,
        most=MOST_SPANS,
    )


def _one_of(keys: Iterable[str]) -> str:
    return f"has([{', '.join(map(_quoted, sorted(keys)))}], k)"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _span(row: Sequence[Any]) -> StoredSpan:
    span_id, parent_id, name, kind, code, service, _, _, start, duration, *_ = row
    node = (
        *(span_key(bytes.fromhex(span_id)), parent_key(bytes.fromhex(parent_id))),
        *(start, start + duration, 0, _KINDS.get(kind, 0), _CODES.get(code, 0)),
    )
    return StoredSpan(node, name, service)


def _hit(trace_id: bytes, row: Sequence[Any]) -> Hit:
    """The span as the line met it, but for the types of its values: here all are text."""
    span_id, parent_id, name, kind, code, _, scope, version, start, duration, values, said = row
    return Hit(
        ordinal=0,
        trace_id=trace_id,
        span_id=bytes.fromhex(span_id),
        parent_span_id=bytes.fromhex(parent_id),
        name=name,
        kind=_KINDS.get(kind, 0),
        start_ns=start,
        end_ns=start + duration,
        status=_CODES.get(code, 0),
        flags=0,
        scope=(scope, version),
        resource=said,
        values=values,
        own={},
    )


def _call(trace_id: bytes, row: Sequence[Any]) -> LlmCall:
    span_id, parent_id, name, kind, start, end, code = row[:7]
    known, usage, cache_status, context = row[19:23]
    reported, error_type, missing, invalid, billed, reason, version = row[45:52]
    gateway, cumulative, transaction, root = row[52:]
    fields: list[Any] = [
        *(0, trace_id, bytes.fromhex(span_id), bytes.fromhex(parent_id), name),
        *(_KINDS.get(kind, 0), start, end, _CODES.get(code, 0)),
        *row[7:19],  # scope_name to role
        {unit: count for unit, count in usage.items() if count} if known else None,
        *(cache_status, context, Identity(*row[23:30]), _charge(row[30:45])),
        *(attos(reported), error_type, tuple(missing), invalid, billed, reason, version, gateway),
    ]
    call = LlmCall(*fields)
    call.cumulative = cumulative
    call.transaction, call.root = bytes.fromhex(transaction), bytes.fromhex(root)
    return call


def _charge(row: Sequence[Any]) -> Charge:
    status, reason, total, listed, savings = row[:5]
    units, quantities, prices, sums = row[5:9]
    price_ref, model, modifiers, assumed, effective, showback = row[9:]
    lines = zip(units, quantities, map(attos, prices), map(attos, sums), strict=True)
    charge = Charge(
        *(status, reason, attos(total), attos(listed), attos(savings)),
        lines=tuple(Line(*line) for line in lines),
        price_ref=price_ref,
        priced_model=model,
        modifiers=tuple(modifiers),
        assumed=tuple(assumed),
        showback_total=attos(showback),
    )
    if charge.effective == attos(effective):
        return charge
    return replace(charge, effective_total=attos(effective))


def attos(amount: Decimal | None) -> str:
    """By its digits: arithmetic on a Decimal would round to the 28 of its context."""
    return "" if amount is None else str(parse_usd(f"{amount:f}"))
