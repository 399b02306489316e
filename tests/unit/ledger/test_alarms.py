"""Limits of open traces: each fires once, at the call that passes it, and not for doubles."""

from __future__ import annotations

from collections.abc import Sequence

from costspan.ledger.alarms import Limits, Watched, watch
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.model import WITNESS, LlmCall, Signal
from costspan.telemetry import Telemetry
from ledger_samples import DOLLAR, TRACE, frame, heads, ident, record, span

OFF = Limits(calls=0, repeats=0, growth_calls=0, tool_repeats=0)


def signals(
    calls: Sequence[LlmCall], limits: Limits, doubles: int = 0
) -> tuple[list[tuple[int, Signal]], int]:
    """(place of the call, signal), and how often a roll-up was asked for.

    `doubles`: how many of the calls, from the first on, tell of nothing new.
    """
    trace, found, asked = Watched(), [], 0

    def confirm() -> tuple[int, int]:
        nonlocal asked
        asked += 1
        seen = calls[doubles : place + 1]
        return sum(int(one.charge.total) for one in seen), len(seen)

    for place, call in enumerate(calls):
        call.span_id = place.to_bytes(8, "big")
        found += [(place, one) for one in watch(trace, call, limits, confirm, place)]
    return found, asked


def test_a_trace_that_costs_more_than_its_limit_fires_once() -> None:
    calls = [record(n, cost=DOLLAR) for n in range(10)]
    ((place, signal),), _ = signals(calls, Limits(DOLLAR * 3, 0, 0, 0))
    assert (place, signal.name, signal.value, signal.limit) == (3, "cost", 4.0, 3.0)
    assert (signal.trace_id, signal.span_id, signal.at) == (TRACE, calls[3].span_id, 3)


def test_calls_that_are_told_twice_pass_no_limit() -> None:
    """The sums on arrival hold doubles; the limits do not."""
    calls = [record(n, cost=DOLLAR) for n in range(12)]
    found, asked = signals(calls, Limits(DOLLAR * 3, 3, 0, 0), doubles=6)
    assert sorted((place, one.name) for place, one in found) == [(9, "calls"), (9, "cost")]
    assert asked <= 6


def test_a_roll_up_is_not_asked_for_below_a_limit() -> None:
    found, asked = signals([record(n, cost=1) for n in range(400)], Limits(DOLLAR, 500, 0, 0))
    assert (found, asked) == ([], 0)


def test_an_agent_that_repeats_its_prompt_fires() -> None:
    calls = [record(100, agent="a") for _ in range(6)]
    ((place, signal),), _ = signals(calls, Limits(0, 0, 4, 0))
    assert (place, signal.name, signal.value) == (4, "repeats", 5)


def test_repeats_of_two_agents_are_not_mixed_up() -> None:
    calls = [record(100, agent="ab"[n % 2]) for n in range(8)]
    assert signals(calls, Limits(0, 0, 4, 0))[0] == []
    alike = [record(100 + n % 2, agent="a") for n in range(8)]
    assert signals(alike, Limits(0, 0, 4, 0))[0] == []


def test_prompts_that_grow_beyond_the_factor_fire() -> None:
    calls = [record(100 * (n + 1), agent="a") for n in range(12)]
    ((place, signal),), _ = signals(calls, Limits(0, 0, 0, 8, 4.0))
    assert (place, signal.name, signal.value) == (7, "growth", 8.0)
    slowly = [record(100 + n, agent="a") for n in range(100)]
    assert signals(slowly, Limits(0, 0, 0, 8, 4.0))[0] == []


def tool(arguments: bytes, name: str = "search", agent: str = "") -> LlmCall:
    made = record(None, role=WITNESS, tool=name, agent=agent)
    made.arguments = arguments
    return made


def test_a_tool_that_is_called_again_with_the_same_arguments_fires_once() -> None:
    called = [tool(b"x"), tool(b"y"), *(tool(b"x") for _ in range(9))]
    ((place, signal),), asked = signals(called, Limits(tool_repeats=4))
    assert (place, signal.name, signal.value, signal.limit) == (5, "tool_repeats", 5, 4)
    assert (signal.span_id, asked) == (called[5].span_id, 0)


def test_a_tool_that_is_sent_again_is_called_once() -> None:
    ledger = TraceLedger(LedgerSettings(), "w", Telemetry(), limits=Limits(tool_repeats=2))
    spans = [span(n, 1, call=tool(b"x")) for n in range(2, 5)]
    for seq, sent in enumerate((spans[:2], spans[:2], spans[:2]), 1):
        ledger.add(frame(seq, sent), heads(sent), 0)
    assert ledger.take_signals() == []
    ledger.add(frame(9, spans), heads(spans), 0)
    assert [(one.name, one.span_id) for one in ledger.take_signals()] == [
        ("tool_repeats", ident(4))
    ]


def test_other_tools_agents_and_libraries_are_no_repeats() -> None:
    other = tool(b"x")
    other.scope_name = "its protocol"
    called = [tool(b"x"), tool(b"x", "fetch"), tool(b"x", agent="a"), tool(b"y"), other]
    assert signals(called, Limits(tool_repeats=1))[0] == []
    assert signals([tool(b"x") for _ in range(9)], Limits(tool_repeats=0))[0] == []


def test_tools_are_neither_calls_nor_costs() -> None:
    assert signals([tool(bytes([n])) for n in range(9)], Limits(cost=1, calls=3))[0] == []


def test_limits_that_are_off_never_fire() -> None:
    calls = [record(100 * n, cost=DOLLAR) for n in range(600)]
    assert signals(calls, OFF) == ([], 0)


def test_what_is_watched_of_a_trace_is_bounded() -> None:
    trace = Watched()
    for n in range(1000):
        list(watch(trace, record(1, agent=f"a{n}"), OFF, lambda: (0, 0), 0))
    assert len(trace.agents) == 65
    for n in range(1000):
        list(watch(trace, tool(b"%d" % n), Limits(), lambda: (0, 0), 0))
    assert len(trace.tools) == 256
