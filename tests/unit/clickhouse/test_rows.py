"""Records to columns: every field has a column, every column of the table that we fill exists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from costspan.exporter.clickhouse.rows import call_block, stored
from costspan.exporter.clickhouse.schema import TRACE_COLUMNS, Ttl, migrations
from costspan.exporter.clickhouse.totals import totals_block
from costspan.model import WITNESS, Charge, Line
from costspan.wire.block import block
from records import call, totals
from unit.clickhouse.native_reader import read_block

amounts = st.integers(1 - 10**38, 10**38 - 1)


def columns_of(table: str) -> Iterator[str]:
    """Names of the columns that an INSERT may name, from the statement itself; Nested flattened."""
    sql = next(m.sql for m in migrations() if m.name.endswith(table))
    body = sql[sql.index("\n(\n") : sql.index("\nENGINE")]
    prefix = ""
    for line in body.splitlines():
        if "INDEX" in line or "MATERIALIZED" in line:
            continue
        if nested := re.match(r"    (\w+) Nested$", line):
            prefix = f"{nested[1]}."
        elif column := re.match(r"    (?:    )?`?([\w.]+)`? [A-Z]", line):
            yield (prefix if line.startswith("        ") else "") + column[1]
        if line.startswith("    )"):
            prefix = ""


def test_every_column_of_the_tables_is_written() -> None:
    """The block and the CREATE TABLE name the same columns: none is forgotten on either side."""
    assert set(call_block([call()]).columns) == set(columns_of("llm_calls"))
    assert set(totals_block([totals()]).columns) == set(columns_of("trace_totals_parts"))
    assert tuple(columns_of("otel_traces")) == TRACE_COLUMNS
    assert tuple(read_block(block([]))) == TRACE_COLUMNS


@given(st.lists(st.tuples(amounts, amounts, st.integers(0, 2**64 - 1)), min_size=1, max_size=4))
def test_money_and_counts_are_exact(values: list[tuple[int, int, int]]) -> None:
    """Total, price and quantity of every call come back as the integers that went in."""
    calls = [
        call(charge=Charge("priced", "", str(total), lines=(Line("input", n, str(usd), str(usd)),)))
        for total, usd, n in values
    ]
    columns = read_block(call_block(calls).encode())

    assert columns["CostUsd"] == [total for total, _, _ in values]
    assert columns["Lines.UsdPerUnit"] == [[usd] for _, usd, _ in values]
    assert columns["Lines.Quantity"] == [[n] for _, _, n in values]


def test_unknown_is_null() -> None:
    """No price is no number; no usage is said, and its columns are not to be read as counts."""
    columns = read_block(call_block([call(usage=None, charge=Charge())]).encode())

    assert [columns[name] for name in ("CostUsd", "ListCostUsd", "SavingsUsd")] == [[None]] * 3
    assert (columns["UsageKnown"], columns["Usage"]) == ([False], [{}])


def test_what_a_commitment_changes_has_a_column_of_its_own() -> None:
    """Without one the effective cost is the cost; without a rule there is no showback."""
    plain = Charge("priced", total="7")
    spread = Charge("provisioned", total="0", effective_total="5", showback_total="6")
    unspread = Charge("provisioned", total="0")
    calls = [call(charge=charge) for charge in (plain, spread, unspread)]
    columns = read_block(call_block(calls).encode())

    assert columns["CostUsd"] == [7, 0, 0]
    assert columns["EffectiveCostUsd"] == [7, 5, None]
    assert columns["ShowbackCostUsd"] == [None, 6, None]


def test_a_traces_effective_cost_is_its_cost_unless_a_commitment_says_otherwise() -> None:
    rows = [totals(cost="7"), totals(cost="7", effective_cost="9")]

    assert read_block(totals_block(rows).encode())["EffectiveCostUsd"] == [7, 9]


def test_a_witness_is_no_row() -> None:
    """It names an agent and carries no usage."""
    assert stored([call(role=WITNESS), call()]) == [call()]


def test_a_tally_is_three_flat_maps() -> None:
    """Cost, calls and usage per model and agent in a shape that SQL can sum."""
    columns = read_block(totals_block([totals()]).encode())

    assert columns["ModelCostUsd"] == [{"gpt-4o": 3500000000000000}]
    assert columns["AgentCalls"] == [{"planner": 2}]
    assert columns["ModelUsage"] == [{"input gpt-4o": 1000}]


def test_detail_of_a_trace_is_kept_as_long_as_calls_and_its_total_as_totals() -> None:
    """The lifetimes of a configuration take the place of those in the files."""
    made = {m.name[4:]: m.sql for m in migrations(Ttl(calls=3600, totals=7200))}
    table = made["trace_totals_parts"]
    assert table.count("TTL toDateTime(Arrived) + INTERVAL 1 HOUR") == 24
    assert "\nTTL toDateTime(Arrived) + INTERVAL 2 HOUR" in table
    assert "DAY" not in made["trace_totals_parts_detail"]
    assert "TTL" not in next(m.sql for m in migrations(Ttl(0, 0, 0)) if "parts" in m.name)
