"""What arrived at a destination, counted by span id: OTLP bodies and ClickHouse's tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from integration.otlp_sink import spans_of

_SPANS = "SELECT SpanId, count() FROM otel_traces GROUP BY SpanId"
_CALLS = "SELECT SpanId, CostUsd FROM llm_calls FINAL WHERE Billed"
_TOTALS = "SELECT sum(CostUsd), sum(LlmCalls), sum(Spans), count() FROM trace_totals"


class Arrivals:
    """Span ids (hex) of the bodies that a sink holds; each body is read once."""

    def __init__(self, bodies: Callable[[], Sequence[bytes]]) -> None:
        self._bodies = bodies
        self._read = 0
        self._counts: Counter[str] = Counter()

    def counts(self) -> Mapping[str, int]:
        """How often each span has arrived."""
        bodies = self._bodies()
        self._counts.update(span.span_id.hex() for span in spans_of(bodies[self._read :]))
        self._read = len(bodies)
        return self._counts


class Totals(NamedTuple):
    """The sums over the view `trace_totals`."""

    cost: Decimal
    calls: int
    spans: int
    traces: int


class Stored:
    """The tables of one database."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def spans(self) -> dict[str, int]:
        """How many rows `otel_traces` has of each span."""
        return dict(self._rows(_SPANS))

    def calls(self) -> list[tuple[str, Decimal | None]]:
        """Span id and cost of every billed row of `llm_calls FINAL`."""
        return [(id_, cost) for id_, cost in self._rows(_CALLS)]

    def totals(self) -> Totals:
        return Totals(*self._rows(_TOTALS)[0])

    def _rows(self, query: str) -> list[Any]:
        return list(self._client.query(query).result_rows)
