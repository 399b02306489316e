"""The document of `costspan price --json` (schema costspan.price/v1). Pure: records in, dicts out.

Its JSON Schema is docs/reference/price.schema.json. Later versions only add fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from costspan.ledger.billing import COVERED, DUPLICATE
from costspan.ledger.forest import Node, parent_key, span_key
from costspan.ledger.rollup import Decision, Rollup, rollup
from costspan.ledger.sums import AGENT, MODEL, Sums
from costspan.model import PENDING, WITNESS, LlmCall
from costspan.wire import Head
from costspan_pricing import format_usd

SCHEMA = "costspan.price/v1"


class Priced(NamedTuple):
    """A set of complete traces."""

    spans: list[Decision]  # of every usage-bearing span in input order, doubles too
    traces: dict[bytes, Rollup]  # by trace id, in input order


def evaluate(calls: Sequence[LlmCall], heads: Sequence[Head]) -> Priced:
    """Roll up every trace of the input, and decide for every record of it."""
    by_trace: dict[bytes, tuple[list[LlmCall], list[Node]]] = {}
    announced = {_key(call) for call in calls if call.role == PENDING}
    calls = [call for call in calls if call.role != PENDING]
    for head in heads:
        if (head.trace_id, head.span_id) not in announced:
            by_trace.setdefault(head.trace_id, ([], []))[1].append(head[1:])
    for call in calls:
        by_trace.setdefault(_trace_key(call), ([], []))[0].append(call)
    rolled = {trace_id: rollup(*records) for trace_id, records in by_trace.items()}
    traces = {trace_id: found for trace_id, found in rolled.items() if found.decisions}
    spans = [_decision(call, traces[_trace_key(call)]) for call in calls if call.role != WITNESS]
    return Priced(spans, traces)


def document(priced: Priced) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "schema": SCHEMA,
        "spans": [span_document(decision) for decision in priced.spans],
        "traces": [_trace(trace_id, found) for trace_id, found in priced.traces.items()],
    }


def _trace_key(call: LlmCall) -> bytes:
    return call.trace_id[:16].ljust(16, b"\0")


def _key(call: LlmCall) -> tuple[bytes, bytes]:
    """As the call's head has it."""
    return _trace_key(call), parent_key(call.span_id)


def _decision(call: LlmCall, found: Rollup) -> Decision:
    """The trace's decision, or that the record is another copy of a span that has one."""
    decision = found.decisions[span_key(call.span_id)]
    if decision.call is call:
        return decision
    return Decision(call, billed=False, reason=DUPLICATE, identity=decision.identity)


def span_document(decision: Decision) -> dict[str, Any]:
    """One usage-bearing span."""
    call, charge = decision.call, decision.call.charge
    status = decision.reason if decision.reason in (COVERED, DUPLICATE) else charge.status
    return {
        "trace_id": call.trace_id.hex(),
        "span_id": call.span_id.hex(),
        "parent_span_id": call.parent_span_id.hex() or None,
        "name": call.name,
        "dialect": call.dialect,
        "operation": call.operation or None,
        "provider": call.provider or None,
        "request_model": call.request_model or None,
        "response_model": call.response_model or None,
        "usage": None if call.usage is None else _usage(call.usage),
        "billed": decision.billed,
        "billed_reason": decision.reason,
        "status": status,
        "unpriced_reason": charge.reason or None if status == "unpriced" else None,
        "cost_usd": _usd(charge.total) if decision.billed else None,
        "would_cost_usd": None if decision.billed else _usd(charge.total),
        "list_cost_usd": _usd(charge.list_total),
        "effective_cost_usd": _usd(charge.effective) if decision.billed else None,
        "showback_cost_usd": _usd(charge.showback_total) if decision.billed else None,
        "lines": _lines(call),
        "cache_status": call.cache_status or None,
        "savings_usd": _usd(charge.savings),
        "reported_cost_usd": _usd(call.reported_cost),
        "price_ref": charge.price_ref or None,
        "assumed": list(charge.assumed),
        **_identity(decision),
    }


def _identity(decision: Decision) -> dict[str, Any]:
    who = decision.identity
    return {
        "agent": who.agent or None,
        "workflow": who.workflow or None,
        "tool": who.tool or None,
        "user": who.user or None,
        "session": who.session or None,
        "conversation": who.conversation or None,
        "transaction": decision.transaction.hex(),
        "dimensions": dict(sorted(who.dimensions.items())),
    }


def _lines(call: LlmCall) -> list[dict[str, Any]]:
    return [
        {
            "unit": line.unit,
            "quantity": line.quantity,
            "usd_per_unit": _usd(line.usd_per_unit),
            "usd": _usd(line.usd),
        }
        for line in call.charge.lines
    ]


def _trace(trace_id: bytes, found: Rollup) -> dict[str, Any]:
    return {
        "trace_id": trace_id.hex(),
        **sums_document(found.total),
        "unpriced_calls": found.total.unpriced,
        "by_model": {key: sums_document(sums) for key, sums in sorted(found.by[MODEL].items())},
        "by_agent": {key: sums_document(sums) for key, sums in sorted(found.by[AGENT].items())},
        "flags": list(found.flags),
        "dimensions": dict(sorted(found.identity.dimensions.items())),
    }


def sums_document(sums: Sums) -> dict[str, Any]:
    """The sum of what is priced; what is not is counted in `llm_calls` all the same."""
    return {
        "cost_usd": format_usd(sums.cost),
        "llm_calls": sums.calls,
        "usage": _usage(sums.usage),
    }


def _usage(usage: Mapping[str, int]) -> dict[str, int]:
    return {unit: quantity for unit, quantity in sorted(usage.items()) if quantity}


def _usd(attos: str) -> str | None:
    return format_usd(int(attos)) if attos else None
