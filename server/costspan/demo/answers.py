"""What the demo asks the store, by SQL, and nothing that is not in the store."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from costspan.demo.tree import StoredSpan


class Result(Protocol):
    """What a query gives: rows in order."""

    @property
    def result_rows(self) -> Sequence[Sequence[Any]]: ...


class Client(Protocol):
    """The part of clickhouse-connect's client that the demo uses."""

    def query(self, query: str) -> Result: ...


class Share(NamedTuple):
    """Cost and calls under one name. `tokens` counts input and output."""

    name: str
    cost: Decimal
    calls: int
    tokens: int = 0


class Unpriced(NamedTuple):
    """Calls whose cost is unknown, and why."""

    model: str
    reason: str
    calls: int


class TraceRow(NamedTuple):
    """One trace as the view `trace_totals` has it; costs in US dollars."""

    trace_id: str
    name: str
    service: str
    cost: Decimal
    calls: int
    unpriced: int
    spans: int
    seconds: float
    grade: str


class Answers(NamedTuple):
    """Everything that the demo prints and compares."""

    traces: list[TraceRow]  # the most expensive first
    by_agent: list[Share]
    by_model: list[Share]
    by_team: list[Share]
    unpriced: list[Unpriced]
    savings: Decimal
    wasted: Decimal
    span_costs: dict[str, Decimal | None]  # by span id: billed calls

    @property
    def total(self) -> Decimal:
        """The sum of all traces."""
        return sum((trace.cost for trace in self.traces), Decimal(0))


_TRACES = """
SELECT TraceId, RootName, ServiceName, CostUsd, LlmCalls, UnpricedCalls, Spans,
       (toUnixTimestamp64Nano(End) - toUnixTimestamp64Nano(Start)) / 1e9, Grade
FROM trace_totals WHERE TraceId IN ({ids}) ORDER BY CostUsd DESC, TraceId"""

_AGENTS = """
SELECT agent, sum(cost) AS total, sum(calls)
FROM (SELECT AgentCostUsd, AgentCalls FROM trace_totals WHERE TraceId IN ({ids}))
ARRAY JOIN mapKeys(AgentCalls) AS agent, mapValues(AgentCalls) AS calls,
    arrayMap(name -> AgentCostUsd[name], mapKeys(AgentCalls)) AS cost
GROUP BY agent ORDER BY total DESC, agent"""

_MODELS = """
SELECT RequestModel, sum(CostUsd) AS total, count(),
       sum(InputTokens + CacheReadTokens + CacheWrite5mTokens + OutputTokens)
FROM llm_calls_latest WHERE Billed AND TraceId IN ({ids}) GROUP BY RequestModel
HAVING countIf(CostUsd IS NOT NULL) > 0 ORDER BY total DESC, RequestModel"""

_TEAMS = """
SELECT Dimensions['team'] AS team, sum(CostUsd) AS total, count() FROM llm_calls_latest
WHERE Billed AND TraceId IN ({ids}) GROUP BY team ORDER BY total DESC, team"""

_UNPRICED = """
SELECT RequestModel, UnpricedReason, count() AS calls FROM llm_calls_latest
WHERE Billed AND CostUsd IS NULL AND TraceId IN ({ids})
GROUP BY RequestModel, UnpricedReason ORDER BY calls DESC"""

_SUMS = """
SELECT sum(CacheSavingsUsd), sum(ErrorCostUsd) FROM trace_totals WHERE TraceId IN ({ids})"""

_SPANS = """
SELECT SpanId, CostUsd FROM llm_calls_latest WHERE Billed AND TraceId IN ({ids})"""

_TREE = """
SELECT SpanId, ParentSpanId, SpanName, toUnixTimestamp64Nano(Timestamp), Duration,
       StatusCode = 'Error', CostUsd, CostStatus, CacheStatus,
       toUInt64OrZero(SpanAttributes['gen_ai.usage.input_tokens']),
       toUInt64OrZero(SpanAttributes['gen_ai.usage.output_tokens'])
FROM otel_traces WHERE TraceId = {id} LIMIT 1 BY SpanId"""


def settled(client: Client, trace_ids: Sequence[str]) -> tuple[int, int]:
    """How many of these traces have a total by now, and how many model calls those hold."""
    (row,) = client.query(
        f"SELECT count(), sum(LlmCalls) FROM trace_totals WHERE TraceId IN ({_quoted(trace_ids)})"  # noqa: S608 (hex)
    ).result_rows
    return int(row[0]), int(row[1])


def ask(client: Client, trace_ids: Sequence[str]) -> Answers:
    """Every question, about these traces only: the directory may hold older runs."""

    def rows(question: str) -> Sequence[Sequence[Any]]:
        return client.query(question.format(ids=_quoted(trace_ids))).result_rows

    ((savings, wasted),) = rows(_SUMS)
    return Answers(
        traces=[TraceRow(*row) for row in rows(_TRACES)],
        by_agent=[Share(*row) for row in rows(_AGENTS)],
        by_model=[Share(*row) for row in rows(_MODELS)],
        by_team=[Share(name, cost or Decimal(0), calls) for name, cost, calls in rows(_TEAMS)],
        unpriced=[Unpriced(*row) for row in rows(_UNPRICED)],
        savings=savings,
        wasted=wasted,
        span_costs={str(span_id): cost for span_id, cost in rows(_SPANS)},
    )


def spans_of(client: Client, trace_id: str) -> list[StoredSpan]:
    """The spans of one trace; a span that was sent twice comes once."""
    rows = client.query(_TREE.format(id=_quoted([trace_id]))).result_rows
    return [StoredSpan(*row) for row in rows]


def _quoted(trace_ids: Sequence[str]) -> str:
    """Hex ids as SQL strings; the exporter's ids hold nothing but hex digits."""
    return ", ".join(f"'{int(trace_id, 16):032x}'" for trace_id in trace_ids)
