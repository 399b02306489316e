"""Verdict -> gRPC and HTTP status: the one table. Nothing else may choose a status code.

Why these codes: RESOURCE_EXHAUSTED without RetryInfo, INTERNAL, UNKNOWN and HTTP 500 each make an
OTLP client throw the data away (opentelemetry-proto, docs/specification.md, "Failures"; tried with
the Collector's exporter). So a fault of ours is UNAVAILABLE: the client keeps the data and asks
again.
"""

from __future__ import annotations

from typing import NamedTuple

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from costspan.errors import Permanent, Retryable, TooLarge, UnsupportedFormat

SUCCESS = "success"
SELF_LOOP = "self_loop"
EXPIRED = "expired"
_FAULT_AFTER = 5.0  # seconds; below the 10 s for which SDK exporters try


class Verdict(NamedTuple):
    """How a request ends that is not accepted."""

    outcome: str  # the label of costspan_receiver_requests_total
    code: grpc.StatusCode
    http: int
    message: str
    after: float | None = None  # seconds: the client shall come back; None = never

    def retry_info(self) -> bytes:
        """google.rpc.RetryInfo, for the trailer that the Python SDK reads."""
        data: bytes = self._delay().SerializeToString()
        return data

    def status(self) -> bytes:
        """google.rpc.Status: the body over HTTP, `grpc-status-details-bin` over gRPC."""
        status = Status(code=self.code.value[0], message=self.message)
        if self.after is not None:
            detail = Any()
            detail.Pack(self._delay())
            status.details.append(detail)
        data: bytes = status.SerializeToString()
        return data

    def trailers(self) -> tuple[tuple[str, bytes], ...]:
        """Trailing metadata: the specification's key, and the one that the Python SDK reads."""
        if self.after is None:
            return ()
        return (
            ("grpc-status-details-bin", self.status()),
            ("google.rpc.retryinfo-bin", self.retry_info()),
        )

    def _delay(self) -> RetryInfo:
        nanos = round((self.after or 0.0) * 1e9)
        return RetryInfo(retry_delay=Duration(seconds=nanos // 10**9, nanos=nanos % 10**9))


def verdict(error: Exception) -> Verdict:
    """The row of the table for what `accept` raised."""
    code, text = grpc.StatusCode, str(error)
    match error:
        case TooLarge():
            return Verdict("too_large", code.RESOURCE_EXHAUSTED, 413, text)
        case UnsupportedFormat():
            return Verdict("unsupported", code.UNIMPLEMENTED, 415, text)
        case Permanent():
            return Verdict("undecodable", code.INVALID_ARGUMENT, 400, text)
        case Retryable():
            return Verdict("refused", code.UNAVAILABLE, 503, text, error.after)
        case _:
            text = "a fault inside costspan; the data was not accepted, send it again"
            return Verdict("fault", code.UNAVAILABLE, 503, text, _FAULT_AFTER)


LATE = Verdict(EXPIRED, grpc.StatusCode.DEADLINE_EXCEEDED, 503, "the call's deadline has passed")
