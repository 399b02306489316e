"""What a row says of a trace, what is right, and drawn spans as the ledger's records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from costspan.model import (
    AGGREGATE,
    LEAF,
    PENDING,
    WITNESS,
    AgentTotals,
    Charge,
    LlmCall,
    Tally,
    TraceTotals,
)
from costspan.wire import Head
from ledger_samples import START, Span, ident, record
from trace_drawing import UNPRICED, Told
from trace_oracle import Truth
from trace_waste import Wasted, wasted

Spent = tuple[int, int]  # cost in attos, calls
_ROLES = {
    "agent": WITNESS,
    "tool": WITNESS,
    "sum": AGGREGATE,
    "call": LEAF,
    "begun": PENDING,
}


class Sums(NamedTuple):
    """What parts of a trace that several writers or generations saw add up to."""

    cost: int
    calls: int
    unpriced: int
    errors: int  # what failed calls cost
    tokens: tuple[int, int]
    by_model: Mapping[str, Spent]


class Answers(NamedTuple):
    """Everything that a row says; ids of spans are numbers."""

    sums: Sums
    spans: int
    failed: int
    by_agent: Mapping[str, Spent]
    agents: Mapping[str, Spent]  # what each set off
    transactions: Mapping[int, Spent]
    branches: Mapping[int, tuple[int, int, int]]  # own cost, cost and calls with all below
    retried: Spent
    wasted: Wasted


def summed(truth: Truth) -> Sums:
    """Of the billed spans."""
    billed = list(truth.billed.values())
    used = [one.tokens or (0, 0) for one in billed]
    return Sums(
        sum(one.cost or 0 for one in billed),
        len(billed),
        sum(one.cost is None for one in billed),
        sum(one.cost or 0 for one in billed if one.failed),
        (sum(each[0] for each in used), sum(each[1] for each in used)),
        _grouped((one.model, _own(one)) for one in billed),
    )


def right(truth: Truth) -> Answers:
    """By the oracle."""
    named = (
        (truth.agent(one, *truth.twins(one)), _own(said)) for one, said in truth.billed.items()
    )
    begun = [
        (said.agent, truth.inclusive(one))
        for one, said in truth.spans.items()
        if said.agent and said.agent not in map(truth.agent, truth.way(one)[1:])
    ]
    again = [truth.inclusive(one)[0] for one in truth.spans if _tried_again(one, truth)]
    return Answers(
        summed(truth),
        len(truth.spans),
        sum(one.failed for one in truth.spans.values()),
        _grouped(named),
        {agent: spent for agent, spent in _grouped(begun).items() if spent[1]},
        _grouped((truth.transaction(one), _own(said)) for one, said in truth.billed.items()),
        {
            one: (truth.billed[one].cost or 0 if one in truth.billed else 0, *truth.inclusive(one))
            for one, below in truth.below.items()
            if truth.billed.keys() & set(below)
        },
        (sum(again), len(again)),
        wasted(truth),
    )


def right_runs(truth: Truth) -> dict[int, tuple[str, int, int, int]]:
    """Of each agent's outermost runs: its name, cost and calls with all below, what is its own."""
    names = {one: said.agent for one, said in truth.spans.items() if said.kind in ("agent", "sum")}

    def outermost(agent: str, one: int) -> int:
        """The run of the agent at or above a span that no other is above."""
        return [0, *(up for up in truth.way(one) if names.get(up) == agent)][-1]

    own = {
        one: (outermost(truth.agent(one, *truth.twins(one)), one), said.cost or 0)
        for one, said in truth.billed.items()
    }
    return {
        one: (agent, *truth.inclusive(one), sum(cost for run, cost in own.values() if run == one))
        for one, agent in names.items()
        if agent and outermost(agent, one) == one and truth.inclusive(one)[1]
    }


def runs_of(told: Mapping[bytes, AgentTotals]) -> dict[int, tuple[str, int, int, int]]:
    """The same as the ledger says it."""
    return {_number(i): (one.name, one.cost, one.calls, one.own_cost) for i, one in told.items()}


