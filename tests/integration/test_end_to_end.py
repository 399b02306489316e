"""An application that knows nothing of us: priced in the store, downstream and in Prometheus.

The real process with its embedded store, a real SDK, a real collector's place, and prices that
were typed by hand. The three must agree to the last digit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.demo.attach import attach
from costspan.demo.line import Line
from costspan.demo.models import MODELS, Tokens
from costspan.store.endpoint import read_endpoint
from integration.lines import eventually, otlp, running
from integration.otlp_sink import OtlpSink, attributes
from integration.plain_app import CALLS
from integration.prometheus import samples, value

pytestmark = pytest.mark.slow
APP = Path(__file__).with_name("plain_app.py")
SPANS = len(CALLS) + 3

CALL_COSTS = "SELECT SpanId, CostUsd FROM llm_calls_latest WHERE TraceId = %(id)s AND Billed"
SPAN_COSTS = """
SELECT SpanId, CostUsd FROM otel_traces WHERE TraceId = %(id)s AND startsWith(SpanName, 'chat ')"""
TOTAL = """
SELECT CostUsd, LlmCalls, UnpricedCalls, Spans, AgentCostUsd FROM trace_totals
WHERE TraceId = %(id)s"""
SUMS = """
SELECT PricedModel, unit, sum(usd) FROM llm_calls_latest
ARRAY JOIN Lines.Unit AS unit, Lines.Usd AS usd
WHERE TraceId = %(id)s AND Billed AND usd > 0 GROUP BY PricedModel, unit"""


@pytest.fixture(scope="module")
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture(scope="module")
def line(sink: OtlpSink, directory: Path) -> Iterator[Line]:
    store = {"directory": str(directory / "store")}
    with running(directory, {"otlp": otlp(sink.endpoint), "clickhouse": store}) as line:
        yield line


@pytest.fixture(scope="module")
def client(line: Line, directory: Path) -> Iterator[Client]:
    assert line.ready()
    dsn = read_endpoint(directory / "store").dsn()
    client = attach(dsn)
    yield client
    client.close()


def bill() -> list[Decimal | None]:
    """What the calls must cost, by the price list that was typed by hand; None: nobody knows."""
    prices = {model.response: model.price for model in MODELS}
    costs: list[Decimal | None] = []
    for model, prompt, cached, output in CALLS:
        price = prices.get(model)
        tokens = Tokens(prompt - cached, output, cache_read=cached)
        costs.append(price.cost(tokens) if price else None)
    return costs


def run_app(line: Line, protocol: str) -> str:
    """Run the application; returns its service's name."""
    port = line.ports.grpc if protocol == "grpc" else line.ports.http
    service = f"plain-{protocol.partition('/')[0]}"
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_SERVICE_NAME": service,
    }
    subprocess.run(  # noqa: S603 (our own script)
        [sys.executable, str(APP)], env=environment, check=True, timeout=60
    )
    return service


def exact(span: Span) -> Decimal | None:
    """The cost that is written on a span."""
    text = attributes(span).get("window.financial.total_cost_exact")
    return None if text is None else Decimal(str(text))


def ask(client: Client, query: str, trace_id: str) -> list[tuple[Any, ...]]:
    """Rows of a query about one trace, as soon as there are some."""
    parameters = {"id": trace_id}
    rows = eventually(lambda: client.query(query, parameters=parameters).result_rows)
    return [tuple(row) for row in rows]


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"])
def played(request: pytest.FixtureRequest, line: Line, sink: OtlpSink) -> tuple[str, list[Span]]:
    """The service's name and the spans of its one trace, as they arrived downstream."""
    sink.received.clear()
    service = run_app(line, request.param)
    return service, sink.wait_for_spans(SPANS)


def test_the_destination_gets_every_span_and_every_cost(played: tuple[str, list[Span]]) -> None:
    """The double is the nearest to the exact decimal; an unknown cost is absent, not zero."""
    _, spans = played
    calls = [span for span in spans if span.name.startswith("chat ")]

    assert len(spans) == SPANS
    assert [exact(call) for call in calls] == bill()
    for call in calls:
        cost = exact(call)
        double = attributes(call).get("window.financial.total_cost")
        assert double == (None if cost is None else float(cost))
    assert attributes(calls[-1])["window.financial.status"] == "unpriced"


def test_the_store_holds_the_same_costs_and_their_total(
    played: tuple[str, list[Span]], client: Client
) -> None:
    _, spans = played
    trace_id = spans[0].trace_id.hex()
    downstream = {s.span_id.hex(): exact(s) for s in spans if s.name.startswith("chat ")}
    (trace,) = ask(client, TOTAL, trace_id)
    known = sum(cost for cost in downstream.values() if cost is not None)

    assert dict(ask(client, CALL_COSTS, trace_id)) == downstream
    assert dict(ask(client, SPAN_COSTS, trace_id)) == downstream
    assert trace == (known, 4, 1, SPANS, {"helper": known})


def test_prometheus_shows_the_doubles_of_the_exact_sums(
    played: tuple[str, list[Span]], line: Line, client: Client
) -> None:
    """One series for each model and bucket; calls without a price are counted apart."""
    service, spans = played
    trace_id = spans[0].trace_id.hex()
    rows = ask(client, SUMS, trace_id)
    shown = samples(line.ports.metrics, "costspan_cost_usd_total", service_name=service)

    assert sorted(s.value for s in shown if s.value) == sorted(float(usd) for *_, usd in rows)
    assert value(line.ports.metrics, "costspan_calls_total", service_name=service) == len(CALLS)


def test_what_was_accepted_was_sent(
    played: tuple[str, list[Span]], line: Line, client: Client
) -> None:
    """The accounting identity, when nothing waits any more."""
    assert played
    assert client.ping()
    accepted = value(line.ports.metrics, "costspan_receiver_accepted_items_total", signal="traces")

    def sent(exporter: str) -> float:
        name = "costspan_exporter_sent_items_total"
        return value(line.ports.metrics, name, exporter=exporter, signal="traces")

    assert eventually(lambda: sent("otlp") == accepted)
    assert eventually(lambda: sent("clickhouse") == accepted)
