"""Transactions, inner spans, agents and facets of a trace, from rows of a real engine."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.model import (
    OWN,
    TRACE_TOTALS,
    BranchTotals,
    Frame,
    Tally,
    TraceTotals,
    TransactionTotals,
    encode_totals,
)
from records import NOW, SECOND, totals

ENTRY, OTHER_ENTRY, INNER = b"\x0a" * 8, b"\x0b" * 8, b"\x0c" * 8
DAY = 86_400 * SECOND


def write(destination: ClickHouse, *rows: TraceTotals, seq: int = 1) -> None:
    frame = Frame(seq, NOW, TRACE_TOTALS, OWN, (), encode_totals(rows), b"", len(rows))
    destination.deliver([frame])


def transaction(span_id: bytes, cost: int, calls: int = 1) -> TransactionTotals:
    return TransactionTotals(
        span_id, "shop", "GET /ask", NOW, NOW + SECOND, calls, 0, str(cost), str(cost), str(cost),
        "-7", "0", {"input": 10},
    )  # fmt: skip


def branch(span_id: bytes, cost: int, preorder: int) -> BranchTotals:
    return BranchTotals(span_id, b"", "run", "planner", 0, preorder, "0", str(cost), 2, 10, 3)


def rows(client: Client, query: str) -> list[Any]:
    return [tuple(row) for row in client.query(query).result_rows]


def test_transactions_and_inner_spans_are_views_on_the_newest_row(
    destination: ClickHouse, client: Client
) -> None:
    """What a newer version no longer holds is gone."""
    first = totals(
        version=1,
        transactions=(transaction(OTHER_ENTRY, 5),),
        branches=(branch(OTHER_ENTRY, 5, 1),),
    )
    second = totals(
        version=2,
        transactions=(transaction(ENTRY, 10**18 + 1, 2),),
        branches=(branch(ENTRY, 7, 1), branch(INNER, 6, 2)),
        agents={"planner": Tally("9", 2)},
        by={"tool": {"search": Tally("4", 1), "": Tally("5", 1)}},
        retries=2,
        retry_cost="3",
    )
    write(destination, first)
    write(destination, second, seq=2)
    assert rows(
        client,
        "SELECT SpanId, ServiceName, Name, LlmCalls, CostUsd, CacheSavingsUsd, Usage"
        " FROM transaction_totals",
    ) == [
        (ENTRY.hex(), "shop", "GET /ask", 2, Decimal("1.000000000000000001"), Decimal("-7E-18"),
         {"input": 10}),
    ]  # fmt: skip
    told = "SELECT SpanId, Agent, Preorder, CostUsd FROM span_rollup ORDER BY Preorder"
    assert rows(client, told) == [
        (ENTRY.hex(), "planner", 1, Decimal("7E-18")),
        (INNER.hex(), "planner", 2, Decimal("6E-18")),
    ]
    assert rows(
        client,
        "SELECT AgentInclusiveCostUsd['planner'], FacetCostUsd['tool search'],"
        " FacetCalls['tool '], Retries, RetryCostUsd FROM trace_totals",
    ) == [(Decimal("9E-18"), Decimal("4E-18"), 1, 2, Decimal("3E-18"))]


def test_what_parts_wasted_is_added_up(destination: ClickHouse, client: Client) -> None:
    """Costs of failures, loops and coordination, and the time of model calls."""
    part = totals(
        failed_cost=str(10**18 + 1),
        repeated_tools=3,
        repeated_tool_cost="2",
        coordination_cost="5",
        llm_duration_ns=9,
        llm_busy_ns=7,
    )
    write(destination, part, totals(writer="other", repeated_tools=4, llm_duration_ns=2))
    assert rows(
        client,
        "SELECT FailedCostUsd, RepeatedToolCalls, RepeatedToolCostUsd, CoordinationCostUsd,"
        " LlmDurationNs, LlmBusyNs FROM trace_totals",
    ) == [(Decimal("1.000000000000000001"), 7, Decimal("2E-18"), Decimal("5E-18"), 11, 7)]


def test_a_transaction_that_two_generations_saw_is_one_row(
    destination: ClickHouse, client: Client
) -> None:
    write(
        destination,
        totals(generation=1, transactions=(transaction(ENTRY, 5),)),
        totals(generation=9, transactions=(transaction(ENTRY, 6), transaction(OTHER_ENTRY, 1))),
    )
    told = "SELECT SpanId, CostUsd, LlmCalls FROM transaction_totals ORDER BY SpanId"
    assert rows(client, told) == [
        (ENTRY.hex(), Decimal("11E-18"), 2),
        (OTHER_ENTRY.hex(), Decimal("1E-18"), 1),
    ]


def test_a_row_of_the_whole_trace_stands_until_a_part_changes(
    destination: ClickHouse, client: Client
) -> None:
    """70 by two parts; 65 by a finisher that read all spans; 75 when a part goes on; then again."""
    parts = [
        totals(writer="a", version=10, cost="50", transactions=(transaction(ENTRY, 50),)),
        totals(writer="b", version=20, cost="20", transactions=(transaction(ENTRY, 20),)),
    ]
    whole = totals(
        writer="finisher", generation=0, version=1, cost="65", settles=30,
        transactions=(transaction(ENTRY, 65),),
    )  # fmt: skip
    total = "SELECT CostUsd, (SELECT sum(CostUsd) FROM transaction_totals) FROM trace_totals"

    def costs() -> list[int]:
        ((cost, by_transaction),) = rows(client, total)
        return [int(cost.scaleb(18)), int(by_transaction.scaleb(18))]

    write(destination, *parts)
    assert costs() == [70, 70]
    write(destination, whole, seq=2)
    assert costs() == [65, 65]
    later = totals(writer="b", version=24, cost="25", transactions=(transaction(ENTRY, 25),))
    write(destination, later, seq=3)
    assert costs() == [75, 75]
    again = totals(
        writer="finisher", generation=0, version=2, cost="70", settles=34,
        transactions=(transaction(ENTRY, 70),),
    )  # fmt: skip
    write(destination, again, seq=4)
    assert costs() == [70, 70]


@pytest.mark.slow
def test_the_detail_of_a_trace_goes_after_30_days_and_its_total_stays(
    destination: ClickHouse, client: Client
) -> None:
    """Columns have a lifetime of their own: the row lives for a year."""
    old = NOW - 31 * DAY
    write(
        destination,
        totals(arrived_ns=old, cost="5", transactions=(transaction(ENTRY, 5),)),
        totals(trace_id=b"\x02" * 16, cost="6", transactions=(transaction(ENTRY, 6),)),
    )
    deadline = time.monotonic() + 30
    while rows(client, "SELECT count() FROM transaction_totals") != [(1,)]:
        assert time.monotonic() < deadline
        client.command("OPTIMIZE TABLE trace_totals_parts FINAL")
    assert rows(client, "SELECT sum(CostUsd), count() FROM trace_totals") == [
        (Decimal("11E-18"), 2),
    ]
