"""Drawn traces as OTLP, and what a store says of them in the oracle's words. No claims."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.demo.models import GPT, IN_HOUSE, MINI, OPUS, SONNET, Tokens
from costspan.model import Value
from costspan.testing import SECOND, request, span, usage
from trace_answers import Answers, Spent
from trace_drawing import Told, a_trace
from trace_waste import Wasted

RECENT = time.time_ns() - 600 * SECOND  # what is older than a table's TTL is not kept
ATTOS = 10**18
_OPERATIONS = {
    "agent": "invoke_agent",
    "sum": "invoke_agent",
    "tool": "execute_tool",
    "call": "chat",
}
MODELS = {"m": GPT, "n": MINI, "u": IN_HOUSE, "o": SONNET, "p": OPUS}


class Stored(NamedTuple):
    """What the views say of one trace."""

    totals: tuple[int, int, int]  # cost, calls, unpriced calls
    by_model: Mapping[str, Spent]
    by_agent: Mapping[str, Spent]
    transactions: Mapping[int, Spent]
    branches: Mapping[int, tuple[int, int, int]]
    billed: Mapping[int, tuple[int, str]]  # cost and agent
    wasted: Wasted


def price(model: str, tokens: tuple[int, int]) -> int | None:
    """In attos, by the prices that were typed by hand."""
    said = MODELS[model].price
    return int(said.cost(Tokens(*tokens)) * ATTOS) if said else None


def drawn(seed: int, count: int) -> dict[bytes, list[Told]]:
    """Traces by id."""
    rng = random.Random(seed)  # noqa: S311  (repeatable)
    made = {}
    for number in range(1, count + 1):
        told = a_trace(rng.choice, price)
        made[seed.to_bytes(8) + number.to_bytes(8)] = [
            # ClickHouse's table of spans has neither flags nor negative durations
            one._replace(entry=one.entry and one.kind == "plain", end=max(one.start, one.end))
            for one in told
        ]
    return made


def requests(traces: Mapping[bytes, Sequence[Told]], rng: random.Random) -> Iterator[bytes]:
    """All spans, in requests of any size, a tenth of them in two."""
    spans = [otlp(one, trace_id) for trace_id, told in traces.items() for one in told]
    spans += rng.sample(spans, len(spans) // 10)
    rng.shuffle(spans)
    while spans:
        size = rng.randint(1, 60)
        yield request(*spans[:size])
        spans = spans[size:]


def otlp(one: Told, trace_id: bytes) -> Span:
    """As an SDK would encode it."""
    kind = 3 if one.kind == "call" else 2 if one.entry else 1
    return span(
        _attributes(one),
        trace_id=trace_id,
        span_id=one.id.to_bytes(8),
        parent_span_id=one.parent.to_bytes(8) if one.parent else b"",
        name=f"{one.kind} {one.id}",
        kind=kind,
        start_ns=RECENT + one.start,
        end_ns=RECENT + one.end,
        status=2 * one.failed,
    )


def _attributes(one: Told) -> dict[str, Value]:
    said: dict[str, Value] = {}
    if one.kind == "plain":
        return said
    if one.model:
        model = MODELS[one.model]
        said |= usage(*(one.tokens or (0, 0)), model.response)
        said |= {"gen_ai.provider.name": model.provider, "gen_ai.response.id": one.answer}
        if not one.tokens:
            said = {key: value for key, value in said.items() if ".usage." not in key}
    if one.kind == "tool":
        said |= {"gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": one.arguments}
    said["gen_ai.operation.name"] = "embeddings" if one.model == "u" else _OPERATIONS[one.kind]
    said["gen_ai.agent.name"] = one.agent
    return {key: value for key, value in said.items() if value != ""}


def as_stored(right: Answers, billed: Iterable[tuple[Told, str]]) -> Stored:
    """The oracle's answers, as the views should give them; `billed`: with the agent of each."""
    names = {key: model.request for key, model in MODELS.items()}
    sums = right.sums
    return Stored(
        (sums.cost, sums.calls, sums.unpriced),
        {names[key]: spent for key, spent in sums.by_model.items()},
        right.by_agent,
        right.transactions,
        right.branches,
        {one.id: (one.cost or 0, agent) for one, agent in billed},
        right.wasted,
    )


def read(client: Client) -> dict[bytes, Stored]:
    """What the views say, by trace id."""
    found = {
        trace: Stored(
            (_attos(cost), calls, unpriced),
            _spent(model_cost, model_calls),
            _spent(agent_cost, agent_calls),
            *({}, {}, {}),
            Wasted(
                *(_attos(failed), repeats, _attos(repeated), _attos(coordination)),
                *(together, apart),
            ),
        )
        for trace, cost, calls, unpriced, model_cost, model_calls, agent_cost, agent_calls, failed,
            repeats, repeated, coordination, together, apart
        in _rows(client, "trace_totals", "CostUsd, LlmCalls, UnpricedCalls, ModelCostUsd,"
                 " ModelCalls, AgentCostUsd, AgentCalls, FailedCostUsd, RepeatedToolCalls,"
                 " RepeatedToolCostUsd, CoordinationCostUsd, LlmDurationNs, LlmBusyNs")
    }  # fmt: skip
    for trace, one, cost, calls in _rows(client, "transaction_totals", "SpanId, CostUsd, LlmCalls"):
        found[trace].transactions[_number(one)] = _attos(cost), calls  # type: ignore[index]
    for trace, one, own, cost, calls in _rows(
        client, "span_rollup", "SpanId, OwnCostUsd, CostUsd, LlmCalls"
    ):
        found[trace].branches[_number(one)] = _attos(own), _attos(cost), calls  # type: ignore[index]
    for trace, one, cost, agent in _rows(
        client, "llm_calls_latest", "SpanId, CostUsd, Agent", "WHERE Billed"
    ):
        found[trace].billed[_number(one)] = _attos(cost), agent  # type: ignore[index]
    return found


def _rows(client: Client, view: str, columns: str, where: str = "") -> list[tuple[Any, ...]]:
    rows = client.query(f"SELECT TraceId, {columns} FROM {view} {where}").result_rows  # noqa: S608  literals
    return [(bytes.fromhex(trace), *rest) for trace, *rest in rows]


def _spent(costs: Mapping[str, Decimal], calls: Mapping[str, int]) -> dict[str, Spent]:
    return {key: (_attos(costs[key]), number) for key, number in calls.items()}


def _attos(amount: Decimal | None) -> int:
    return int((amount or Decimal(0)).scaleb(18))


def _number(span_id: str) -> int:
    return int(span_id, 16)
