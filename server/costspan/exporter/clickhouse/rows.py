"""Calls to columns: the only module that knows how a record becomes a row. Pure.

Their values are in range by then (`fit.py`).

A block is built here and not by clickhouse-connect: that multiplies Decimals in a context of 28
digits, which loses the tail of Decimal(38, 18), and its `insert` imports pandas if it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costspan.model import PENDING, WITNESS, Charge, LlmCall
from costspan.wire import native
from costspan.wire.native import Block

_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_CODES = ("Unset", "Ok", "Error")
_ROWLESS = frozenset({WITNESS, PENDING})
TIME = "DateTime64(9)"
MONEY = "Decimal(38, 18)"

_TEXTS: dict[str, Callable[[LlmCall], str]] = {
    "TraceId": lambda call: call.trace_id.hex(),
    "SpanId": lambda call: call.span_id.hex(),
    "ParentSpanId": lambda call: call.parent_span_id.hex() if any(call.parent_span_id) else "",
    "SpanName": lambda call: call.name,
    "SpanKind": lambda call: _name(_KINDS, call.kind),
    "StatusCode": lambda call: _name(_CODES, call.status),
    "ErrorType": lambda call: call.error_type,
    "ServiceName": lambda call: call.service,
    "ScopeName": lambda call: call.scope_name,
    "ScopeVersion": lambda call: call.scope_version,
    "Dialect": lambda call: call.dialect,
    "Convention": lambda call: call.convention,
    "DecidedBy": lambda call: call.decided_by,
    "Role": lambda call: call.role,
    "Operation": lambda call: call.operation,
    "Provider": lambda call: call.provider,
    "RequestModel": lambda call: call.request_model,
    "ResponseModel": lambda call: call.response_model,
    "ResponseId": lambda call: call.response_id,
    "TransactionSpanId": lambda call: call.transaction.hex(),
    "RootSpanId": lambda call: call.root.hex(),
    "Gateway": lambda call: call.gateway,
    "Agent": lambda call: call.identity.agent,
    "Workflow": lambda call: call.identity.workflow,
    "Tool": lambda call: call.identity.tool,
    "User": lambda call: call.identity.user,
    "Session": lambda call: call.identity.session,
    "Conversation": lambda call: call.identity.conversation,
    "InvalidUsage": lambda call: call.invalid,
    "CacheStatus": lambda call: call.cache_status,
    "CostStatus": lambda call: call.charge.status,
    "UnpricedReason": lambda call: call.charge.reason,
    "PricedModel": lambda call: call.charge.priced_model,
    "PriceRef": lambda call: call.charge.price_ref,
    "BilledReason": lambda call: call.billed_reason,
}
_LISTS: dict[str, Callable[[LlmCall], Sequence[str]]] = {
    "Modifiers": lambda call: call.charge.modifiers,
    "Assumed": lambda call: call.charge.assumed,
    "MissingAttributes": lambda call: call.missing,
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
    "CostUsd": lambda call: call.charge.total,
    "ListCostUsd": lambda call: call.charge.list_total,
    "EffectiveCostUsd": lambda call: call.charge.effective,
    "ShowbackCostUsd": lambda call: call.charge.showback_total,
    "SavingsUsd": lambda call: call.charge.savings,
    "ReportedCostUsd": lambda call: call.reported_cost,
}


def stored(calls: Sequence[LlmCall]) -> list[LlmCall]:
    """Those that become rows: the others carry no usage."""
    return [call for call in calls if call.role not in _ROWLESS]


def call_block(calls: Sequence[LlmCall]) -> Block:
    """One row of `llm_calls` per call. Raises ValueError for money beyond Decimal(38, 18)."""
    out = Block(len(calls))
    _add_times(out, calls)
    for column, text in _TEXTS.items():
        out.add(column, "String", native.texts([text(call) for call in calls]))
    for column, texts in _LISTS.items():
        out.add(column, "Array(String)", native.array([texts(call) for call in calls]))
    _add_usage(out, calls)
    for column, amount in _AMOUNTS.items():
        values = [_attos(amount(call)) for call in calls]
        out.add(column, f"Nullable({MONEY})", native.nullable_decimals(values))
    _add_lines(out, [call.charge for call in calls])
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


def _add_lines(out: Block, charges: Sequence[Charge]) -> None:
    ends = native.offsets(len(charge.lines) for charge in charges)
    lines = [line for charge in charges for line in charge.lines]
    quantities = native.unsigned([line.quantity for line in lines])
    prices = native.decimals(known(line.usd_per_unit) for line in lines)
    out.add("Lines.Unit", "Array(String)", ends + native.texts(line.unit for line in lines))
    out.add("Lines.Quantity", "Array(UInt64)", ends + quantities)
    out.add("Lines.UsdPerUnit", f"Array({MONEY})", ends + prices)
    sums = native.decimals(known(line.usd) for line in lines)
    out.add("Lines.Usd", f"Array({MONEY})", ends + sums)


# --- values --------------------------------------------------------------------------------------


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else ""


def _attos(text: str) -> int | None:
    return int(text) if text else None


def known(text: str) -> int:
    """Amounts that a record always states; "" would be a fault of its maker, worth 0."""
    return int(text) if text else 0
