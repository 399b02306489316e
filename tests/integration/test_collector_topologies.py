"""Every topology of collector-config/ as shipped: each span once, at its exact price."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.processor.enrich import OWN_KEYS
from integration.lines import eventually
from integration.otlp_client import export, logs_request, metrics_request, post
from integration.otlp_sink import attributes
from integration.plain_app import CALLS as APP_CALLS
from integration.priced_traffic import EXACT, Traffic
from integration.topology import TOPOLOGIES, Topology

pytestmark = [pytest.mark.slow, pytest.mark.collector]

APP = Path(__file__).with_name("plain_app.py")
# typed by hand, US dollars per million tokens: gpt-5 1.25 in, 0.125 cached, 10 out; gpt-5-mini
# 0.25 in, 2 out: 976 x 1.25 + 1 024 x 0.125 + 3 000; 1 500 x 1.25 + 1 200; 9 999 x 0.25 + 2
APP_BILL = ["0.004348", "0.003075", "0.00250175", None]
APP_SPANS = len(APP_CALLS) + 3
MIB = 1 << 20
Leaves: TypeAlias = Callable[[bytes], Sequence[Message]]


class Delivery(NamedTuple):
    """Traffic that went through a topology that had seen nothing before."""

    topology: Topology
    traffic: Traffic
    arrived: list[Span]


@pytest.fixture(scope="module", params=TOPOLOGIES)
def topology(
    request: pytest.FixtureRequest, otelcol: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Topology]:
    with Topology(request.param, otelcol, tmp_path_factory.mktemp(request.param)) as topology:
        yield topology


@pytest.fixture(scope="module")
def delivery(topology: Topology) -> Delivery:
    traffic = Traffic(60)
    for body in traffic.requests:
        export(topology.grpc, body)
    return Delivery(topology, traffic, topology.arrived(traffic))


def without_ours(span: Span) -> Span:
    """The span less the attributes that costspan writes."""
    kept = Span()
    kept.CopyFrom(span)
    del kept.attributes[:]
    kept.attributes.extend(item for item in span.attributes if item.key not in OWN_KEYS)
    return kept


def points(body: bytes) -> list[Metric]:
    """The metrics of a request. Around them the Collector writes empty messages of its own."""
    request = ExportMetricsServiceRequest.FromString(body)
    return list(request.resource_metrics[0].scope_metrics[0].metrics)


def lines(body: bytes) -> list[LogRecord]:
    """The same for log records."""
    request = ExportLogsServiceRequest.FromString(body)
    return list(request.resource_logs[0].scope_logs[0].log_records)


def others(topology: Topology, signal: str) -> list[bytes]:
    """What came of a signal, but for the events that costspan itself sends of traces."""
    return [body for body in topology.sink.bodies(signal) if b"window.financial.trace" not in body]


def test_every_span_arrives_exactly_once(delivery: Delivery) -> None:
    assert len(delivery.traffic.sent) == 60 * 18
    delivery.traffic.assert_once(delivery.arrived)


def test_every_model_call_carries_its_exact_cost(delivery: Delivery) -> None:
    """An unknown price is no cost, not zero."""
    delivery.traffic.assert_priced(delivery.arrived)
    for span in delivery.arrived:
        usd = delivery.traffic.bill.get(span.span_id)
        cost = attributes(span).get("window.financial.total_cost")
        assert cost == (None if usd is None else float(usd))


def test_all_else_is_as_it_was_sent(delivery: Delivery) -> None:
    """A span without a model call is the same message; one with gains attributes and no more."""
    for span in delivery.arrived:
        sent = delivery.traffic.sent[span.span_id]
        if span.span_id not in delivery.traffic.bill:
            assert span == sent
        assert without_ours(span) == sent


def test_nothing_loops_and_the_figures_agree(delivery: Delivery) -> None:
    """What costspan and the Collector count is what was sent: no span passed twice."""
    topology, traffic = delivery.topology, delivery.traffic
    count, calls = len(traffic.sent), len(traffic.bill)
    unpriced = sum(usd is None for usd in traffic.bill.values())

    assert topology.costspan("receiver_accepted_items_total", signal="traces") == count
    assert topology.costspan("exporter_sent_items_total", signal="traces") == count
    assert eventually(lambda: topology.costspan("calls_total") == calls)
    assert topology.costspan("unpriced_spans_total") == unpriced
    for trouble in ("self_loop_requests", "already_metered_spans", "duplicate_spans"):
        assert topology.costspan(f"{trouble}_total") == 0
    hops = 2 if topology.name == "loop" else 1
    assert eventually(lambda: topology.otelcol("exporter_sent_spans_total") == hops * count)
    assert topology.otelcol("exporter_send_failed_spans_total") == 0


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_an_application_with_the_sdk_needs_only_the_endpoint(
    topology: Topology, protocol: str
) -> None:
    port = topology.grpc if protocol == "grpc" else topology.http
    service = f"sdk-{topology.name}-{protocol[:4]}"
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_SERVICE_NAME": service,
    }
    before = len(topology.sink.spans())
    subprocess.run(  # noqa: S603 (our own script)
        [sys.executable, str(APP)], env=environment, check=True, timeout=60
    )
    spans = topology.sink.wait_for_spans(before + APP_SPANS)[before:]
    calls = [span for span in spans if span.name.startswith("chat ")]

    assert len({span.span_id for span in spans}) == len(spans) == APP_SPANS
    assert [attributes(call).get(EXACT) for call in calls] == APP_BILL


@pytest.mark.parametrize("transport", ["grpc", "http"])
@pytest.mark.parametrize(
    ("signal", "body", "leaves"),
    [("metrics", metrics_request(), points), ("logs", logs_request(), lines)],
    ids=["metrics", "logs"],
)
def test_metrics_and_logs_pass(
    topology: Topology, transport: str, signal: str, body: bytes, leaves: Leaves
) -> None:
    before = len(others(topology, signal))
    if transport == "grpc":
        export(topology.grpc, body, signal)
    else:
        assert post(topology.http, body, signal).status == 200
    topology.sink.wait(lambda: len(others(topology, signal)) > before)
    (came,) = others(topology, signal)[before:]

    assert leaves(came) == leaves(body)


def test_a_request_over_4_mib_arrives_whole_in_smaller_ones(topology: Topology) -> None:
    """The Collector's receivers take it, costspan takes it, and the back end gets what it can."""
    traffic = Traffic(20, filler=25_000)
    assert len(traffic.one_request) > 5 * MIB
    export(topology.grpc, traffic.one_request)
    spans = topology.arrived(traffic)

    traffic.assert_once(spans)
    traffic.assert_priced(spans)
    assert max(len(body) for body in topology.sink.bodies("traces")) < 4 * MIB


def test_the_collector_finds_nothing_deprecated(delivery: Delivery) -> None:
    log = delivery.topology.collector.log.read_text()

    assert "Everything is ready" in log
    assert "deprecated" not in log
