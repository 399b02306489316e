"""What the answers of a peer mean for the bytes: the error tables of both transports."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import grpc
import pytest
from google.rpc.status_pb2 import Status

import peers
from costspan.errors import ConfigError, Permanent, Refused, Retryable, TooLarge, Unreachable
from costspan.exporter.otlp import OtlpGrpc, OtlpHttp, Tls
from costspan.exporter.otlp.http import verdict
from costspan.model import TRACES, Frame

FRAME = Frame(1, 0, TRACES, 0, (), b"\x0a\x00", b"", 1)
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def peer() -> Iterator[peers.GrpcPeer]:
    with peers.GrpcPeer() as started:
        yield started


def grpc_verdict(
    peer: peers.GrpcPeer, answer: peers.Answer, frame: Frame = FRAME
) -> Permanent | Retryable:
    peer.script = [answer]
    destination = OtlpGrpc("otlp", peer.endpoint)
    try:
        destination.deliver([frame])
    except (Permanent, Retryable) as found:
        return found
    finally:
        destination.close()
    pytest.fail("the peer's answer was no failure")


@pytest.mark.parametrize(
    "code",
    [
        Code.CANCELLED,
        Code.DEADLINE_EXCEEDED,
        Code.ABORTED,
        Code.OUT_OF_RANGE,
        Code.UNAVAILABLE,
        Code.DATA_LOSS,
        Code.RESOURCE_EXHAUSTED,  # a Collector's memory limiter sends it without RetryInfo
    ],
)
def test_grpc_codes_that_are_tried_again(peer: peers.GrpcPeer, code: grpc.StatusCode) -> None:
    found = grpc_verdict(peer, peers.Answer(code, text="later"))

    assert isinstance(found, Unreachable)
    assert (found.after, found.reason) == (0.0, code.name.lower())


@pytest.mark.parametrize(
    ("code", "scope"),
    [
        (Code.INVALID_ARGUMENT, Refused.CONTENT),
        (Code.UNIMPLEMENTED, Refused.SENDER),
        (Code.NOT_FOUND, Refused.SENDER),
        (Code.INTERNAL, Refused.DOUBTFUL),
        (Code.UNKNOWN, Refused.DOUBTFUL),
        (Code.ALREADY_EXISTS, Refused.DOUBTFUL),
        (Code.FAILED_PRECONDITION, Refused.DOUBTFUL),
    ],
)
def test_grpc_codes_that_are_final(peer: peers.GrpcPeer, code: grpc.StatusCode, scope: str) -> None:
    found = grpc_verdict(peer, peers.Answer(code, text="no"))

    assert isinstance(found, Refused)
    assert (str(found), found.reason) == (f"{code.name}: no", code.name.lower())
    assert found.scope == scope


@pytest.mark.parametrize("code", [Code.UNAUTHENTICATED, Code.PERMISSION_DENIED])
def test_a_refused_login_of_ours_waits_for_an_operator_one_of_a_client_does_not(
    peer: peers.GrpcPeer, code: grpc.StatusCode
) -> None:
    """What is acked must not be lost to an expired token, nor wait for a client's bad one."""
    theirs = FRAME._replace(metadata=(("authorization", "Bearer stale"),))

    assert isinstance(grpc_verdict(peer, peers.Answer(code)), Unreachable)
    found = grpc_verdict(peer, peers.Answer(code), theirs)
    assert isinstance(found, Refused)
    assert found.scope == Refused.SENDER


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (Code.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5 vs. 4)"),
        (Code.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4: 5"),
        (
            Code.OUT_OF_RANGE,
            "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
        ),
    ],
    ids=["go", "java", "tonic"],
)
def test_every_wording_of_too_large_is_final_and_tells_the_limit(
    peer: peers.GrpcPeer, code: grpc.StatusCode, text: str
) -> None:
    found = grpc_verdict(peer, peers.Answer(code, text=text))

    assert isinstance(found, TooLarge)
    assert found.limit == 4


@pytest.mark.parametrize("seconds", [0.0, 0.25, 30.0])
def test_retry_info_makes_resource_exhausted_retryable_with_its_delay(
    peer: peers.GrpcPeer, seconds: float
) -> None:
    text = "received message larger than max"
    found = grpc_verdict(
        peer, peers.Answer(Code.RESOURCE_EXHAUSTED, text=text, retry_seconds=seconds)
    )

    assert isinstance(found, Unreachable)
    assert found.after == pytest.approx(seconds)


def answer_headers(**values: str) -> Message:
    message = Message()
    for key, value in values.items():
        message[key.replace("_", "-")] = value
    return message


@pytest.mark.parametrize("status", [401, 403, 407, 408, 425, 429, 502, 503, 504, 505, 522, 599])
def test_http_statuses_that_are_tried_again(status: int) -> None:
    assert isinstance(verdict(status, Message(), b""), Unreachable)


@pytest.mark.parametrize(
    ("status", "scope"),
    [
        (301, Refused.SENDER),
        (400, Refused.CONTENT),
        (404, Refused.SENDER),
        (405, Refused.SENDER),
        (409, Refused.DOUBTFUL),
        (415, Refused.SENDER),
        (422, Refused.CONTENT),
        (500, Refused.DOUBTFUL),
        (501, Refused.SENDER),
    ],
)
def test_http_statuses_that_are_final(status: int, scope: str) -> None:
    found = verdict(status, Message(), b"")

    assert isinstance(found, Refused)
    assert found.scope == scope


@pytest.mark.parametrize(
    ("status", "body"), [(413, b"\xffanything"), (400, b"\xffhttp: request body too large")]
)
def test_http_answers_that_ask_for_smaller_requests(status: int, body: bytes) -> None:
    assert isinstance(verdict(status, Message(), body), TooLarge)


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "soon"}, 0.0),
        ({"Retry_After": "-3"}, 0.0),
        ({}, 0.0),
        (
            {
                "Date": "Sun, 22 Nov 2026 10:00:00 GMT",
                "Retry_After": "Sun, 22 Nov 2026 10:00:09 GMT",
            },
            9.0,
        ),
        ({"Retry_After": "Sun, 22 Nov 2026 10:00:09 GMT"}, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], after: float) -> None:
    found = verdict(503, answer_headers(**headers), b"")

    assert isinstance(found, Unreachable)
    assert after == found.after


@pytest.mark.parametrize("body", [Status(message="no").SerializeToString(), b"\xffno"])
def test_the_peers_words_are_kept_whatever_their_encoding(body: bytes) -> None:
    assert "no" in str(verdict(400, Message(), body))


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "https://"])
def test_an_http_endpoint_must_be_a_url(endpoint: str) -> None:
    with pytest.raises(ConfigError, match=r"exporters\.lab\.endpoint: expected http"):
        OtlpHttp("lab", endpoint)


def test_certificates_that_are_not_there_are_named_at_once(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    for make in (OtlpGrpc, OtlpHttp):
        with pytest.raises(ConfigError, match=r"exporters\.lab\.tls\.ca_file: .*ca\.pem"):
            make("lab", "https://collector:4317", tls=Tls(ca_file=missing))


def test_an_unknown_compression_is_named_at_once() -> None:
    for make in (OtlpGrpc, OtlpHttp):
        with pytest.raises(ConfigError, match="expected none or gzip, got 'zstd'"):
            make("lab", "http://collector:4317", compression="zstd")
