"""The demo's result as JSON (`costspan.demo/v1`): decimals are plain strings. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from costspan.demo.answers import Answers, Share
from costspan.demo.verdict import Difference


def document(answers: Answers, found: Sequence[Difference]) -> dict[str, Any]:
    """What `costspan demo --json` prints."""
    return {
        "schema": "costspan.demo/v1",
        "total_usd": _usd(answers.total),
        "traces": len(answers.traces),
        "spans": sum(trace.spans for trace in answers.traces),
        "llm_calls": sum(trace.calls for trace in answers.traces),
        "unpriced_calls": sum(row.calls for row in answers.unpriced),
        "cache_savings_usd": _usd(answers.savings),
        "failed_calls_usd": _usd(answers.wasted),
        "by_agent": _shares(answers.by_agent),
        "by_model": _shares(answers.by_model),
        "by_team": _shares(answers.by_team),
        "unpriced": [row._asdict() for row in answers.unpriced],
        "expensive_traces": [
            {**trace._asdict(), "cost": _usd(trace.cost)} for trace in answers.traces[:5]
        ],
        "check": {"equal": not found, "differences": [row._asdict() for row in found]},
    }


def _shares(shares: Sequence[Share]) -> dict[str, Any]:
    return {
        share.name: {"cost_usd": _usd(share.cost), "llm_calls": share.calls} for share in shares
    }


def _usd(amount: Decimal) -> str:
    return f"{amount.normalize():f}" if amount else "0"