def sums_of(rows: Iterable[TraceTotals]) -> Sums:
    """Of all rows of a trace, as a reader adds them up."""
    rows = list(rows)
    return Sums(
        sum(int(row.cost) for row in rows),
        sum(row.llm_calls for row in rows),
        sum(row.unpriced_calls for row in rows),
        sum(int(row.error_cost) for row in rows),
        (
            sum(row.usage.get("input", 0) for row in rows),
            sum(row.usage.get("output", 0) for row in rows),
        ),
        _grouped((name, _spent(tally)) for row in rows for name, tally in row.by_model.items()),
    )


def answers_of(row: TraceTotals) -> Answers:
    """Of a row that tells the whole trace."""
    return Answers(
        sums_of([row]),
        row.spans,
        row.errors,
        {name: _spent(tally) for name, tally in row.by_agent.items()},
        {name: _spent(tally) for name, tally in row.agents.items()},
        {_number(one.span_id): (int(one.cost), one.calls) for one in row.transactions},
        {
            _number(one.span_id): (int(one.own_cost), int(one.cost), one.calls)
            for one in row.branches
        },
        (int(row.retry_cost), row.retries),
        Wasted(
            *(int(row.failed_cost), row.repeated_tools, int(row.repeated_tool_cost)),
            *(int(row.coordination_cost), row.llm_duration_ns, row.llm_busy_ns),
        ),
    )


def price(model: str, tokens: tuple[int, int]) -> int | None:
    """In attos, beyond what a double holds; nobody knows what UNPRICED costs."""
    if model == UNPRICED:
        return None
    return (tokens[0] + 10 * tokens[1]) * (10**16 + len(model) + ord(model))


def spans_of(told: Sequence[Told], trace: bytes) -> list[Span]:
    """As `wire` and `dialect` read them."""
    return [Span(_head(one, trace), _call(one, trace)) for one in told]


def _head(one: Told, trace: bytes) -> Head:
    ids = (trace, ident(one.id), ident(one.parent))
    flags = 0x300 if one.entry and one.kind == "call" else 0
    kind = 2 if one.entry and not flags else 1
    return Head(*ids, START + one.start, START + one.end, flags, kind, 2 * one.failed)


def _call(one: Told, trace: bytes) -> LlmCall | None:
    if one.kind == "plain":
        return None
    role = _ROLES[one.kind]
    tokens_in, tokens_out = one.tokens or (None, 0)
    made = record(
        tokens_in,
        tokens_out,
        role=role,
        response_id=one.answer,
        cost=one.cost,
        model=one.model,
        agent=one.agent,
    )
    made.trace_id, made.span_id = trace, ident(one.id)
    made.parent_span_id = ident(one.parent) if one.parent else b""
    made.start_ns, made.end_ns, made.status = START + one.start, START + one.end, 2 * one.failed
    if one.kind != "call":
        made.operation, made.kind = "invoke_agent", 1
    if one.kind == "tool":
        made.operation, made.arguments = "execute_tool", one.arguments.encode()
    if one.model == UNPRICED:
        made.operation, made.charge = "embeddings", Charge("unpriced", "unknown_model")
    if one.kind == "call" and not one.tokens:
        made.billed_reason = "no_usage"
    return made


def _tried_again(one: int, truth: Truth) -> bool:
    """Whether it failed, and a call of the same was begun later in the same place."""
    spans, said = truth.spans, truth.spans[one]
    tried = [
        each
        for each in spans
        if each in truth.billed or (spans[each].kind == "call" and not spans[each].tokens)
    ]
    return one in tried and said.failed and any(
        each > one and spans[each].start >= said.end
        for each in tried
        if (truth.up[each], spans[each].kind, spans[each].model)
        == (truth.up[one], said.kind, said.model)
    )  # fmt: skip


def _own(one: Told) -> Spent:
    return one.cost or 0, 1


def _grouped(pairs: Iterable[tuple[Any, Spent]]) -> dict[Any, Spent]:
    sums: dict[Any, Spent] = {}
    for key, (cost, calls) in pairs:
        held = sums.get(key, (0, 0))
        sums[key] = held[0] + cost, held[1] + calls
    return sums


def _spent(tally: Tally) -> Spent:
    return int(tally.cost), tally.calls


def _number(span_id: bytes) -> int:
    return int.from_bytes(span_id, "big")
