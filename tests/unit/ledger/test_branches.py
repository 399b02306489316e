"""What a span costs with all that is below it, what an agent set off, what a transaction cost."""

from __future__ import annotations

from costspan.ledger.rollup import Rollup, rollup
from costspan.ledger.tree import Tree, grow
from costspan.model import WITNESS, LlmCall
from ledger_samples import DOLLAR, Span, calls, ident, record, span

CENT = DOLLAR // 100
SERVER, REMOTE = 2, 0x300


def roll(*spans: Span) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans])


def tree(*spans: Span) -> Tree:
    return grow(roll(*spans))


def agent(name: str) -> LlmCall:
    return record(None, role=WITNESS, agent=name)


def entered(one: Span, *, kind: int = 1, flags: int = 0) -> Span:
    return one._replace(head=one.head._replace(kind=kind, flags=flags))


SUPERVISOR = (
    span(1, call=agent("Supervisor")),
    span(2, 1, start=0, call=record(cost=12 * CENT // 10)),
    span(3, 1, start=0.2, call=agent("Researcher")),
    span(4, 3, start=0.3),
    span(5, 4, start=0.4, call=record(cost=3 * CENT)),
    span(6, 3, start=0.5, call=record(cost=1 * CENT)),
)


def test_a_supervisor_costs_its_own_calls_and_those_of_its_workers() -> None:
    """$0.052 = $0.012 of its own + $0.040 that its researcher spent."""
    agents = tree(*SUPERVISOR).agents
    assert agents["Supervisor"].cost == 52 * CENT // 10
    assert agents["Researcher"].cost == 4 * CENT
    assert {name: sums.cost for name, sums in roll(*SUPERVISOR).by["agent"].items()} == {
        "Supervisor": 12 * CENT // 10,
        "Researcher": 4 * CENT,
    }


def test_branches_come_in_preorder_with_depth_and_sums() -> None:
    told = [
        (int.from_bytes(one.span_id), one.preorder, one.depth, one.calls, one.cost)
        for one in tree(*SUPERVISOR).branches.values()
    ]
    assert told == [
        (1, 1, 0, 3, 52 * CENT // 10),
        (3, 2, 1, 2, 4 * CENT),
        (4, 3, 2, 1, 3 * CENT),
    ]


def test_a_call_above_a_call_is_a_branch_with_a_cost_of_its_own() -> None:
    found = tree(
        span(1, call=record(5, 5, cost=9)), span(2, 1, call=record(90, 1, cost=4, model="n"))
    )
    (branch,) = found.branches.values()
    assert (branch.own_cost, branch.cost, branch.calls) == (9, 13, 2)


def test_an_agent_below_itself_is_counted_once() -> None:
    """A calls B calls A: everything is below the first A."""
    agents = tree(
        span(1, call=agent("A")),
        span(2, 1, call=agent("B")),
        span(3, 2, call=agent("A")),
        span(4, 3, call=record(cost=5)),
        span(5, 2, call=record(cost=7)),
    ).agents
    assert (agents["A"].cost, agents["B"].cost) == (12, 12)
    assert agents["A"].calls == 2


def test_two_outermost_spans_of_an_agent_add_up() -> None:
    found = tree(
        span(1),
        span(2, 1, call=agent("A")),
        span(3, 2, call=record(cost=5)),
        span(4, 1, call=record(cost=7, agent="A")),
    )
    assert found.agents["A"].cost == 12


def test_a_span_with_nothing_billed_below_it_is_no_branch() -> None:
    found = tree(span(1), span(2, 1), span(3, 1, call=record(cost=1)), span(4, 2))
    assert list(found.branches) == [ident(1)]


def test_a_transaction_ends_where_the_next_process_is_entered() -> None:
    rolled = roll(
        entered(span(1), kind=SERVER),
        span(2, 1, call=record(cost=1)),
        entered(span(3, 1), kind=SERVER),
        span(4, 3, call=record(cost=10)),
        entered(span(5, 3), flags=REMOTE),
        span(6, 5, call=record(cost=100)),
    )
    assert {key: sums.cost for key, sums in rolled.transactions.items()} == {
        ident(1): 1,
        ident(3): 10,
        ident(5): 100,
    }
    assert {held.root for held in rolled.decisions.values()} == {ident(1)}


def test_without_an_entry_span_the_root_is_the_transaction() -> None:
    rolled = roll(span(1), span(2, 1), span(3, 2, call=record(cost=1)))
    assert list(rolled.transactions) == [ident(1)]


def test_where_the_way_up_breaks_off_the_last_span_on_it_is_the_transaction() -> None:
    rolled = roll(span(2, 99), span(3, 2, call=record(cost=1)), span(7, call=record(cost=2)))
    assert {key: sums.cost for key, sums in rolled.transactions.items()} == {
        ident(2): 1,
        ident(7): 2,
    }
    assert rolled.decisions[ident(3)].root == bytes(8)
    assert rolled.decisions[ident(7)].root == ident(7)


def test_what_calls_have_in_common_is_added_up_by_every_facet() -> None:
    found = tree(
        span(1),
        span(2, 1, call=record(cost=1, tool="search", workflow="w", service="a")),
        span(3, 1, call=record(cost=2, service="b", dimensions={"team": "x"})),
    )
    sums = {
        facet: {value: int(one.cost) for value, one in values.items()}
        for facet, values in found.facets.items()
    }
    assert sums["service"] == {"a": 1, "b": 2}
    assert sums["workflow"] == {"w": 1, "": 2}
    assert sums["tool"] == {"search": 1, "": 2}
    assert sums["dimension.team"] == {"": 1, "x": 2}


def test_a_chain_of_100_000_spans_is_no_trouble() -> None:
    size = 100_000
    spans = [span(number, number - 1) for number in range(1, size)]
    found = tree(*spans, span(size, size - 1, call=record(cost=3))).branches
    assert (found[ident(1)].cost, found[ident(size - 1)].depth) == (3, size - 2)


def failed(number: int, start: float, *, cost: int = 0) -> Span:
    return span(number, 1, start=start, end=start + 0.5, status=2, call=record(cost=cost))


def test_a_failed_call_that_is_made_again_is_a_retry_and_its_cost_waste() -> None:
    found = tree(
        span(1), failed(2, 0, cost=3), failed(3, 1), span(4, 1, start=2, call=record(cost=7))
    )
    assert (found.waste.retries, found.waste.retry_cost) == (2, 3)


def test_a_failure_that_nobody_repeats_is_no_retry() -> None:
    other = record(cost=7, model="other")
    found = tree(
        span(1), span(4, 1, start=0.2, call=record()), failed(2, 1), span(5, 1, start=2, call=other)
    )
    assert (found.waste.retries, found.waste.retry_cost) == (0, 0)


def test_prompts_that_grow_call_by_call_are_flagged() -> None:
    growing = [span(n, 1, start=n, call=record(100 * n)) for n in range(2, 10)]
    assert tree(span(1), *growing).waste.growing
    assert not tree(span(1), *growing[:-1]).waste.growing
    flat = [span(n, 1, start=n, call=record(100 + n)) for n in range(2, 30)]
    assert not tree(span(1), *flat).waste.growing
