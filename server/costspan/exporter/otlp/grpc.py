"""OTLP over gRPC as a destination: bytes out, a verdict back. No retry, no message classes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from costspan.errors import ConfigError, Permanent, Refused, Retryable, TooLarge, Unreachable
from costspan.exporter.destination import Delivered
from costspan.exporter.otlp import request
from costspan.model import LOGS, METRICS, TRACES, Frame

_PATHS = {
    TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}

# opentelemetry-proto, docs/specification.md, "Failures": every other code is final.
# RESOURCE_EXHAUSTED is here although it should need RetryInfo: a Collector behind a memory limiter
# forgets it (Collector issue 15126). "Larger than max" is told apart by its text.
_RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

_CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.primary_user_agent", request.USER_AGENT),
    # spread over every address of the name, as the Collector does since 0.103
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.enable_retries", 0),  # the runner retries, and counts it
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # C-core waits up to two minutes between connection attempts; the runner's pace is ours
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # a dead connection is not shared with others
    ("grpc.max_send_message_length", -1),  # a single large frame goes out as it is
]


class OtlpGrpc:
    """A Destination. The channel is opened with the first delivery, so a dead peer delays nothing.

    `endpoint` is host:port or a URL; http:// and https:// decide over `insecure`.
    """

    takes = request.SIGNALS

    def __init__(
        self,
        name: str,
        endpoint: str,
        *,
        insecure: bool = False,
        ca_file: str | None = None,
        headers: Mapping[str, str] | None = None,
        compression: str = "none",
        timeout: float = request.TIMEOUT_SECONDS,
        instance: str = "",
        max_bytes: int = request.MAX_REQUEST_BYTES,
    ) -> None:
        self.name = name
        self._target, self._insecure = _target(endpoint, insecure=insecure)
        self._certificates = _read_ca(name, ca_file)
        self._headers = dict(headers or {})
        self._compression = _compression(name, compression)
        self._timeout = timeout
        self._instance = instance
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None

    def open(self) -> None:
        """Nothing to prepare: the first delivery connects."""

    def group(self, frames: Sequence[Frame]) -> list[list[Frame]]:
        return request.group(frames, self._max_bytes)

    def deliver(self, frames: Sequence[Frame]) -> Delivered:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._open().unary_unary(
            _PATHS[frames[0].signal]
        )
        headers = request.headers(self._headers, frames[0].metadata, self._instance)
        try:
            response = call(
                request.join(frames),
                timeout=self._timeout,
                metadata=tuple(headers),
                compression=self._compression,
            )
        except grpc.RpcError as error:
            raise verdict(error) from error
        return request.delivered(self.name, frames, response)

    def close(self) -> None:
        with self._lock:
            if self._channel is not None:
                self._channel.close()

    def _open(self) -> grpc.Channel:
        with self._lock:
            if self._channel is None:
                self._channel = self._connect()
            return self._channel

    def _connect(self) -> grpc.Channel:
        if self._insecure:
            return grpc.insecure_channel(self._target, options=_CHANNEL_OPTIONS)
        credentials = grpc.ssl_channel_credentials(root_certificates=self._certificates)
        return grpc.secure_channel(self._target, credentials, options=_CHANNEL_OPTIONS)


def verdict(error: grpc.RpcError) -> Permanent | Retryable:
    """What a failed call means for its bytes."""
    code, text = error.code(), error.details() or ""
    sentence = f"{code.name}: {text}" if text else code.name
    after = _asked_delay(error)
    if after is None and request.says_too_large(text):
        return TooLarge(sentence)
    if code in _RETRYABLE:
        return Unreachable(sentence, after or 0.0, reason=code.name.lower())
    return Refused(sentence, reason=code.name.lower())


def _asked_delay(error: grpc.RpcError) -> float | None:
    """Seconds of the answer's RetryInfo; None if it has none. 0 is an answer too."""
    for item in error.trailing_metadata() or ():
        if item.key == "grpc-status-details-bin" and isinstance(item.value, bytes):
            return _retry_delay(item.value)
    return None


def _retry_delay(details: bytes) -> float | None:
    try:
        for detail in Status.FromString(details).details:
            if detail.Is(RetryInfo.DESCRIPTOR):
                delay = RetryInfo.FromString(detail.value).retry_delay
                return max(0.0, float(delay.seconds + delay.nanos / 1e9))
    except DecodeError:
        pass  # a peer's broken detail is no verdict: its status code still counts
    return None


def _target(endpoint: str, *, insecure: bool) -> tuple[str, bool]:
    """The gRPC target of an endpoint, and whether it is plain text."""
    for scheme, plain in (("http://", True), ("https://", False)):
        if endpoint.startswith(scheme):
            return endpoint.removeprefix(scheme).rstrip("/"), plain
    return endpoint, insecure


def _read_ca(name: str, ca_file: str | None) -> bytes | None:
    """The certificates to trust; None for those of the system."""
    if not ca_file:
        return None
    try:
        return Path(ca_file).read_bytes()
    except OSError as fault:
        sentence = f"exporters.{name}.tls.ca_file: {ca_file} can't be read: {fault.strerror}"
        raise ConfigError([sentence]) from fault


def _compression(name: str, compression: str) -> grpc.Compression:
    match compression:
        case "none" | "":
            return grpc.Compression.NoCompression
        case "gzip":
            return grpc.Compression.Gzip
    sentence = f"exporters.{name}.compression: expected none or gzip, got {compression!r}"
    raise ConfigError([sentence])
