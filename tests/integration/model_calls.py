"""Runs applications that call models, and reads what costspan made of their calls.

The other side of the comparison, what the calls must cost, is here too: the provider's bill at
prices typed by hand. No assertions.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.demo.attach import attach
from costspan.demo.line import Line
from costspan.demo.models import MODELS, Model, Tokens
from costspan.store.endpoint import read_endpoint
from integration.lines import eventually, otlp, running
from integration.otlp_sink import OtlpSink, attributes, spans_of
from integration.prometheus import value
from integration.stub_model import Billed, StubModel

_BY_MODEL = """
SELECT if(ResponseModel = '', RequestModel, ResponseModel) AS model, count(),
    sum(InputTokens), sum(OutputTokens), sum(CacheReadTokens), sum(CacheWrite5mTokens),
    sum(ReasoningTokens), sum(CostUsd)
FROM llm_calls FINAL WHERE TraceId = %(id)s AND Billed GROUP BY model"""
_TOTAL = "SELECT CostUsd, LlmCalls, Spans FROM trace_totals WHERE TraceId = %(id)s"
_STORED = """
SELECT (SELECT countIf(NOT mapContains(SpanAttributes, 'logfire.pending_parent_id'))
        FROM otel_traces WHERE TraceId = %(id)s),
    (SELECT count() FROM llm_calls FINAL WHERE TraceId = %(id)s AND Billed)"""
_DECISIONS = """
SELECT SpanId, BilledReason, Dialect, Convention, CostStatus, CacheStatus, Agent
FROM llm_calls FINAL WHERE TraceId = %(id)s"""


class Account(NamedTuple):
    """The calls of one model: how many, their tokens in disjoint buckets, US dollars."""

    calls: int
    tokens: Tokens
    cost: Decimal


NOTHING = Account(0, Tokens(0), Decimal(0))


class Decision(NamedTuple):
    """What the store says of one span that tells of a model call."""

    billed_reason: str
    dialect: str
    convention: str
    cost_status: str
    cache_status: str
    agent: str


class Total(NamedTuple):
    """The row of a trace in `trace_totals`; US dollars."""

    cost: Decimal
    calls: int
    spans: int


class Played(NamedTuple):
    """One trace of an application: its spans as they went downstream, and what was stored."""

    spans: list[Span]
    by_model: dict[str, Account]
    decisions: dict[str, Decision]  # by span id in hex
    total: Total | None  # None: nothing was billed

    def decided(self, name: str) -> list[Decision]:
        """The decisions on the spans of this name, in order of their start."""
        spans = sorted(self.spans, key=lambda span: span.start_time_unix_nano)
        ids = [span.span_id.hex() for span in spans if span.name == name]
        return [self.decisions[each] for each in ids if each in self.decisions]


class Costspan:
    """A running line with a place to send spans to and an embedded store."""

    def __init__(self, line: Line, sink: OtlpSink, client: Client) -> None:
        self.line, self._sink, self._client = line, sink, client
        self._spans: defaultdict[str, list[Span]] = defaultdict(list)  # by trace id
        self._decoded = 0  # requests
        self._asking = threading.Lock()

    def play(self, app: Path, case: str, stub: StubModel, spans: int, **more: str) -> Played:
        """Run one case that makes one trace; `more`: environment. Returns when it is settled."""
        self._sink.received.clear()
        self._spans.clear()
        self._decoded = 0
        run(app, case, self.line, stub, **more)
        downstream = self._sink.wait_for_spans(spans)
        (trace_id,) = {span.trace_id.hex() for span in downstream}
        return self.told(trace_id, spans)

    def told(self, trace_id: str, spans: int) -> Played:
        """What became of a trace of so many spans; returns when it is settled. From any thread."""
        with self._asking:
            return self._told(trace_id, spans)

    def _told(self, trace_id: str, spans: int) -> Played:
        self._sink.wait(lambda: len(self._downstream(trace_id)) >= spans)
        accepted = self._accepted()
        (settled,) = eventually(lambda: self._settled(trace_id, spans, accepted))
        by_model = {
            model: Account(calls, Tokens(*tokens), cost)
            for model, calls, *tokens, cost in self._ask(_BY_MODEL, trace_id)
        }
        decisions = {id_: Decision(*said) for id_, *said in self._ask(_DECISIONS, trace_id)}
        return Played(self._downstream(trace_id), by_model, decisions, settled)

    def _downstream(self, trace_id: str) -> list[Span]:
        new = self._sink.bodies("traces")[self._decoded :]
        self._decoded += len(new)
        for span in spans_of(new):
            self._spans[span.trace_id.hex()].append(span)
        return list(self._spans[trace_id])

    def _settled(self, trace_id: str, spans: int, accepted: float) -> list[Total | None]:
        """The trace's total or None as soon as all is stored and agrees; before that nothing."""
        ((stored, billed),) = self._ask(_STORED, trace_id)
        if stored < spans or self._delivered() < accepted:
            return []
        if not billed:
            return [None]
        totals = [Total(*row) for row in self._ask(_TOTAL, trace_id)]
        return [each for each in totals if (each.calls, each.spans) == (billed, stored)]

    def _accepted(self) -> float:
        """Spans so far."""
        port = self.line.ports.metrics
        return value(port, "costspan_receiver_accepted_items_total", signal="traces")

    def _delivered(self) -> float:
        """Of those, spans that the store has taken."""
        name = "costspan_exporter_sent_items_total"
        port = self.line.ports.metrics
        return value(port, name, exporter="clickhouse", signal="traces")

    def _ask(self, query: str, trace_id: str) -> list[tuple[Any, ...]]:
        rows = self._client.query(query, parameters={"id": trace_id}).result_rows
        return [tuple(row) for row in rows]


