"""Bad starts, dead destinations, overload, the end: it fails open and says so. Real processes."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from costspan.demo.line import Line, Ports, configuration, free_ports
from costspan.errors import StartError
from costspan.testing import request, span, usage
from integration.lines import otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink
from integration.prometheus import value

NOBODY = "127.0.0.1:1"


def exit_of(config: dict[str, object], ports: Ports, directory: Path) -> tuple[int | None, str]:
    """Start a line that can't start: its exit code and what it printed."""
    line = Line(config, ports, directory / "costspan.log")
    with pytest.raises(StartError):
        line.start()
    return line.ended(within=10), line.log.read_text()


def send_often(line: Line, body: bytes) -> None:
    for _ in range(40):
        export(line.ports.grpc, body)


@pytest.mark.parametrize("busy", ["grpc", "http", "metrics", "health"])
def test_a_busy_port_is_exit_1_with_a_sentence(tmp_path: Path, busy: str) -> None:
    ports = free_ports()
    port = getattr(ports, busy)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        code, log = exit_of(configuration(ports, {"otlp": otlp(NOBODY)}), ports, tmp_path)

    assert code == 1
    assert str(port) in log
    assert "Traceback" not in log


def test_a_bad_configuration_is_exit_3_and_names_the_nearest_key(tmp_path: Path) -> None:
    ports = free_ports()
    config = configuration(ports, {"otlp": otlp(NOBODY)})
    config["exporters"]["otlp"]["endpiont"] = NOBODY
    code, log = exit_of(config, ports, tmp_path)

    assert code == 3
    assert "endpiont" in log
    assert "endpoint" in log
    assert "Traceback" not in log


def test_a_destination_that_is_one_of_our_listeners_is_exit_3(tmp_path: Path) -> None:
    ports = free_ports()
    itself = otlp(f"localhost:{ports.grpc}")
    code, log = exit_of(configuration(ports, {"otlp": itself}), ports, tmp_path)

    assert code == 3
    assert str(ports.grpc) in log


def test_a_destination_that_is_down_at_the_start_gets_everything_later(tmp_path: Path) -> None:
    """We start, accept, retry, and say so."""
    port = free_ports().grpc
    with running(tmp_path, {"otlp": otlp(f"127.0.0.1:{port}")}) as line:
        for number in range(5):
            export(line.ports.grpc, request(span(usage(), name=f"chat {number}")))
        with OtlpSink(port) as sink:
            names = [each.name for each in sink.wait_for_spans(5)]
        failures = value(line.ports.metrics, "costspan_exporter_send_failures_total")

    assert names == [f"chat {number}" for number in range(5)]
    assert failures > 0


def test_a_full_journal_answers_unavailable_with_both_retry_trailers(tmp_path: Path) -> None:
    """The destination is dead and the ring is full: keep it, come back in so many seconds."""
    ring = {"max_size": "1MiB"}
    body = request(*(span({"filler": "x" * 1_000}) for _ in range(200)))
    with running(tmp_path, {"otlp": otlp(NOBODY)}, journal=ring) as line:
        with pytest.raises(grpc.RpcError) as refused:
            send_often(line, body)
        trailers = {item.key: item.value for item in refused.value.trailing_metadata()}
        accepted = value(line.ports.metrics, "costspan_receiver_accepted_items_total")
        queued = value(line.ports.metrics, "costspan_exporter_queued_items", exporter="otlp")
        not_taken = value(line.ports.metrics, "costspan_receiver_refused_items_total")

    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    details = RpcStatus.FromString(trailers["grpc-status-details-bin"]).details
    retry = RetryInfo()
    assert details[0].Unpack(retry)
    assert retry.retry_delay.ToTimedelta().total_seconds() > 0
    assert RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]) == retry
    assert accepted == queued > 0
    assert not_taken == 200


def test_sigterm_hands_over_what_was_acked_and_ends_with_0(tmp_path: Path) -> None:
    with OtlpSink() as sink:
        with running(tmp_path, {"otlp": otlp(sink.endpoint)}) as line:
            for number in range(20):
                export(line.ports.grpc, request(span(usage(), name=f"chat {number}")))
            code = line.stop()
        names = {each.name for each in sink.spans()}

    assert code == 0
    assert names == {f"chat {number}" for number in range(20)}


def test_sigterm_ends_it_even_if_the_destination_is_dead(tmp_path: Path) -> None:
    """It drains for a while and then says what it could not hand over."""
    with running(tmp_path, {"otlp": otlp(NOBODY)}) as line:
        export(line.ports.grpc, request(span(usage())))
        code = line.stop(timeout=40)

    assert code not in {-signal.SIGKILL, None}
    assert "Traceback" not in line.log.read_text()
