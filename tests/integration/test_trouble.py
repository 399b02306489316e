"""Bad starts, dead destinations, overload, the end: it fails open and says so. Real processes."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from costspan.demo.line import Line, Ports, configuration, free_ports, start_anywhere
from costspan.errors import StartError
from costspan.testing import request, span, usage
from integration.lines import eventually, otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink
from integration.prometheus import value

NOBODY = "127.0.0.1:1"
MIB = 1 << 20
RETRY = {"initial_interval": "100ms", "max_interval": "300ms"}


def exit_of(config: dict[str, object], ports: Ports, directory: Path) -> tuple[int | None, str]:
    """Start a line that can't start: its exit code and what it printed."""
    line = Line(config, ports, directory / "costspan.log")
    with pytest.raises(StartError):
        line.start()
    return line.ended(within=10), line.log.read_text()


def send_often(line: Line, body: bytes) -> None:
    for _ in range(40):
        export(line.ports.grpc, body)


def send_until_taken(line: Line, body: bytes) -> None:
    """As an exporter does: UNAVAILABLE means the same again."""

    def taken() -> bool:
        try:
            export(line.ports.grpc, body)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return True

    eventually(taken)


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
        eventually(lambda: value(line.ports.metrics, "costspan_exporter_send_failures_total"))
        with OtlpSink(port) as sink:
            names = [each.name for each in sink.wait_for_spans(5)]

    assert names == [f"chat {number}" for number in range(5)]


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


@pytest.mark.slow
def test_a_dead_clickhouse_for_ten_times_the_ring_costs_the_other_destination_nothing(
    tmp_path: Path,
) -> None:
    """It loses its own oldest, counted; what it accepted is dropped or still waits."""
    dead = {"endpoint": f"clickhouse://default:none@{NOBODY}/otel", "retry_on_failure": RETRY}
    count = 11 * MIB // 100_000
    with OtlpSink() as sink:
        exporters = {"otlp": otlp(sink.endpoint), "clickhouse": dead}
        with running(tmp_path, exporters, journal={"max_size": "1MiB"}) as line:
            for number in range(count):
                filler = {"filler": "x" * 100_000}
                body = request(span({**usage(), **filler}, name=f"chat {number}"))
                send_until_taken(line, body)
            names = [each.name for each in sink.wait_for_spans(count, timeout=60)]
            metrics = line.ports.metrics
            dropped = value(metrics, "costspan_exporter_dropped_items_total", exporter="clickhouse")
            queued = value(metrics, "costspan_exporter_queued_items", exporter="clickhouse")
            accepted = value(metrics, "costspan_receiver_accepted_items_total")

    assert sorted(names) == sorted(f"chat {number}" for number in range(count))
    assert dropped > 0.8 * count
    assert dropped + queued == accepted == count


def test_a_port_that_somebody_took_first_is_given_up_for_another(tmp_path: Path) -> None:
    """Ports that were free a moment ago: the line is started on others."""
    tried: list[Ports] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def make(ports: Ports) -> Line:
            tried.append(ports if tried else ports._replace(grpc=taken.getsockname()[1]))
            return Line(configuration(tried[-1], {}), tried[-1], tmp_path / "costspan.log")

        line = start_anywhere(make)
    try:
        assert line.ready()
        assert len(tried) == 2
    finally:
        line.stop()
