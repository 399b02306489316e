"""The document of `costspan trace --json` (schema costspan.trace/v1). Pure: a trace in, dicts out.

Its JSON Schema is docs/reference/trace.schema.json. Later versions only add fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from costspan.cli.price_document import span_document, sums_document
from costspan.finish.outline import Step
from costspan.ledger.rollup import Rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.ledger.sums import AGENT, MODEL, Sums
from costspan.model import TraceTotals, TransactionTotals
from costspan_pricing import format_usd

SCHEMA = "costspan.trace/v1"
_STATUS = ("unset", "ok", "error")


def document(trace_id: bytes, rolled: Rollup, steps: Iterable[Step]) -> dict[str, Any]:
    """What `--json` prints."""
    row = totals(rolled, Stamp(trace_id, "", 0, 0, "", "", 0))
    return {
        "schema": SCHEMA,
        "trace_id": trace_id.hex(),
        **sums_document(rolled.total),
        "unpriced_calls": rolled.total.unpriced,
        "service": rolled.service,
        "root_name": rolled.root_name or None,
        "start_unix_nano": rolled.start_ns,
        "end_unix_nano": rolled.end_ns,
        "errors": rolled.errors,
        "flags": list(row.flags),
        "retries": row.retries,
        "retry_cost_usd": format_usd(int(row.retry_cost)),
        "by_model": _groups(rolled.by[MODEL]),
        "by_agent": _groups(rolled.by[AGENT]),
        "agents": _agents(row),
        "transactions": [_transaction(one) for one in row.transactions],
        "spans": [_step(step) for step in steps],
    }


def _groups(groups: Mapping[str, Sums]) -> dict[str, Any]:
    return {key: sums_document(sums) for key, sums in sorted(groups.items())}


def _agents(row: TraceTotals) -> dict[str, Any]:
    """What each agent set off, agents below it included: these overlap."""
    return {
        name: {"cost_usd": format_usd(int(tally.cost)), "llm_calls": tally.calls}
        for name, tally in row.agents.items()
    }


def _transaction(one: TransactionTotals) -> dict[str, Any]:
    return {
        "span_id": one.span_id.hex() or None,
        "name": one.name or None,
        "service": one.service,
        "cost_usd": format_usd(int(one.cost)),
        "llm_calls": one.calls,
        "unpriced_calls": one.unpriced_calls,
    }


def _step(step: Step) -> dict[str, Any]:
    span_id, parent, start, end, _, _, status = step.span.node
    return {
        "span_id": span_id.hex(),
        "parent_span_id": parent.hex() if any(parent) else None,
        "name": step.span.name,
        "service": step.span.service,
        "start_unix_nano": start,
        "end_unix_nano": end,
        "status": _STATUS[status] if status < len(_STATUS) else "unset",
        "depth": step.depth,
        "cost_usd": format_usd(step.cost),
        "own_cost_usd": format_usd(step.own_cost),
        "llm_calls": step.calls,
        "call": span_document(step.decision) if step.decision else None,
    }
