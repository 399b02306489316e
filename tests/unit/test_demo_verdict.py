"""The demo's comparison finds every kind of difference, and its JSON is plain."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from costspan.demo.answers import Answers, Share, TraceRow, Unpriced
from costspan.demo.books import Entry
from costspan.demo.document import document
from costspan.demo.models import GPT, IN_HOUSE, Tokens
from costspan.demo.span import Call
from costspan.demo.verdict import differences

ENTRIES = [
    Entry("t1", "s1", "svc", "red", "ann", Call(GPT, Tokens(1_000_000, cache_read=8_000)), False),  # noqa: FBT003
    Entry("t1", "s2", "svc", "red", "ann", Call(IN_HOUSE, Tokens(5)), False),  # noqa: FBT003
    Entry("t2", "s3", "svc", "red", "bob", Call(GPT, Tokens(0, 10_000)), True),  # noqa: FBT003
]
T1, T2 = Decimal("1.251"), Decimal("0.1")
RIGHT = Answers(
    traces=[
        TraceRow("t1", "root", "svc", T1, 2, 1, 4, 1.5, "verified"),
        TraceRow("t2", "root", "svc", T2, 1, 0, 2, 1.5, "verified"),
    ],
    by_agent=[Share("ann", T1, 2), Share("bob", T2, 1)],
    by_model=[Share("gpt-5", T1 + T2, 2)],
    by_team=[Share("red", T1 + T2, 3)],
    unpriced=[Unpriced("atlas-7b-finance", "unknown_model", 1)],
    savings=Decimal("0.009"),
    wasted=T2,
    span_costs={"s1": T1, "s2": None, "s3": T2},
)
ATTO = Decimal("1e-18")


def test_equal_numbers_leave_nothing_to_say() -> None:
    assert differences(RIGHT, ENTRIES) == []


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (RIGHT._replace(savings=RIGHT.savings + ATTO), "cache savings"),
        (RIGHT._replace(wasted=Decimal(0)), "cost of failed calls"),
        (RIGHT._replace(unpriced=[]), "unpriced calls"),
        (RIGHT._replace(by_agent=[Share("ann", T1 + T2, 3)]), "agent ann"),
        (RIGHT._replace(by_model=[*RIGHT.by_model, Share("gpt", T1, 1)]), "model gpt"),
        (RIGHT._replace(by_team=[]), "team red"),
        (RIGHT._replace(span_costs={**RIGHT.span_costs, "s2": Decimal(0)}), "span s2"),
        (RIGHT._replace(traces=RIGHT.traces[:1]), "trace t2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_kind_of_difference_is_found_to_the_last_digit(wrong: Answers, what: str) -> None:
    """An unknown cost that became a zero is one of them."""
    assert what in {difference.what for difference in differences(wrong, ENTRIES)}


def test_the_document_holds_decimals_as_plain_strings() -> None:
    """No exponent, no trailing zeros, and it says whether the check passed."""
    tiny = RIGHT._replace(savings=Decimal("0.0000001000"))
    parsed = json.loads(json.dumps(document(tiny, [])))

    assert parsed["cache_savings_usd"] == "0.0000001"
    assert parsed["total_usd"] == "1.351"
    assert parsed["by_model"] == {"gpt-5": {"cost_usd": "1.351", "llm_calls": 2}}
    assert parsed["check"] == {"equal": True, "differences": []}
