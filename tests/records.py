"""Records as the line makes them, with every field set: a priced call and the totals of a trace."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from costspan.model import LEAF, Charge, Identity, Line, LlmCall, Tally, TraceTotals

NOW = time.time_ns()  # the tables drop what is older than their TTL
SECOND = 10**9


def call(**changes: Any) -> LlmCall:
    """A priced call; `changes` replace fields."""
    made = LlmCall(
        ordinal=0,
        trace_id=b"\x01" * 16,
        span_id=b"\x02" * 8,
        parent_span_id=b"",
        name="chat gpt-4o",
        kind=3,
        start_ns=NOW,
        end_ns=NOW + SECOND,
        status=0,
        scope_name="opentelemetry.instrumentation.openai",
        scope_version="2",
        service="shop",
        dialect="genai",
        convention="inclusive",
        decided_by="scope",
        operation="chat",
        provider="openai",
        request_model="gpt-4o",
        response_model="gpt-4o-2024-08-06",
        response_id="r-1",
        role=LEAF,
        usage={"input": 1000, "cache_read": 24, "output": 100, "web_search": 2},
        cache_status="hit",
        context={"tier": "flex"},
        identity=Identity(agent="planner", dimensions={"team": "search"}),
        charge=Charge(
            status="priced",
            total="3500000000000000",
            list_total="7000000000000000",
            savings="-12",
            lines=(Line("input", 1000, "2500000000000", "2500000000000000"),),
            price_ref="genai-prices@abc;gpt-4o;2024-08-06;",
            priced_model="gpt-4o",
        ),
    )
    return msgspec.structs.replace(made, **changes)


def totals(**changes: Any) -> TraceTotals:
    """The totals of one trace; `changes` replace fields."""
    made = TraceTotals(
        trace_id=b"\x01" * 16,
        writer="w1",
        generation=7,
        version=8,
        reason="root_quiet",
        grade="verified",
        arrived_ns=NOW,
        start_ns=NOW,
        end_ns=NOW + SECOND,
        service="shop",
        root_name="checkout",
        spans=3,
        errors=1,
        llm_calls=2,
        unpriced_calls=1,
        cost="3500000000000000",
        list_cost="7000000000000000",
        cache_savings="-12",
        error_cost="0",
        usage={"input": 1000},
        by_model={"gpt-4o": Tally("3500000000000000", 2, {"input": 1000})},
        by_agent={"planner": Tally("3500000000000000", 2, {"input": 1000})},
        flags=("orphans",),
        dimensions={"team": "search"},
    )
    return msgspec.structs.replace(made, **changes)
