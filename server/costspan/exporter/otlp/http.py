"""OTLP over HTTP as a destination: one kept-alive connection, a verdict per answer. No retry."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Mapping, Sequence
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import NamedTuple
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from costspan.errors import ConfigError, Permanent, Refused, Retryable, TooLarge, Unreachable
from costspan.exporter.destination import Delivered
from costspan.exporter.otlp import request
from costspan.model import LOGS, METRICS, TRACES, Frame

_PATHS = {TRACES: "v1/traces", METRICS: "v1/metrics", LOGS: "v1/logs"}
# opentelemetry-proto, docs/specification.md, "Retryable Response Codes": 500 is not among them.
_RETRYABLE = frozenset({429, 502, 503, 504})
_REASONS = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    405: "unimplemented",
}
_CONTENT_TYPE = "application/x-protobuf"
_MAX_ANSWER_BYTES = 4 << 20  # as the specification bounds a response


class _Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes


class OtlpHttp:
    """A Destination. `endpoint` is the base URL: v1/traces and so on are appended to its path."""

    takes = request.SIGNALS

    def __init__(
        self,
        name: str,
        endpoint: str,
        *,
        ca_file: str | None = None,
        headers: Mapping[str, str] | None = None,
        compression: str = "none",
        timeout: float = request.TIMEOUT_SECONDS,
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
        self._base = url.path.rstrip("/")
        self._headers = dict(headers or {})
        self._gzip = compression == "gzip"
        self._instance = instance
        self._max_bytes = max_bytes
        self._fresh = True  # no request has used the connection since it was opened
        self._connection = _connection(name, url.scheme, url.hostname, url.port, ca_file, timeout)

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
        answer = self._post(f"{self._base}/{_PATHS[frames[0].signal]}", body, headers)
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise verdict(answer.status, answer.headers, answer.body)
        return request.delivered(self.name, frames, answer.body)

    def close(self) -> None:
        self._connection.close()

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> _Answer:
        """Post once; a kept-alive connection that the server has closed meanwhile is reopened."""
        fresh = self._fresh
        try:
            return self._exchange(path, body, headers)
        except (RemoteDisconnected, ConnectionResetError, BrokenPipeError) as fault:
            self._hang_up()
            if fresh:
                raise _unreachable(fault) from fault
            return self._post(path, body, headers)
        except TimeoutError as fault:
            self._hang_up()
            raise Unreachable("no answer in time", reason="deadline_exceeded") from fault
        except (OSError, HTTPException) as fault:
            self._hang_up()
            raise _unreachable(fault) from fault

    def _exchange(self, path: str, body: bytes, headers: Mapping[str, str]) -> _Answer:
        self._connection.request("POST", path, body=body, headers=headers)
        response = self._connection.getresponse()
        content = response.read(_MAX_ANSWER_BYTES)
        if response.length and len(content) < _MAX_ANSWER_BYTES:
            # http.client says so only where no length is given to `read`. What was lost may have
            # said "rejected", and whoever dies while answering may have lost the spans too.
            raise IncompleteRead(content, response.length)
        self._fresh = False
        if response.will_close or not response.isclosed():
            self._hang_up()
        return _Answer(response.status, response.headers, content)

    def _hang_up(self) -> None:
        self._connection.close()
        self._fresh = True


def verdict(status: int, headers: Message, body: bytes) -> Permanent | Retryable:
    """What an answer outside 2xx means for the bytes that were posted."""
    text = _message(body)
    sentence = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    if status in _RETRYABLE:
        reason = "throttled" if status == HTTPStatus.TOO_MANY_REQUESTS else "unavailable"
        return Unreachable(sentence, _asked_delay(headers), reason)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or request.says_too_large(text):
        return TooLarge(sentence)
    return Refused(sentence, _REASONS.get(status, f"http_{status}"))


def _unreachable(fault: Exception) -> Unreachable:
    return Unreachable(f"no answer: {str(fault) or type(fault).__name__}")


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


def _connection(
    name: str, scheme: str, host: str, port: int | None, ca_file: str | None, timeout: float
) -> HTTPConnection:
    """A connection that is not open yet."""
    if scheme == "http":
        return HTTPConnection(host, port, timeout=timeout)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as fault:  # ssl.SSLError is one
        sentence = f"exporters.{name}.tls.ca_file: {ca_file} can't be used: {fault}"
        raise ConfigError([sentence]) from fault
    return HTTPSConnection(host, port, timeout=timeout, context=context)
