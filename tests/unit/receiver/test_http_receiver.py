"""OTLP/HTTP over bare ASGI: media types, sizes and answers, without a socket."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from costspan.errors import Full, Undecodable
from costspan.model import Metadata
from costspan.receiver.admission import Admission
from costspan.receiver.http import http_app
from costspan.telemetry import Telemetry

PROTOBUF = "application/x-protobuf"
LIMIT = 1000


class Answer(NamedTuple):
    """What the app sent."""

    status: int
    headers: dict[str, str]
    body: bytes


class Site:
    """The app over a line that keeps what it was handed, or raises `error`."""

    def __init__(self, error: Exception | None = None, budget: int = 10_000) -> None:
        self.accepted: list[tuple[str, bytes]] = []
        self.telemetry, self.admission = Telemetry(), Admission(budget)
        self._error = error
        self.app = http_app(
            self._accept,
            admission=self.admission,
            telemetry=self.telemetry,
            instance="me",
            max_recv_bytes=LIMIT,
            threads=1,
        )

    def _accept(self, signal: str, body: bytes, _metadata: Metadata, _transport: str) -> None:
        if self._error is not None:
            raise self._error
        self.accepted.append((signal, body))

    def post(
        self,
        body: bytes | Sequence[bytes] = b"",
        path: str = "/v1/traces",
        method: str = "POST",
        **headers: str,
    ) -> Answer:
        """Send one request, in the chunks given; header names with _ for -."""
        chunks = [body] if isinstance(body, bytes) else list(body)
        fields = {"content_type": PROTOBUF, **headers}
        answer = asyncio.run(self._exchange(chunks, path, method, fields))
        assert answer is not None
        assert self.admission.in_flight == 0
        return answer

    async def _exchange(
        self, chunks: list[bytes], path: str, method: str, fields: dict[str, str]
    ) -> Answer | None:
        messages: list[Message] = [
            {"type": "http.request", "body": chunk, "more_body": n < len(chunks)}
            for n, chunk in enumerate(chunks, 1)
        ]
        messages.append({"type": "http.disconnect"})
        sent: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in fields.items()]
        scope = {"type": "http", "path": path, "method": method, "headers": pairs}
        await self.app(scope, receive, send)
        return _answer(sent) if sent else None

    def cut_short(self) -> Answer:
        """A request that is still on its way when the server's grace ends."""
        return asyncio.run(self._cancelled())

    async def _cancelled(self) -> Answer:
        sent: list[Message] = []
        waits = asyncio.Event()

        async def receive() -> Message:
            waits.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        head = [(b"content-type", PROTOBUF.encode())]
        scope = {"type": "http", "path": "/v1/traces", "method": "POST", "headers": head}
        task = asyncio.ensure_future(self.app(scope, receive, send))
        await waits.wait()
        task.cancel()
        await task
        return _answer(sent)

    def gone(self) -> Answer | None:
        """A client that disconnects before its body is complete."""
        return asyncio.run(self._exchange([], "/v1/traces", "POST", {"content_type": PROTOBUF}))


def _answer(sent: Sequence[Message]) -> Answer:
    head = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Answer(sent[0]["status"], head, sent[1]["body"])


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_a_request_of_each_signal_is_accepted_with_an_empty_message(signal: str) -> None:
    site = Site()
    answer = site.post(b"abc", f"/v1/{signal}")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == PROTOBUF
    assert site.accepted == [(signal, b"abc")]


def test_parameters_of_the_content_type_do_not_matter() -> None:
    assert Site().post(b"", content_type="Application/X-Protobuf; q=1").status == 200


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_chunks_are_one_body(chunks: list[bytes]) -> None:
    site = Site()
    assert site.post(chunks).status == 200
    assert site.accepted == [("traces", b"".join(chunks))]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30)
def test_gzip_members_decompress_into_one_body(parts: list[bytes]) -> None:
    site = Site()
    body = b"".join(gzip.compress(part) for part in parts)
    assert site.post(body, content_encoding="gzip").status == 200
    assert site.accepted == [("traces", b"".join(parts))]


