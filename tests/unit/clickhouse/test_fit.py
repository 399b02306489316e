"""Records with absurd values: brought into range, counted by reason; the others are untouched."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.exporter.clickhouse.fit import fit_calls, fit_totals
from costspan.exporter.clickhouse.rows import call_block
from costspan.exporter.clickhouse.totals import totals_block
from costspan.model import Charge, Line, Tally
from costspan.wire.block import LAST_INSTANT
from records import NOW, call, totals
from unit.clickhouse.native_reader import read_block

HUGE = str(10**38)
MOST = 2**64 - 1


def test_what_fits_is_the_same_object() -> None:
    """The largest amounts and counts of the columns are no fault."""
    edge = Charge("priced", total="9" * 38, savings="-" + "9" * 38)
    sound = [call(), call(charge=edge, usage={"input": MOST}), call(usage=None)]
    fitted, reasons = fit_calls(sound)

    assert all(one is other for one, other in zip(fitted, sound, strict=True))
    assert not reasons


@pytest.mark.parametrize(
    ("changes", "reason", "expected"),
    [
        ({"end_ns": NOW - 5}, "end_before_start", {"Duration": 0, "EndTimestamp": NOW - 5}),
        (
            {"start_ns": 2**64 - 1, "end_ns": 2**64 - 1},
            "clock_beyond_2100",
            {"Timestamp": LAST_INSTANT, "EndTimestamp": LAST_INSTANT, "Duration": 0},
        ),
        ({"usage": {"input": -1}}, "count_out_of_range", {"Usage": {"input": 0}}),
        ({"usage": {"input": 2**70}}, "count_out_of_range", {"InputTokens": MOST}),
        (
            {"charge": Charge("priced", total="7", lines=(Line("input", -3, "1", "1"),))},
            "count_out_of_range",
            {"CostUsd": 7, "Lines.Quantity": [0]},
        ),
        (
            {"charge": Charge("priced", total=HUGE, price_ref="book")},
            "amount_out_of_range",
            {"CostUsd": None, "CostStatus": "invalid_usage", "PriceRef": "book"},
        ),
        (
            {"charge": Charge("priced", total="7", lines=(Line("input", 1, "-" + HUGE, "1"),))},
            "amount_out_of_range",
            {"CostUsd": None, "Lines.Usd": [], "InvalidUsage": "an amount of more than 38 digits"},
        ),
        (
            {"reported_cost": HUGE},
            "amount_out_of_range",
            {"ReportedCostUsd": None, "CostUsd": 3500000000000000, "CostStatus": "priced"},
        ),
    ],
)
def test_an_absurd_call_is_a_row_that_says_so(
    changes: dict[str, Any], reason: str, expected: dict[str, Any]
) -> None:
    """One value is adjusted, one reason counted, and its neighbour is as it was."""
    fitted, reasons = fit_calls([call(), call(**changes)])
    columns = read_block(call_block(fitted).encode())

    assert dict(reasons) == {reason: 1}
    assert {name: columns[name][1] for name in expected} == expected
    assert columns["CostUsd"][0] == 3500000000000000


@pytest.mark.parametrize(
    ("changes", "reason", "expected"),
    [
        ({"cost": HUGE}, "amount_out_of_range", {"CostUsd": 10**38 - 1}),
        ({"by_model": {"m": Tally("-" + HUGE)}}, "amount_out_of_range",
         {"ModelCostUsd": {"m": 1 - 10**38}}),
        ({"end_ns": 2**63}, "clock_beyond_2100", {"End": LAST_INSTANT}),
        ({"usage": {"input": 2**64}}, "count_out_of_range", {"Usage": {"input": MOST}}),
        ({"by_agent": {"a": Tally(usage={"input": -1})}}, "count_out_of_range",
         {"AgentUsage": {"input a": 0}}),
    ],
)  # fmt: skip
def test_absurd_totals_stand_at_their_limit_and_are_flagged(
    changes: dict[str, Any], reason: str, expected: dict[str, Any]
) -> None:
    """A sum can't be unknown: the flag says that it is none."""
    fitted, reasons = fit_totals([totals(), totals(**changes)])
    columns = read_block(totals_block(fitted).encode())

    assert dict(reasons) == {reason: 1}
    assert {name: columns[name][1] for name in expected} == expected
    assert columns["Flags"] == [["orphans"], ["orphans", reason]]
