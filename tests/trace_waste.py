"""What a trace need not have cost, and how long it was busy, by hand: every span is asked."""

from __future__ import annotations

from typing import NamedTuple

from trace_oracle import Truth


class Wasted(NamedTuple):
    """Costs in attos, times in the oracle's unit."""

    failed: int
    repeats: int
    repeated: int
    coordination: int
    together: int
    apart: int


def wasted(truth: Truth) -> Wasted:
    """By the definitions of docs/how-to/traces.md."""
    again = _repeats(truth)
    times = [range(one.start, max(one.start, one.end)) for one in truth.billed.values()]
    return Wasted(
        _below({one for one, said in truth.spans.items() if said.failed}, truth),
        len(again),
        _below(again, truth),
        _coordination(truth),
        sum(map(len, times)),
        len({instant for time in times for instant in time}),
    )


def _below(marked: set[int], truth: Truth) -> int:
    """What the calls cost that have one of these spans on their way up, themselves included."""
    return sum(said.cost or 0 for one, said in truth.billed.items() if marked & set(truth.way(one)))


def _records(one: int, truth: Truth) -> list[int]:
    """The spans above that say anything, the nearest first."""
    return [up for up in truth.way(one)[1:] if truth.spans[up].kind != "plain"]


def _repeats(truth: Truth) -> set[int]:
    called = {
        one: (truth.agent(one), said.arguments)
        for one, said in truth.spans.items()
        if said.kind == "tool"
    }
    loops: dict[tuple[str, str], list[int]] = {}
    for one in sorted(called):  # as they began
        if called[one] not in [called.get(up) for up in _records(one, truth)[:1]]:
            loops.setdefault(called[one], []).append(one)
    return {one for loop in loops.values() if len(loop) > 3 for one in loop[1:]}


def _coordination(truth: Truth) -> int:
    spans = [one for one, said in truth.spans.items() if said.kind != "plain"]
    leads = {
        truth.agent(up)
        for one in spans
        for up in _records(one, truth)
        if truth.agent(up) != truth.agent(one)
    } - {""}
    return sum(
        said.cost or 0
        for one, said in truth.billed.items()
        if truth.agent(one, *truth.twins(one)) in leads
    )