def test_deflate_is_read_too() -> None:
    site = Site()
    site.post(zlib.compress(b"abc"), content_encoding="deflate")
    assert site.accepted == [("traces", b"abc")]


@pytest.mark.parametrize(
    "body",
    [b"plain", gzip.compress(b"abc" * 99)[:-9], gzip.compress(b"abc")[:5]],
    ids=["plain", "without its end", "a part of the head"],
)
def test_what_does_not_decompress_is_undecodable(body: bytes) -> None:
    answer = Site().post(body, content_encoding="gzip")

    assert answer.status == 400
    assert "compress" in Status.FromString(answer.body).message


def test_a_bomb_stops_at_the_limit() -> None:
    site = Site()
    answer = site.post(gzip.compress(bytes(1 << 20))[:900], content_encoding="gzip")

    assert answer.status == 413
    assert site.telemetry.requests.exact("http", "traces", "too_large") == 1


@pytest.mark.parametrize(
    ("chunks", "declared"), [([b""], "1001"), ([b"x" * 600, b"x" * 600], "10")]
)
def test_above_the_limit_is_413_declared_or_not(chunks: list[bytes], declared: str) -> None:
    answer = Site().post(chunks, content_length=declared)

    assert answer.status == 413
    assert "larger than max" in Status.FromString(answer.body).message


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"content_type": "application/json"}, "application/json is not read; send"),
        ({"content_type": ""}, "(none) is not read"),
        ({"content_encoding": "zstd"}, "content encoding zstd is not read"),
    ],
)
def test_other_encodings_are_415_with_a_sentence(headers: dict[str, str], says: str) -> None:
    answer = Site().post(b"{}", **headers)

    assert answer.status == 415
    assert answer.headers["content-type"].startswith("text/plain")
    assert says in answer.body.decode()


def test_other_methods_and_paths_are_named() -> None:
    assert Site().post(method="GET").status == 405
    assert Site().post(method="GET").headers["allow"] == "POST"
    assert Site().post(path="/v1/spans").status == 404


def test_a_retryable_refusal_is_503_with_retry_after() -> None:
    answer = Site(Full("the journal is full", after=2.2)).post(b"x")

    assert (answer.status, answer.headers["retry-after"]) == (503, "3")
    assert Status.FromString(answer.body).message == "the journal is full"


def test_an_undecodable_request_is_400_with_a_status_message() -> None:
    answer = Site(Undecodable("not a request")).post(b"x")

    assert (answer.status, answer.headers["content-type"]) == (400, PROTOBUF)
    assert Status.FromString(answer.body).message == "not a request"


def test_a_fault_of_ours_is_503_never_500(caplog: pytest.LogCaptureFixture) -> None:
    answer = Site(ZeroDivisionError()).post(b"x")

    assert answer.status == 503
    assert "retry-after" in answer.headers
    assert "could not be accepted" in caplog.text


def test_too_many_bytes_in_flight_are_refused_while_they_arrive() -> None:
    site = Site(budget=10)
    with site.admission.lease(8):
        sent = asyncio.run(
            site._exchange([b"xx", b"xx"], "/v1/traces", "POST", {"content_type": PROTOBUF})
        )

    assert sent is not None
    assert sent.status == 503
    assert site.accepted == []


def test_our_own_request_that_comes_back_is_answered_and_goes_nowhere() -> None:
    site = Site()

    assert site.post(b"abc", costspan_via="me").status == 200
    assert site.accepted == []
    assert site.telemetry.self_loop_requests.exact("http") == 1


def test_a_client_that_goes_away_is_no_request() -> None:
    site = Site()

    assert site.gone() is None
    assert site.accepted == []
    assert site.admission.in_flight == 0


def test_a_request_that_the_shutdown_cuts_short_is_asked_for_again() -> None:
    """Never 500: to a client that is final, and it would throw the spans away."""
    site = Site()
    answer = site.cut_short()

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert site.accepted == []
    assert site.telemetry.requests.exact("http", "traces", "refused") == 1
    assert site.admission.in_flight == 0
