"""OTLP over gRPC as a destination: bytes out, a verdict back. No retry, no message classes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from costspan.errors import ConfigError, Unreachable
from costspan.exporter.destination import Delivered
from costspan.exporter.otlp import request
from costspan.exporter.otlp.peer import Peer, look_at
from costspan.exporter.otlp.tls import SYSTEM_TRUST, Stamp, Tls
from costspan.exporter.otlp.verdict import Verdict, of_grpc
from costspan.model import LOGS, METRICS, RELEASED, TRACES, Frame

_PATHS = {
    TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_PATHS[RELEASED] = _PATHS[TRACES]

_CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.primary_user_agent", request.USER_AGENT),
    # spread over every address of the name, as the Collector does since 0.103
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.enable_retries", 0),  # the runner retries, and counts it
    # C-core waits up to two minutes between connection attempts; the runner's pace is ours
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # a dead connection is not shared with others
    ("grpc.max_send_message_length", -1),  # a single large frame goes out as it is
]


class Keepalive(NamedTuple):
    """Pings on an idle connection, in seconds; a `time` of 0 sends none."""

    time: float = 30.0
    timeout: float = 10.0
    permit_without_stream: bool = False

    def options(self) -> list[tuple[str, Any]]:
        if not self.time:
            return []
        return [
            ("grpc.keepalive_time_ms", round(self.time * 1000)),
            ("grpc.keepalive_timeout_ms", round(self.timeout * 1000)),
            ("grpc.keepalive_permit_without_calls", int(self.permit_without_stream)),
        ]


_PINGS = Keepalive()


class OtlpGrpc:
    """A Destination. The channel is opened with the first delivery, so a dead peer delays nothing.

    `endpoint` is host:port or a URL; http:// and https:// decide over `insecure`. When a connection
    fails and the files of `tls` have changed, the next one uses the new ones.
    """

    takes = request.SIGNALS

    def __init__(
        self,
        name: str,
        endpoint: str,
        *,
        insecure: bool = False,
        tls: Tls = SYSTEM_TRUST,
        headers: Mapping[str, str] | None = None,
        compression: str = "none",
        timeout: float = request.TIMEOUT_SECONDS,
        keepalive: Keepalive = _PINGS,
        instance: str = "",
        max_bytes: int = request.MAX_REQUEST_BYTES,
    ) -> None:
        self.name = name
        self._target, self._insecure = _target(endpoint, insecure=insecure)
        self._tls = tls
        if not self._insecure:
            tls.check(name)
        self._headers = dict(headers or {})
        self._compression = _compression(name, compression)
        self._timeout = timeout
        self._options = [*_CHANNEL_OPTIONS, *keepalive.options()]
        self._instance = instance
        self._max_bytes = max_bytes
        self._connecting, self._lock = threading.Lock(), threading.Lock()
        self._channel: grpc.Channel | None = None
        self._stamp: Stamp = ()
        self._closed = False

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
            found = verdict(error, forwarded=bool(frames[0].metadata))
            if error.code() is grpc.StatusCode.UNAVAILABLE and not self._insecure:
                self._reconsider()
            raise found from error
        return request.delivered(frames, response)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._channel is not None:
                self._channel.close()

    # --- the channel --------------------------------------------------------------------------

    def _open(self) -> grpc.Channel:
        with self._connecting:
            channel = self._channel or self._connect()
            with self._lock:  # not while it connects: close() must not wait for a peer
                self._channel = channel
                if self._closed:
                    channel.close()
            return channel

    def _connect(self) -> grpc.Channel:
        if self._insecure:
            return grpc.insecure_channel(self._target, options=self._options)
        tls, peer = self._tls, Peer()
        try:
            self._stamp = tls.stamp()
            if tls.skip_verify:
                peer = look_at(self._target, tls, self._timeout)
            credentials = tls.credentials(peer.certificate)
        except OSError as fault:
            raise Unreachable(f"no TLS connection: {fault}") from fault
        options = list(self._options)
        if name := peer.name or tls.server_name:
            options.append(("grpc.ssl_target_name_override", name))
        return grpc.secure_channel(self._target, credentials, options=options)

    def _reconsider(self) -> None:
        """Drop a channel that does not get through if another one would use other certificates."""
        try:
            unchanged = self._stamp == self._tls.stamp() and not self._tls.skip_verify
        except OSError:
            return  # in the middle of a rotation
        with self._lock:
            if not unchanged and self._channel is not None:
                self._channel.close()
                self._channel = None


def verdict(error: grpc.RpcError, *, forwarded: bool = False) -> Verdict:
    """What a failed call means for its bytes."""
    return of_grpc(error.code(), error.details() or "", _asked_delay(error), forwarded=forwarded)


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


def _compression(name: str, compression: str) -> grpc.Compression:
    match compression:
        case "none" | "":
            return grpc.Compression.NoCompression
        case "gzip":
            return grpc.Compression.Gzip
    sentence = f"exporters.{name}.compression: expected none or gzip, got {compression!r}"
    raise ConfigError([sentence])
