"""OTLP destinations, one file per transport; `request` and `verdict` hold what both do alike."""

from costspan.exporter.otlp.grpc import Keepalive, OtlpGrpc
from costspan.exporter.otlp.http import OtlpHttp
from costspan.exporter.otlp.request import MAX_REQUEST_BYTES
from costspan.exporter.otlp.tls import Tls

__all__ = ["MAX_REQUEST_BYTES", "Keepalive", "OtlpGrpc", "OtlpHttp", "Tls"]
