"""OTLP over HTTP as a destination: a post for each delivery, a verdict per answer. No retry."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from costspan.errors import ConfigError
from costspan.exporter.destination import Delivered
from costspan.exporter.otlp import request
from costspan.exporter.otlp.connections import Connections
from costspan.exporter.otlp.tls import SYSTEM_TRUST, Tls
from costspan.exporter.otlp.verdict import Verdict, of_http
from costspan.model import LOGS, METRICS, RELEASED, TRACES, Frame

_PATHS = {TRACES: "v1/traces", RELEASED: "v1/traces", METRICS: "v1/metrics", LOGS: "v1/logs"}
_CONTENT_TYPE = "application/x-protobuf"


class OtlpHttp:
    """A Destination. `endpoint` is the base URL: v1/traces and so on are appended to its path.

    One connection for each delivery in flight, kept alive for the next one unless it was idle for
    `idle_timeout` seconds (0 = however long). A new connection uses the files of `tls` as they are
    then.
    """

    takes = request.SIGNALS

    def __init__(
        self,
        name: str,
        endpoint: str,
        *,
        tls: Tls = SYSTEM_TRUST,
        headers: Mapping[str, str] | None = None,
        compression: str = "none",
        timeout: float = request.TIMEOUT_SECONDS,
        idle_timeout: float = 90.0,
        instance: str = "",
        max_bytes: int = request.MAX_REQUEST_BYTES,
    ) -> None:
        self.name = name
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            sentence = f"exporters.{name}.endpoint: expected http(s)://host..., got {endpoint!r}"
            raise ConfigError([sentence])
        if compression not in ("none", "", "gzip"):
            sentence = f"exporters.{name}.compression: expected none or gzip, got {compression!r}"
            raise ConfigError([sentence])
        if url.scheme == "https":
            tls.check(name)
        self._base = url.path.rstrip("/")
        self._headers = dict(headers or {})
        self._gzip = compression == "gzip"
        self._instance = instance
        self._max_bytes = max_bytes
        self._connections = Connections(url, tls, timeout, idle_timeout)

    def open(self) -> None:
        """Nothing to prepare: the first delivery connects."""

    def group(self, frames: Sequence[Frame]) -> list[list[Frame]]:
        return request.group(frames, self._max_bytes)

    def deliver(self, frames: Sequence[Frame]) -> Delivered:
        body = request.join(frames)
        headers = dict(request.headers(self._headers, frames[0].metadata, self._instance))
        headers |= {"content-type": _CONTENT_TYPE, "user-agent": request.USER_AGENT}
        if self._gzip:
            body = gzip.compress(body, compresslevel=1)
            headers["content-encoding"] = "gzip"
        answer = self._connections.post(f"{self._base}/{_PATHS[frames[0].signal]}", body, headers)
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            forwarded = bool(frames[0].metadata)
            raise verdict(answer.status, answer.headers, answer.body, forwarded=forwarded)
        return request.delivered(frames, answer.body)

    def close(self) -> None:
        self._connections.close()


def verdict(status: int, headers: Message, body: bytes, *, forwarded: bool = False) -> Verdict:
    """What an answer outside 2xx means for the bytes that were posted."""
    return of_http(status, _message(body), _asked_delay(headers), forwarded=forwarded)


def _message(body: bytes) -> str:
    """The text of a google.rpc.Status body, else the start of what came instead."""
    try:
        return str(Status.FromString(body).message)
    except DecodeError:
        return body[:200].decode("utf-8", "replace")


def _asked_delay(headers: Message) -> float:
    """Seconds of Retry-After. A date counts from the server's own Date: no clock of ours."""
    asked = headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, wait.total_seconds())
