"""What costspan has nothing to say about leaves it as it came. The real process, a real sink."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc.status_pb2 import Status as RpcStatus

from costspan.demo.line import Line
from costspan.testing import request, span, usage
from integration.lines import eventually, otlp, running
from integration.otlp_client import UNKNOWN_FIELD, export, logs_request, metrics_request, post
from integration.otlp_sink import OtlpSink, attributes, spans_of
from integration.prometheus import value


@pytest.fixture(scope="module")
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def line(sink: OtlpSink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    directory = tmp_path_factory.mktemp("line")
    with running(directory, {"otlp": otlp(sink.endpoint)}) as line:
        yield line


@pytest.fixture(autouse=True)
def empty(sink: OtlpSink) -> None:
    sink.received.clear()


@pytest.mark.parametrize("transport", ["grpc", "http"])
@pytest.mark.parametrize(
    ("signal", "body"),
    [
        ("metrics", metrics_request()),
        ("logs", logs_request()),
        ("traces", request(span({"http.request.method": "GET"}, name="GET /")) + UNKNOWN_FIELD),
    ],
    ids=["metrics", "logs", "spans without usage"],
)
def test_leaves_as_the_bytes_that_came(
    line: Line, sink: OtlpSink, transport: str, signal: str, body: bytes
) -> None:
    if transport == "grpc":
        assert export(line.ports.grpc, body, signal) == b""
    else:
        assert post(line.ports.http, body, signal).status == 200
    sink.wait(lambda: bool(sink.bodies(signal)))

    assert sink.bodies(signal) == [body]


def test_a_priced_span_keeps_every_field_and_gains_attributes_only(
    line: Line, sink: OtlpSink
) -> None:
    """Unknown fields too; ours are appended."""
    original = span(usage(1_000, 100), flags=0x101, name="chat gpt-4o")
    original.trace_state = "vendor=1"
    original.MergeFromString(UNKNOWN_FIELD)
    export(line.ports.grpc, request(original) + UNKNOWN_FIELD)
    (priced,) = sink.wait_for_spans(1)

    assert attributes(priced)["window.financial.total_cost_exact"] == "0.0035"
    del priced.attributes[len(original.attributes) :]
    assert priced.SerializeToString() == original.SerializeToString()
    assert UNKNOWN_FIELD in sink.bodies("traces")[0]


def test_an_empty_request_is_a_success(line: Line) -> None:
    assert export(line.ports.grpc, b"") == b""
    assert post(line.ports.http, b"").status == 200


def test_bytes_that_are_no_request_are_invalid_and_not_to_be_sent_again(line: Line) -> None:
    """INVALID_ARGUMENT, and 400 with a google.rpc.Status."""
    with pytest.raises(grpc.RpcError) as refused:
        export(line.ports.grpc, b"\xff\xff\xff")
    answer = post(line.ports.http, b"\xff\xff\xff")

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert answer.status == 400
    assert RpcStatus.FromString(answer.body).message


def test_one_bad_utf8_byte_travels_verbatim_and_alone(line: Line, sink: OtlpSink) -> None:
    """Only a full decode refuses it; the next hop may judge for itself."""
    bad = request(span(usage(), name="chat XYZ")).replace(b"XYZ", b"X\xffZ")
    export(line.ports.grpc, bad)
    export(line.ports.grpc, request(span(name="GET /")))
    sink.wait(lambda: len(sink.bodies("traces")) == 2)

    assert sink.bodies("traces")[0] == bad
    assert value(line.ports.metrics, "costspan_unreadable_requests_total") == 1


def test_nonsense_usage_is_forwarded_flagged_and_counted(line: Line, sink: OtlpSink) -> None:
    nonsense = {**usage(), "gen_ai.usage.input_tokens": -5}
    export(line.ports.grpc, request(span(nonsense, trace_id=b"\x09" * 16)))
    (flagged,) = sink.wait_for_spans(1)

    def invalid() -> float:
        return value(line.ports.metrics, "costspan_invalid_usage_spans_total")

    assert attributes(flagged)["window.financial.status"] == "invalid_usage"
    assert "window.financial.total_cost" not in attributes(flagged)
    assert eventually(lambda: invalid() == 1)


def test_our_own_request_that_comes_back_is_counted_and_not_forwarded_again(
    line: Line, sink: OtlpSink
) -> None:
    """What we send carries `costspan-via`; what comes in with it has been here before."""
    export(line.ports.grpc, request(span(name="first")))
    sink.wait_for_spans(1)
    via = str(sink.received[0].metadata["costspan-via"])
    export(line.ports.grpc, request(span(name="came back")), metadata=[("costspan-via", via)])
    export(line.ports.grpc, request(span(name="last")))
    sink.wait_for_spans(2)

    assert [each.name for each in sink.spans()] == ["first", "last"]
    assert value(line.ports.metrics, "costspan_self_loop_requests_total") == 1


def test_with_cost_disabled_even_usage_is_forwarded_untouched(
    sink: OtlpSink, tmp_path_factory: pytest.TempPathFactory
) -> None:
    off = {"cost": {"enabled": False}}
    body = request(span(usage()))
    directory = tmp_path_factory.mktemp("off")
    with running(directory, {"otlp": otlp(sink.endpoint)}, processors=off) as line:
        export(line.ports.grpc, body)
        sink.wait_for_spans(1)

    assert sink.bodies("traces") == [body]
    assert spans_of([body]) == sink.spans()
