"""Failed subtrees, tools in loops, agents that coordinate, calls that run at once."""

from __future__ import annotations

from costspan.ledger.busy import Busy
from costspan.ledger.rollup import rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.ledger.tree import Tree, grow
from costspan.model import WITNESS, LlmCall
from ledger_samples import SECOND, Span, calls, record, span


def tree(*spans: Span) -> Tree:
    return grow(rollup(calls(spans), [one.head[1:] for one in spans]))


def agent(name: str) -> LlmCall:
    return record(None, role=WITNESS, agent=name)


def tool(arguments: bytes, name: str = "search", agent: str = "") -> LlmCall:
    made = record(None, role=WITNESS, tool=name, agent=agent)
    made.operation, made.arguments = "execute_tool", arguments
    return made


def searches(count: int, parent: int = 1, first: int = 10) -> list[Span]:
    """Calls of one tool with the same arguments, one after the other."""
    return [span(first + n, parent, start=n, end=n + 0.5, call=tool(b"same")) for n in range(count)]


def test_a_failed_span_costs_what_is_below_it() -> None:
    found = tree(
        span(1),
        span(2, 1, status=2),
        span(3, 2),
        span(4, 3, call=record(cost=5)),
        span(5, 2, call=record(cost=7)),
        span(6, 1, call=record(cost=100)),
    )
    assert found.failed_cost == 12


def test_a_failed_span_below_a_failed_one_counts_once() -> None:
    found = tree(
        span(1, status=2),
        span(2, 1, status=2),
        span(3, 2, status=2, call=record(cost=5)),
        span(4, 99, status=2, call=record(cost=3)),
    )
    assert found.failed_cost == 8


def test_four_calls_of_a_tool_with_the_same_arguments_are_a_loop() -> None:
    """All but the first are repeats; what is billed below those is their cost."""
    below = [span(20 + n, 10 + n, start=n, call=record(n, cost=10**n)) for n in range(5)]
    found = tree(span(1), *searches(5), *below)
    assert (found.repeated_tools, found.repeated_tool_cost) == (4, 11_110)
    assert tree(span(1), *searches(3), *below[:3]).repeated_tools == 0


def test_other_arguments_another_tool_and_another_agent_are_no_repeats() -> None:
    distinct = [
        tool(b"same"),
        tool(b"same"),
        tool(b"same"),
        tool(b"other"),
        tool(b"same", "fetch"),
        tool(b"same", agent="a"),
    ]
    assert tree(*(span(2 + n, 1, call=one) for n, one in enumerate(distinct))).repeated_tools == 0


def test_a_tool_that_the_framework_and_its_protocol_tell_of_is_one_call() -> None:
    told_again = [span(30 + n, 10 + n, start=n, call=tool(b"same")) for n in range(3)]
    assert tree(span(1), *searches(3), *told_again).repeated_tools == 0


def test_a_tool_without_a_name_is_known_by_its_span() -> None:
    def unnamed(name: str) -> LlmCall:
        made = tool(b"same", "")
        made.name = name
        return made

    assert tree(*(span(2 + n, 1, call=unnamed("look up")) for n in range(4))).repeated_tools == 3
    assert tree(*(span(2 + n, 1, call=unnamed(f"{n % 2}")) for n in range(4))).repeated_tools == 0


def test_a_loop_is_a_flag_of_the_row() -> None:
    spans = [span(1), *searches(4), span(99, 1, call=record())]
    rolled = rollup(calls(spans), [one.head[1:] for one in spans])
    row = totals(rolled, Stamp(b"", "w", 1, 1, "", "", 0))
    assert (row.flags, row.repeated_tools) == (("loop",), 3)


def test_agents_that_have_other_agents_below_them_coordinate() -> None:
    """What the workers spend is work; what an agent spends alone is too."""
    found = tree(
        span(1),
        span(2, 1, call=agent("lead")),
        span(3, 2, call=record(cost=3)),
        span(4, 2),
        span(5, 4, call=agent("worker")),
        span(6, 5, call=record(cost=40)),
        span(7, 1, call=agent("alone")),
        span(8, 7, call=record(cost=500)),
    )
    assert found.coordination_cost == 3
    again = tree(
        span(1, call=agent("lead")),
        span(2, 1, call=agent("lead")),
        span(3, 2, call=record(cost=3)),
    )
    assert again.coordination_cost == 0


def test_calls_that_run_at_once_are_busy_once() -> None:
    found = tree(
        span(1, start=0, end=9),
        span(2, 1, start=0, end=2, call=record()),
        span(3, 1, start=1, end=4, call=record(7)),
        span(4, 1, start=1, end=2, call=record(8)),
        span(5, 1, start=6, end=7, call=record(9)),
        span(6, 1, start=8, end=7, call=record(10)),
    )
    assert found.busy == Busy(together=7 * SECOND, apart=5 * SECOND)
