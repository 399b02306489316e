"""Calls and totals as rows of a real engine: every column, exact money, newer versions."""

from __future__ import annotations

from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client

from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.model import (
    CALL_ROWS,
    OWN,
    TRACE_TOTALS,
    WITNESS,
    Charge,
    Frame,
    Line,
    Tally,
    encode_calls,
    encode_totals,
)
from costspan.testing import request, span
from integration.running_store import count, spans_frame
from records import NOW, SECOND, call, totals


def test_a_call_becomes_a_row(destination: ClickHouse, client: Client) -> None:
    """Identity, disjoint usage, cost, evidence: each in its column; a witness is no call."""
    body = request(span(start_ns=NOW))
    destination.deliver([spans_frame(body, calls=[call(), call(role=WITNESS, span_id=b"\3" * 8)])])
    row = next(client.query("SELECT * FROM llm_calls_latest").named_results())

    expected = {
        "TraceId": "01" * 16, "SpanId": "02" * 8, "ParentSpanId": "", "ServiceName": "shop",
        "SpanKind": "Client", "StatusCode": "Unset", "Duration": SECOND, "Provider": "openai",
        "RequestModel": "gpt-4o", "Agent": "planner", "Dimensions": {"team": "search"},
        "Context": {"tier": "flex"}, "UsageKnown": True, "InputTokens": 1000,
        "CacheReadTokens": 24, "OutputTokens": 100, "CacheStatus": "hit", "CostStatus": "priced",
        "Usage": {"input": 1000, "cache_read": 24, "output": 100, "web_search": 2},
        "CostUsd": Decimal("0.0035"), "ListCostUsd": Decimal("0.007"),
        "SavingsUsd": Decimal("-12E-18"), "ReportedCostUsd": None, "Lines.Unit": ["input"],
        "Lines.Quantity": [1000], "Lines.UsdPerUnit": [Decimal("0.0000025")],
        "Lines.Usd": [Decimal("0.0025")], "Billed": True, "BilledReason": "leaf", "Version": 1,
    }  # fmt: skip
    assert {column: row[column] for column in expected} == expected
    assert count(client, "llm_calls") == 1


def test_what_is_unknown_is_null_and_not_zero(destination: ClickHouse, client: Client) -> None:
    """A call without usage or price has UsageKnown false and no cost."""
    unpriced = call(usage=None, charge=Charge("unpriced", "unknown_model"), reported_cost="1")
    destination.deliver([spans_frame(request(span(start_ns=NOW)), calls=[unpriced])])
    query = "SELECT UsageKnown, CostUsd, UnpricedReason, ReportedCostUsd FROM llm_calls"

    assert client.query(query).result_rows == [(False, None, "unknown_model", Decimal("1E-18"))]


@pytest.mark.parametrize(
    "attos",
    [0, 1, -1, 18 * 10**18 + 1, 2**64, 10**28 + 1, 12345678901234567890123456789012345678,
     10**38 - 1, 1 - 10**38],
)  # fmt: skip
def test_money_is_exact_over_the_whole_range(
    destination: ClickHouse, client: Client, attos: int
) -> None:
    """The integer that went in comes out, as a sum too: no digit is lost on the way."""
    text = str(attos)
    priced = call(charge=Charge("priced", "", text, text, text, (Line("input", 1, text, text),)))
    destination.deliver([spans_frame(request(span(start_ns=NOW)), calls=[priced])])
    query = "SELECT toString(CostUsd), toString(sum(CostUsd) OVER ()), `Lines.Usd` FROM llm_calls"
    cost, total, lines = client.query(query).result_rows[0]

    assert [_attos(cost), _attos(total), _attos(str(lines[0]))] == [attos] * 3


def _attos(decimal: str) -> int:
    """Exact, whatever the precision of the current decimal context."""
    sign, digits, exponent = Decimal(decimal).as_tuple()
    assert isinstance(exponent, int)
    number = int("".join(map(str, digits))) * int(10 ** (18 + exponent))
    return -number if sign else number


def test_a_correction_replaces_the_call(destination: ClickHouse, client: Client) -> None:
    """A higher version wins, in whatever order the rows come; rows of ours are no items."""
    corrected = call(billed=False, billed_reason="covered", version=9)
    own = Frame(2, NOW, CALL_ROWS, OWN, (), encode_calls([corrected]), b"", 0)

    assert destination.deliver([own]).sent == 0
    destination.deliver([spans_frame(request(span(start_ns=NOW)), calls=[call()])])
    query = "SELECT Billed, BilledReason, Version FROM llm_calls_latest"
    assert client.query(query).result_rows == [(False, "covered", 9)]


def test_totals_sum_the_newest_version_of_every_part(
    destination: ClickHouse, client: Client
) -> None:
    """A newer snapshot replaces an older one; writers and generations add up; the worst grade."""
    parts = [
        totals(),
        totals(version=16, cost="4500000000000000", grade="quiet"),
        totals(writer="w2", root_name="", service="worker", start_ns=NOW - 1, grade="forced"),
        totals(generation=9, cost=str(10**28 + 1), by_model={"o3": Tally(str(10**28 + 1), 1)}),
    ]
    frame = Frame(1, NOW, TRACE_TOTALS, OWN, (), encode_totals(parts), b"", 0)
    for _ in range(2):
        assert destination.deliver([frame]).sent == 0
    row = next(client.query("SELECT * FROM trace_totals").named_results())

    assert _attos(str(row["CostUsd"])) == 4500000000000000 + 3500000000000000 + 10**28 + 1
    assert (row["Spans"], row["LlmCalls"], row["Parts"], row["Grade"]) == (9, 6, 3, "forced")
    assert (row["ServiceName"], row["RootName"]) == ("shop", "checkout")
    assert row["ModelCalls"] == {"gpt-4o": 4, "o3": 1}
    assert row["ModelUsage"] == {"input gpt-4o": 2000}
    assert row["AgentCostUsd"]["planner"] == Decimal("0.0105")
    assert row["Flags"] == ["orphans"]


def test_the_part_with_the_root_says_the_dimensions_of_a_trace(
    destination: ClickHouse, client: Client
) -> None:
    """Other parts fill what it leaves open, of several values the first by name."""
    parts = [
        totals(dimensions={"team": "search"}),
        totals(writer="w2", root_name="", start_ns=NOW - 1, dimensions={"team": "a", "task": "y"}),
        totals(writer="w3", root_name="", start_ns=NOW - 2, dimensions={"task": "x"}),
    ]
    frame = Frame(1, NOW, TRACE_TOTALS, OWN, (), encode_totals(parts), b"", 0)
    destination.deliver([frame])
    rows = client.query("SELECT Dimensions FROM trace_totals").result_rows

    assert rows == [({"team": "search", "task": "x"},)]
