"""A roll-up as a row: what is in it, and that it stays bounded."""

from __future__ import annotations

import pytest

from costspan.ledger.rollup import rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.model import WITNESS, TraceTotals, decode_totals, encode_totals
from ledger_samples import TRACE, Span, calls, ident, record, span


def row(*spans: Span) -> TraceTotals:
    rolled = rollup(calls(spans), [one.head[1:] for one in spans])
    return totals(rolled, Stamp(TRACE, "w", 1, 1, "root_quiet", "quiet", 0))


def entered(one: Span) -> Span:
    return one._replace(head=one.head._replace(kind=2))


def test_a_row_tells_transactions_inner_spans_agents_and_further_facets() -> None:
    made = row(
        entered(span(1, start=0, end=9, call=record(None, role=WITNESS, agent="a"))),
        span(2, 1),
        span(3, 2, call=record(10, 1, cost=5, tool="search", dimensions={"team": "x"})),
        entered(span(4, 2, start=2, end=3)),
        span(5, 4, call=record(20, 2, cost=7, service="other")),
    )
    told = [(one.span_id, one.service, one.cost, one.calls) for one in made.transactions]
    assert told == [(ident(4), "other", "7", 1), (ident(1), "app", "5", 1)]
    assert [(one.span_id, one.agent, one.cost) for one in made.branches] == [
        (ident(1), "a", "12"),
        (ident(2), "a", "12"),
        (ident(4), "a", "7"),
    ]
    assert made.agents["a"].cost == "12"
    costs = {facet: {k: v.cost for k, v in group.items()} for facet, group in made.by.items()}
    assert costs == {
        "tool": {"": "7", "search": "5"},
        "service": {"app": "5", "other": "7"},
        "dimension.team": {"": "7", "x": "5"},
    }
    assert decode_totals(encode_totals([made])) == [made]


def test_a_row_is_bounded_and_still_adds_up() -> None:
    """Beyond the limits the rest is one group: by model, by transaction."""
    many = 1200
    spans = [span(1)]
    for number in range(2, many + 2):
        spans.append(entered(span(number, 1)))
        spans.append(span(many + number, number, call=record(cost=number, model=f"m{number}")))
    made = row(*spans)
    assert (len(made.by_model), len(made.transactions), len(made.branches)) == (257, 1001, 1000)
    for groups in (made.by_model.values(), made.transactions):
        assert sum(int(one.cost) for one in groups) == int(made.cost)
        assert sum(one.calls for one in groups) == made.llm_calls
    assert made.transactions[-1].span_id == b""
    assert made.by_model["other"].calls == many - 256


@pytest.mark.parametrize("cost", [1, 10**6], ids=["cheap", "dear"])
def test_a_model_that_is_called_other_is_counted_once_with_the_rest(cost: int) -> None:
    several = [span(n, 1, call=record(cost=n, model=f"m{n}")) for n in range(2, 260)]
    made = row(span(1), *several, span(999, 1, call=record(cost=cost, model="other")))
    assert sum(int(one.cost) for one in made.by_model.values()) == int(made.cost)
    assert sum(one.calls for one in made.by_model.values()) == made.llm_calls