@contextmanager
def costspan(directory: Path) -> Iterator[Costspan]:
    """The real process with an embedded store, and a collector's place downstream."""
    store = {"directory": str(directory / "store")}
    with OtlpSink() as sink:
        exporters = {"otlp": otlp(sink.endpoint), "clickhouse": store}
        with running(directory, exporters) as line:
            client = attach(read_endpoint(directory / "store").dsn())
            try:
                yield Costspan(line, sink, client)
            finally:
                client.close()


def run(app: Path, case: str, line: Line, stub: StubModel, **more: str) -> None:
    """Run an application to its end, as in production: everything is in its environment."""
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{line.ports.grpc}",
        "OTEL_SERVICE_NAME": case,
        "OPENAI_BASE_URL": stub.openai,
        "OPENAI_API_KEY": "sk-none",
        "ANTHROPIC_BASE_URL": stub.anthropic,
        "ANTHROPIC_API_KEY": "sk-none",
        "TRACELOOP_TELEMETRY": "false",
        **more,
    }
    subprocess.run(  # noqa: S603 (our own script)
        [sys.executable, str(app), case], env=environment, check=True, timeout=60
    )


def cost(line: Billed) -> Decimal:
    """What the provider charges for one line of its bill."""
    price = _model(line).price
    assert price is not None
    return price.cost(line.tokens)


def accounts(bill: Iterable[Billed]) -> dict[str, Account]:
    """The provider's bill by the model that answered."""
    found: dict[str, Account] = {}
    for line in bill:
        model = _answering(line)
        account = Account(1, line.tokens, cost(line))
        found[model] = add(found.get(model, NOTHING), account)
    return found


def add(one: Account, other: Account) -> Account:
    """Two accounts of the same model in one."""
    tokens = Tokens(*map(sum, zip(one.tokens, other.tokens, strict=True)))
    return Account(one.calls + other.calls, tokens, one.cost + other.cost)


def asked(model: str) -> str:
    """The name by which applications ask for the model that answers by this one."""
    return next((each.request for each in MODELS if model in (each.request, each.response)), model)


def total(bill: Sequence[Billed], spans: int) -> Total:
    """What the total of a trace of so many spans must be."""
    return Total(sum(map(cost, bill), Decimal(0)), len(bill), spans)


def costs_on(spans: Iterable[Span]) -> list[Decimal]:
    """The exact cost of every span that has one."""
    exact = (attributes(span).get("window.financial.total_cost_exact") for span in spans)
    return [Decimal(str(text)) for text in exact if text is not None]


def said(played: Played, key: str) -> list[object]:
    """The values of one attribute as they went downstream, in order of the spans' arrival."""
    there = (attributes(span) for span in played.spans)
    return [found[key] for found in there if key in found]


def _model(line: Billed) -> Model:
    (model,) = (model for model in MODELS if model.request == line.model)
    return model


def _answering(line: Billed) -> str:
    """OpenAI answers with a dated name, the stub's Anthropic with the one it was asked for."""
    return _model(line).response if line.provider == "openai" else line.model
