"""OTLP destinations, one file per transport; `request` holds what both do alike."""

from costspan.exporter.otlp.grpc import OtlpGrpc
from costspan.exporter.otlp.http import OtlpHttp
from costspan.exporter.otlp.request import MAX_REQUEST_BYTES

__all__ = ["MAX_REQUEST_BYTES", "OtlpGrpc", "OtlpHttp"]
