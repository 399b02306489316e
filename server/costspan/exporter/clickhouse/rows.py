"""Calls to columns: the only module that knows how a record becomes a row. Pure.

Their values are in range by then (`fit.py`).

A block is built here and not by clickhouse-connect: that multiplies Decimals in a context of 28
digits, which loses the tail of Decimal(38, 18), and its `insert` imports pandas if it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from costspan.model import PENDING, WITNESS, Charge, LlmCall
from costspan.wire import native
from costspan.wire.native import Amounts, Block

_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_CODES = ("Unset", "Ok", "Error")
_ROWLESS = frozenset({WITNESS, PENDING})
TIME = "DateTime64(9)"
MONEY = "Decimal(38, 18)"

_TEXTS: dict[str, Callable[[LlmCall], str]] = {
    "TraceId": lambda call: call.trace_id.hex(),
    "SpanId": lambda call: call.span_id.hex(),
    "ParentSpanId": lambda call: call.parent_span_id.hex() if any(call.parent_span_id) else "",
    "SpanName": attrgetter("name"),
    "SpanKind": lambda call: _name(_KINDS, call.kind),
    "StatusCode": lambda call: _name(_CODES, call.status),
    "ErrorType": attrgetter("error_type"),
    "ServiceName": attrgetter("service"),
    "ScopeName": attrgetter("scope_name"),
    "ScopeVersion": attrgetter("scope_version"),
    "Dialect": attrgetter("dialect"),
    "Convention": attrgetter("convention"),
    "DecidedBy": attrgetter("decided_by"),
    "Role": attrgetter("role"),
    "Operation": attrgetter("operation"),
    "Provider": attrgetter("provider"),
    "RequestModel": attrgetter("request_model"),
    "ResponseModel": attrgetter("response_model"),
    "ResponseId": attrgetter("response_id"),
    "TransactionSpanId": lambda call: call.transaction.hex(),
    "RootSpanId": lambda call: call.root.hex(),
    "Gateway": attrgetter("gateway"),
    "Agent": attrgetter("identity.agent"),
    "Workflow": attrgetter("identity.workflow"),
    "Tool": attrgetter("identity.tool"),
    "User": attrgetter("identity.user"),
    "Session": attrgetter("identity.session"),
    "Conversation": attrgetter("identity.conversation"),
    "InvalidUsage": attrgetter("invalid"),
    "CacheStatus": attrgetter("cache_status"),
    "CostStatus": attrgetter("charge.status"),
    "UnpricedReason": attrgetter("charge.reason"),
    "PricedModel": attrgetter("charge.priced_model"),
    "PriceRef": attrgetter("charge.price_ref"),
    "BilledReason": attrgetter("billed_reason"),
}
_LISTS: dict[str, Callable[[LlmCall], Sequence[str]]] = {
    "Modifiers": attrgetter("charge.modifiers"),
    "Assumed": attrgetter("charge.assumed"),
    "MissingAttributes": attrgetter("missing"),
}
_MAIN_BUCKETS = {
    "InputTokens": "input",
    "CacheReadTokens": "cache_read",
    "CacheWrite5mTokens": "cache_write_5m",
    "CacheWrite1hTokens": "cache_write_1h",
    "OutputTokens": "output",
    "ReasoningTokens": "reasoning",
}
_AMOUNTS: dict[str, Callable[[LlmCall], str]] = {
    "CostUsd": attrgetter("charge.total"),
    "ListCostUsd": attrgetter("charge.list_total"),
    "EffectiveCostUsd": attrgetter("charge.effective"),
    "ShowbackCostUsd": attrgetter("charge.showback_total"),
    "SavingsUsd": attrgetter("charge.savings"),
    "ReportedCostUsd": attrgetter("reported_cost"),
}


def stored(calls: Sequence[LlmCall]) -> list[LlmCall]:
    """Those that become rows: the others carry no usage."""
    return [call for call in calls if call.role not in _ROWLESS]


def call_block(calls: Sequence[LlmCall]) -> Block:
    """One row of `llm_calls` per call. Raises ValueError for money beyond Decimal(38, 18)."""
    out, money = Block(len(calls)), Amounts()
    _add_times(out, calls)
    for column, text in _TEXTS.items():
        out.add(column, "String", native.texts(map(text, calls)))
    for column, texts in _LISTS.items():
        out.add(column, "Array(String)", native.array(list(map(texts, calls))))
    _add_usage(out, calls)
    for column, amount in _AMOUNTS.items():
        out.add(column, f"Nullable({MONEY})", money.nullable(list(map(amount, calls))))
    _add_lines(out, money, [call.charge for call in calls])
    maps = {
        "Dimensions": [call.identity.dimensions for call in calls],
        "Context": [call.context for call in calls],
    }
    for column, pairs in maps.items():
        out.add(column, "Map(String, String)", native.text_map(pairs))
    out.add("Billed", "Bool", native.bools(call.billed for call in calls))
    out.add("Cumulative", "Bool", native.bools(call.cumulative for call in calls))
    out.add("Version", "UInt64", native.unsigned([call.version for call in calls]))
    return out


def _add_times(out: Block, calls: Sequence[LlmCall]) -> None:
    out.add("Timestamp", TIME, native.signed([call.start_ns for call in calls]))
    out.add("EndTimestamp", TIME, native.signed([call.end_ns for call in calls]))
    durations = [max(call.end_ns - call.start_ns, 0) for call in calls]
    out.add("Duration", "UInt64", native.unsigned(durations))


def _add_usage(out: Block, calls: Sequence[LlmCall]) -> None:
    usages = [call.usage or {} for call in calls]
    out.add("UsageKnown", "Bool", native.bools(call.usage is not None for call in calls))
    for column, bucket in _MAIN_BUCKETS.items():
        counts = [usage.get(bucket, 0) for usage in usages]
        out.add(column, "UInt64", native.unsigned(counts))
    out.add("Usage", "Map(String, UInt64)", native.count_map(usages))


def _add_lines(out: Block, money: Amounts, charges: Sequence[Charge]) -> None:
    ends = native.offsets(len(charge.lines) for charge in charges)
    lines = [line for charge in charges for line in charge.lines]
    quantities = native.unsigned([line.quantity for line in lines])
    prices = money.column(line.usd_per_unit for line in lines)
    out.add("Lines.Unit", "Array(String)", ends + native.texts(line.unit for line in lines))
    out.add("Lines.Quantity", "Array(UInt64)", ends + quantities)
    out.add("Lines.UsdPerUnit", f"Array({MONEY})", ends + prices)
    sums = money.column(line.usd for line in lines)
    out.add("Lines.Usd", f"Array({MONEY})", ends + sums)


# --- values --------------------------------------------------------------------------------------


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else ""
