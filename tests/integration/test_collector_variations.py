"""What a user may change in a topology, and what may go wrong in it: still each span once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from integration.lines import eventually
from integration.otlp_client import export, post
from integration.priced_traffic import Traffic
from integration.topology import Topology

pytestmark = [pytest.mark.slow, pytest.mark.collector]

GZIP = {"compression: none": "compression: gzip"}
# as the comments in the files say
HTTP_TO_COSTSPAN = {
    "otlp_grpc/costspan": "otlp_http/costspan",
    "${env:SIDECAR_GRPC:-127.0.0.1:14317}": "http://${env:SIDECAR_HTTP}",
}
HTTP_TO_AFTER = {
    "  otlp_grpc:": "  otlp_http:",
    "${env:COLLECTOR_GRPC:-127.0.0.1:14317}": "http://${env:COLLECTOR_HTTP}",
}
HTTP_TO_LOOP = {
    "  otlp_grpc:": "  otlp_http:",
    "${env:COLLECTOR_GRPC:-127.0.0.1:24317}": "http://${env:COLLECTOR_HTTP}",
}
NOBODY = "127.0.0.1:1"
MIB = 1 << 20


def small_journal(size: str) -> dict[str, str]:
    return {"extensions:": f"journal: {{max_size: {size}}}\nextensions:"}


def send(topology: Topology, traffic: Traffic) -> None:
    for body in traffic.requests:
        export(topology.grpc, body)


def refusal(topology: Topology, body: bytes) -> grpc.RpcError:
    """What an application is told; AssertionError if the request is taken."""
    with pytest.raises(grpc.RpcError) as refused:
        export(topology.grpc, body)
    return refused.value


@pytest.mark.parametrize(
    ("edits", "transport"),
    [(GZIP, "grpc"), (HTTP_TO_COSTSPAN, "http"), (HTTP_TO_COSTSPAN | GZIP, "http")],
    ids=["grpc-gzip", "http", "http-gzip"],
)
@pytest.mark.parametrize("name", ["before", "loop"])
def test_the_collector_may_send_compressed_or_over_http(
    name: str, edits: Mapping[str, str], transport: str, otelcol: Path, tmp_path: Path
) -> None:
    traffic = Traffic(12)
    with Topology(name, otelcol, tmp_path, collector=edits) as topology:
        send(topology, traffic)
        spans = topology.arrived(traffic)
        accepted = topology.costspan("receiver_accepted_items_total", transport=transport)

    assert accepted == len(traffic.sent)
    traffic.assert_once(spans)
    traffic.assert_priced(spans)


@pytest.mark.parametrize(
    ("name", "edits", "receiver", "transport"),
    [
        ("after", GZIP, "otlp", "grpc"),
        ("after", HTTP_TO_AFTER, "otlp", "http"),
        ("after", HTTP_TO_AFTER | GZIP, "otlp", "http"),
        ("loop", HTTP_TO_LOOP, "otlp/priced", "http"),
    ],
    ids=["after-gzip", "after-http", "after-http-gzip", "loop-http"],
)
def test_costspan_may_send_compressed_or_over_http(
    name: str,
    edits: Mapping[str, str],
    receiver: str,
    transport: str,
    otelcol: Path,
    tmp_path: Path,
) -> None:
    traffic = Traffic(12)
    with Topology(name, otelcol, tmp_path, costspan=edits) as topology:
        send(topology, traffic)
        spans = topology.arrived(traffic)
        labels = {"receiver": receiver, "transport": transport}
        accepted = topology.otelcol("receiver_accepted_spans_total", **labels)

    assert accepted == len(traffic.sent)
    traffic.assert_once(spans)
    traffic.assert_priced(spans)


def test_costspan_takes_spans_before_the_collector_listens(otelcol: Path, tmp_path: Path) -> None:
    traffic = Traffic(12)
    with Topology("after", otelcol, tmp_path, collecting=False) as topology:
        send(topology, traffic)
        assert eventually(lambda: topology.costspan("exporter_send_failures_total"))
        topology.collector.start()
        spans = topology.arrived(traffic)

    traffic.assert_once(spans)
    traffic.assert_priced(spans)


def test_what_a_full_costspan_refuses_waits_in_the_collectors_queue(
    otelcol: Path, tmp_path: Path
) -> None:
    """UNAVAILABLE with RetryInfo: the Collector has acked it all, keeps it and comes again."""
    traffic = Traffic(30, filler=25_000)
    assert sum(map(len, traffic.requests)) > 8 * MIB
    full = small_journal("4MiB")
    with Topology("before", otelcol, tmp_path, costspan=full, back_end=False) as topology:
        send(topology, traffic)
        assert eventually(lambda: topology.costspan("receiver_refused_items_total"))
        topology.open_back_end()
        spans = topology.arrived(traffic, timeout=60)
        failed = topology.otelcol("exporter_send_failed_spans_total")

    assert failed == 0
    assert "Dropping data" not in topology.collector.log.read_text()
    traffic.assert_once(spans)
    traffic.assert_priced(spans)


def test_in_the_loop_a_refusal_reaches_the_application_unchanged(
    otelcol: Path, tmp_path: Path
) -> None:
    """Code and delay over gRPC, 503 with a delay over HTTP: the application keeps its spans."""
    body = Traffic(4, filler=25_000).one_request
    full = small_journal("1MiB") | {"${env:COLLECTOR_GRPC:-127.0.0.1:24317}": NOBODY}
    with Topology("loop", otelcol, tmp_path, costspan=full) as topology:
        export(topology.grpc, body)
        refused = refusal(topology, body)
        answer = post(topology.http, body)
        assert topology.line.stop() is not None
        gone = refusal(topology, body)
        nobody = post(topology.http, body)

    trailers = {item.key: item.value for item in refused.trailing_metadata()}
    retry = RetryInfo()
    (detail,) = RpcStatus.FromString(trailers["grpc-status-details-bin"]).details
    assert detail.Unpack(retry)
    assert retry.retry_delay.ToTimedelta().total_seconds() == 5
    assert refused.code() == gone.code() == grpc.StatusCode.UNAVAILABLE
    assert answer.status == nobody.status == 503
    assert answer.headers["retry-after"] == "5"


def test_a_loop_that_is_wired_wrong_shows_and_bills_nobody_twice(
    otelcol: Path, tmp_path: Path
) -> None:
    """Sent to the receiver of the applications, priced spans come back: they are duplicates."""
    wrong = {"${env:COLLECTOR_GRPC:-127.0.0.1:24317}": "${env:APPS_GRPC}"}
    traffic = Traffic(4)
    with Topology("loop", otelcol, tmp_path, costspan=wrong) as topology:
        send(topology, traffic)
        calls = len(traffic.bill)
        assert eventually(lambda: topology.costspan("duplicate_spans_total") >= 3 * calls)
        billed = topology.costspan("calls_total")

    assert billed == calls
