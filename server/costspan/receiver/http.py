"""OTLP over HTTP as a bare ASGI app: routes, media types, sizes. Blocking work leaves the loop.

No framework: three routes need none, and starlette's application costs about 2 MiB.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from costspan.errors import Draining, TooLarge, Undecodable, UnsupportedFormat
from costspan.model import LOGS, METRICS, TRACES
from costspan.receiver.admission import Admission, Lease
from costspan.receiver.door import VIA, Accept, Door
from costspan.receiver.status import Verdict
from costspan.telemetry import Telemetry

MAX_RECV_BYTES = 64 << 20  # opentelemetry-proto, docs/specification.md: RECOMMENDED
PROTOBUF = "application/x-protobuf"
_PATHS: Mapping[str, str] = {"/v1/traces": TRACES, "/v1/metrics": METRICS, "/v1/logs": LOGS}
_TRANSPORT = "http"
_COMPRESSED = frozenset({"gzip", "deflate"})
_ANY_ZLIB_HEADER = zlib.MAX_WBITS | 32  # gzip or zlib, told apart by their header
_CHUNK = 1 << 20

# The seam for other encodings: media type -> converter into a protobuf request.
_CONVERTERS: Mapping[str, Callable[[bytes], bytes]] = {PROTOBUF: lambda body: body}


class _Disconnected(Exception):
    """The client went away before its request was complete."""


class _Response(NamedTuple):
    status: int
    body: bytes
    media_type: str = PROTOBUF
    headers: tuple[tuple[bytes, bytes], ...] = ()


_SUCCESS = _Response(200, b"")  # an empty message: partial_success is unset


def http_app(
    accept: Accept,
    *,
    admission: Admission,
    telemetry: Telemetry,
    instance: str,
    max_recv_bytes: int = MAX_RECV_BYTES,
    threads: int = 8,
    include_metadata: Iterable[str] = (),
) -> ASGIApp:
    """The app to serve on 4318. `accept` runs in `threads` threads of its own."""
    kept = frozenset(key.lower() for key in include_metadata)
    door = Door(_TRANSPORT, accept, telemetry, instance, kept)
    receiver = _HttpReceiver(door, admission, max_recv_bytes, threads)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            response = await receiver.respond(scope, receive)
        except _Disconnected:
            return
        await _send(send, response)

    return app


class _HttpReceiver:
    def __init__(self, door: Door, admission: Admission, max_bytes: int, threads: int) -> None:
        self._door = door
        self._admission = admission
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(threads, "otlp-http")

    async def respond(self, scope: Scope, receive: Receive) -> _Response:
        signal = _PATHS.get(scope["path"])
        if signal is None:
            return _text(404, f"no such path; OTLP is taken on {', '.join(_PATHS)}")
        if scope["method"] != "POST":
            return _text(405, "OTLP is taken by POST", ((b"allow", b"POST"),))
        headers = {key.decode("latin-1"): text.decode("latin-1") for key, text in scope["headers"]}
        if self._door.is_loop(signal, headers.get(VIA)):
            return _SUCCESS
        try:
            return await self._take(signal, headers, receive)
        except _Disconnected:
            raise
        except asyncio.CancelledError:  # the shutdown's grace is over: uvicorn would answer 500 too
            return _refusal(self._door.refuse(signal, Draining("shutting down")))
        except Exception as error:  # noqa: BLE001 (the boundary: uvicorn would answer 500, final)
            return _refusal(self._door.refuse(signal, error))

    async def _take(self, signal: str, headers: Mapping[str, str], receive: Receive) -> _Response:
        convert = _converter(headers)
        compressed = _is_compressed(headers)
        declared = headers.get("content-length", "0")
        self._check(int(declared) if declared.isdecimal() else 0)
        with self._admission.lease() as lease:
            body = await self._read(receive, lease)

            def enter() -> Verdict | None:
                plain = self._decompress(body, lease) if compressed else body
                return self._door.enter(signal, convert(plain), headers.items())

            refusal = await asyncio.get_running_loop().run_in_executor(self._threads, enter)
        return _SUCCESS if refusal is None else _refusal(refusal)

    async def _read(self, receive: Receive, lease: Lease) -> bytes:
        """The body as it was sent, bounded while it arrives."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            self._check(size)
            lease.grow(len(chunk))
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _decompress(self, body: bytes, lease: Lease) -> bytes:
        """The decompressed body, bounded while it grows: a bomb stops at the limit."""
        chunks: list[bytes] = []
        size = 0
        try:
            while body:
                stream = zlib.decompressobj(_ANY_ZLIB_HEADER)
                while not stream.eof:
                    chunk = stream.decompress(body, _CHUNK)
                    body = stream.unconsumed_tail
                    if not (chunk or body or stream.eof):
                        raise Undecodable("the compressed body ends too early")
                    size += len(chunk)
                    self._check(size)
                    lease.grow(len(chunk))
                    chunks.append(chunk)
                body = stream.unused_data  # gzip allows several members in a row
        except zlib.error as fault:
            raise Undecodable(f"the body does not decompress: {fault}") from fault
        return b"".join(chunks)

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise TooLarge(f"the request is larger than max ({size} vs. {self._max_bytes} bytes)")


def _converter(headers: Mapping[str, str]) -> Callable[[bytes], bytes]:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _CONVERTERS:
        raise UnsupportedFormat(
            f"content type {media_type or '(none)'} is not read; send {PROTOBUF}"
            " (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf)"
        )
    return _CONVERTERS[media_type]


def _is_compressed(headers: Mapping[str, str]) -> bool:
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return False
    if encoding not in _COMPRESSED:
        raise UnsupportedFormat(f"content encoding {encoding} is not read; send gzip or none")
    return True


def _refusal(verdict: Verdict) -> _Response:
    if verdict.http == 415:  # noqa: PLR2004 (a status code)  the client reads no protobuf
        return _text(verdict.http, verdict.message)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if verdict.after is not None:
        headers = ((b"retry-after", str(max(1, ceil(verdict.after))).encode()),)
    return _Response(verdict.http, verdict.status(), PROTOBUF, headers)


def _text(status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> _Response:
    return _Response(status, f"{text}\n".encode(), "text/plain; charset=utf-8", headers)


async def _send(send: Send, response: _Response) -> None:
    headers = [
        (b"content-type", response.media_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
