"""The receivers on real sockets: a raw gRPC client, and unmodified OpenTelemetry SDK exporters."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from costspan import wire
from costspan.errors import Full, StartError, Undecodable
from costspan.model import Metadata
from costspan.receiver.admission import Admission
from costspan.receiver.grpc import SERVICES, GrpcReceiver
from costspan.receiver.http import http_app
from costspan.telemetry import Telemetry
from costspan.web.server import WebServer, listen

MIB = 1 << 20


class Line:
    """Both receivers over a line that keeps what it is handed; `act` may raise or wait first."""

    def __init__(self) -> None:
        self.accepted: list[tuple[str, bytes, Metadata, str]] = []
        self.act: Callable[[bytes], None] = lambda _body: None
        self.telemetry, self.admission = Telemetry(), Admission(8 * MIB)
        self.grpc = GrpcReceiver(
            self._accept,
            endpoint="127.0.0.1:0",
            admission=self.admission,
            telemetry=self.telemetry,
            instance="me",
            max_recv_bytes=MIB,
            threads=4,
            include_metadata=["X-Tenant"],
        )
        app = http_app(
            self._accept, admission=self.admission, telemetry=self.telemetry, instance="me"
        )
        self._socket = listen("127.0.0.1:0", "test")
        self.http_port = self._socket.getsockname()[1]
        self._web = WebServer([(self._socket, app)])

    def start(self) -> None:
        self._web.start()
        self.grpc.start()

    def stop(self) -> None:
        self.grpc.stop(0)
        self._web.stop(1)

    def _accept(self, signal: str, body: bytes, metadata: Metadata, transport: str) -> None:
        self.act(body)
        self.accepted.append((signal, body, metadata, transport))

    def requests(self, transport: str, outcome: str) -> int:
        return self.telemetry.requests.exact(transport, "traces", outcome)


@pytest.fixture(scope="module")
def running() -> Iterator[Line]:
    started = Line()
    started.start()
    yield started
    started.stop()


@pytest.fixture
def line(running: Line) -> Line:
    running.accepted.clear()
    running.act = lambda _body: None
    return running


@pytest.fixture(scope="module")
def channel(running: Line) -> Iterator[grpc.Channel]:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc.port}", options=options) as opened:
        yield opened


def export(
    channel: grpc.Channel,
    body: bytes,
    signal: str = "traces",
    timeout: float = 5.0,
    metadata: Sequence[tuple[str, str]] = (),
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> bytes:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    call = channel.unary_unary(f"/{SERVICES[signal]}/Export")
    return call(body, timeout=timeout, metadata=tuple(metadata), compression=compression)


def refusal(channel: grpc.Channel, body: bytes, timeout: float = 5.0) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, body, timeout=timeout)
    return caught.value


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_each_signal_arrives_as_the_bytes_that_were_sent(
    line: Line, channel: grpc.Channel, signal: str
) -> None:
    answer = export(channel, b"\x0a\x00\xf2\x7f\x01x", signal)

    assert answer == b""
    assert line.accepted == [(signal, b"\x0a\x00\xf2\x7f\x01x", (), "grpc")]


def test_gzip_is_taken_over_grpc(line: Line, channel: grpc.Channel) -> None:
    export(channel, bytes(9000), compression=grpc.Compression.Gzip)

    assert line.accepted[0][1] == bytes(9000)


def test_an_empty_request_is_a_success(line: Line, channel: grpc.Channel) -> None:
    assert export(channel, b"") == b""
    assert line.accepted[0][1] == b""


def test_listed_headers_travel_on(line: Line, channel: grpc.Channel) -> None:
    export(channel, b"", metadata=[("x-tenant", "blue"), ("authorization", "secret")])

    assert line.accepted[0][2] == (("x-tenant", "blue"),)


def test_overload_is_unavailable_with_retry_info_in_both_trailers(
    line: Line, channel: grpc.Channel
) -> None:
    def full(_body: bytes) -> None:
        raise Full("the journal is full", after=1.5)

    line.act = full
    error = refusal(channel, b"x")
    trailers = {item.key: item.value for item in error.trailing_metadata() or ()}
    details = Status.FromString(trailers["grpc-status-details-bin"]).details
    bare = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])

    assert (error.code(), error.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "the journal is full",
    )
    assert RetryInfo.FromString(details[0].value) == bare
    assert (bare.retry_delay.seconds, bare.retry_delay.nanos) == (1, 500_000_000)


def test_too_many_bytes_in_flight_are_unavailable_not_resource_exhausted(
    line: Line, channel: grpc.Channel
) -> None:
    with line.admission.lease(8 * MIB):
        error = refusal(channel, b"x")

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert export(channel, b"x") == b""


def test_undecodable_is_invalid_argument(line: Line, channel: grpc.Channel) -> None:
    def undecodable(_body: bytes) -> None:
        raise Undecodable("not a request")

    line.act = undecodable

    assert refusal(channel, b"x").code() is grpc.StatusCode.INVALID_ARGUMENT


def test_only_a_request_above_the_limit_is_resource_exhausted(
    line: Line, channel: grpc.Channel
) -> None:
    error = refusal(channel, bytes(MIB + 1))

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in (error.details() or "")
    assert line.accepted == []


FAULTS = (ValueError, MemoryError, RecursionError, KeyError, AssertionError, TimeoutError)


def broken(body: bytes) -> None:
    """A line that reads what it is given, and breaks in a way that the bytes choose."""
    wire.count(body)
    if body:
        raise FAULTS[body[-1] % len(FAULTS)]


def outcome(channel: grpc.Channel, body: bytes) -> grpc.StatusCode:
    try:
        export(channel, body)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@settings(deadline=None, max_examples=100)
@given(body=st.binary(max_size=200))
def test_whatever_arrives_no_exception_ever_reaches_grpc(
    running: Line, channel: grpc.Channel, body: bytes
) -> None:
    running.act = broken
    logging.disable(logging.CRITICAL)
    code = outcome(channel, body)
    logging.disable(logging.NOTSET)

    if body:
        assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INVALID_ARGUMENT)
    else:
        assert code is grpc.StatusCode.OK


def test_our_own_request_that_comes_back_goes_nowhere(line: Line, channel: grpc.Channel) -> None:
    before = line.telemetry.self_loop_requests.exact("grpc")

    assert export(channel, b"x", metadata=[("costspan-via", "me")]) == b""
    assert line.accepted == []
    assert line.telemetry.self_loop_requests.exact("grpc") == before + 1
    export(channel, b"x", metadata=[("costspan-via", "another")])
    assert len(line.accepted) == 1


def test_a_call_whose_deadline_has_passed_is_shed_not_accepted() -> None:
    """Its client sends it again: accepting it would make a duplicate."""
    line = Line()
    entered, free = threading.Semaphore(0), threading.Event()

    def hold(_body: bytes) -> None:
        entered.release()
        free.wait(10)

    line.act = hold
    line.start()
    with grpc.insecure_channel(f"127.0.0.1:{line.grpc.port}") as opened:
        holders = [threading.Thread(target=export, args=(opened, b"hold")) for _ in range(4)]
        for holder in holders:
            holder.start()
        held = [entered.acquire(timeout=5) for _ in holders]
        error = refusal(opened, b"late", timeout=0.2)  # every thread of the server is held
        free.set()
        for holder in holders:
            holder.join()
        export(opened, b"after")
    line.stop()

    assert all(held)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert b"late" not in [body for _, body, _, _ in line.accepted]


def test_the_health_service_answers_on_the_same_port(running: Line, channel: grpc.Channel) -> None:
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)

    assert running.grpc.port
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_busy_port_is_a_sentence_before_anything_is_accepted(host: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"{host}:{taken.getsockname()[1]}"
        with pytest.raises(StartError, match=f"OTLP/gRPC can't listen on {endpoint}: the port"):
            _receiver(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("4317", "expected host:port"),
        ("192.0.2.1:0", "Cannot assign requested address"),
        ("costspan.invalid:4317", "can't listen on costspan.invalid:4317"),
    ],
)
def test_an_address_that_can_not_be_had_is_a_sentence(endpoint: str, says: str) -> None:
    with pytest.raises(StartError, match=says):
        _receiver(endpoint)


def _receiver(endpoint: str) -> GrpcReceiver:
    return GrpcReceiver(
        lambda *_: None,
        endpoint=endpoint,
        admission=Admission(MIB),
        telemetry=Telemetry(),
        instance="me",
    )


# --- unmodified SDKs -----------------------------------------------------------------------------


def spans(count: int) -> list[ReadableSpan]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    for number in range(count):
        with provider.get_tracer("test").start_as_current_span(f"span {number}"):
            pass
    return list(kept.get_finished_spans())


def names(body: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(body)
    found = (scope for resource in request.resource_spans for scope in resource.scope_spans)
    return [span.name for scope in found for span in scope.spans]


def exporters(line: Line) -> dict[str, SpanExporter]:
    url = f"http://127.0.0.1:{line.http_port}/v1/traces"
    return {
        "grpc": GrpcSpanExporter(f"http://127.0.0.1:{line.grpc.port}", insecure=True),
        "http": HttpSpanExporter(url),
        "http-gzip": HttpSpanExporter(url, compression=Compression.Gzip),
        "http-deflate": HttpSpanExporter(url, compression=Compression.Deflate),
    }


@pytest.mark.parametrize("kind", ["grpc", "http", "http-gzip", "http-deflate"])
def test_an_unmodified_sdk_exporter_delivers(line: Line, kind: str) -> None:
    exporter = exporters(line)[kind]
    result = exporter.export(spans(3))
    exporter.shutdown()

    assert result is SpanExportResult.SUCCESS
    assert names(line.accepted[0][1]) == ["span 0", "span 1", "span 2"]


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_an_unmodified_sdk_exporter_keeps_and_repeats_what_was_refused(
    line: Line, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    refusals = [Full("busy", after=0.05)]

    def busy_once(_body: bytes) -> None:
        if refusals:
            raise refusals.pop()

    line.act = busy_once
    exporter = exporters(line)[kind]
    result = exporter.export(spans(1))
    exporter.shutdown()

    assert result is SpanExportResult.SUCCESS
    assert len(line.accepted) == 1


def test_the_http_connection_is_kept_alive_after_a_refused_request(line: Line) -> None:
    connection = HTTPConnection("127.0.0.1", line.http_port, timeout=5)
    statuses = []
    for media_type in ("application/json", "application/x-protobuf"):
        body = gzip.compress(bytes(50_000))
        headers = {"content-type": media_type, "content-encoding": "gzip"}
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()

    assert statuses == [415, 200]
