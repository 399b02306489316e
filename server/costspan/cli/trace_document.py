"""The document of `costspan trace --json` (schema costspan.trace/v1). Pure: a trace in, dicts out.

Its JSON Schema is docs/reference/trace.schema.json. Later versions only add fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from costspan.cli.price_document import span_document, sums_document
from costspan.finish.outline import Step
from costspan.ledger.forest import ROOT
from costspan.ledger.path import Path
from costspan.ledger.rollup import Rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.ledger.sums import AGENT, MODEL, Sums
from costspan.ledger.tree import Tree
from costspan.model import TraceTotals, TransactionTotals
from costspan_pricing import format_usd

SCHEMA = "costspan.trace/v1"
_STATUS = ("unset", "ok", "error")


class Traced(NamedTuple):
    """A trace, and all that is told of it."""

    trace_id: bytes
    rolled: Rollup
    tree: Tree
    steps: Sequence[Step]
    path: Path
    chain: Sequence[bytes]  # span ids: the heaviest way down


def document(traced: Traced) -> dict[str, Any]:
    """What `--json` prints."""
    trace_id, rolled = traced.trace_id, traced.rolled
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
        "failed_cost_usd": format_usd(int(row.failed_cost)),
        "repeated_tool_calls": row.repeated_tools,
        "repeated_tool_cost_usd": format_usd(int(row.repeated_tool_cost)),
        "coordination_cost_usd": format_usd(int(row.coordination_cost)),
        "llm_duration_ns": row.llm_duration_ns,
        "llm_busy_ns": row.llm_busy_ns,
        "critical_path": _path(traced.path),
        "heaviest_chain": [span_id.hex() for span_id in traced.chain],
        "by_model": _groups(rolled.by[MODEL]),
        "by_agent": _groups(rolled.by[AGENT]),
        "agents": _agents(row),
        "transactions": [_transaction(one) for one in row.transactions],
        "spans": [_step(step) for step in traced.steps],
    }


def _path(path: Path) -> dict[str, Any]:
    spent = path.spent
    return {
        "duration_ns": sum(spent.values()),
        "cost_usd": format_usd(path.cost),
        "spans": [
            {"span_id": span_id.hex() if span_id != ROOT else None, "duration_ns": duration}
            for span_id, duration in spent.items()
        ],
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
