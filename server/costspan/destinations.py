"""From an exporter of the configuration to the destination that it means. Nothing runs here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import astuple

from costspan.config import ClickHouseExporter, Exporter, OtlpGrpcExporter, OtlpHttpExporter
from costspan.config.exporters import ClientTls
from costspan.exporter.destination import Destination
from costspan.exporter.otlp import Keepalive, OtlpGrpc, OtlpHttp, Tls
from costspan.telemetry import Telemetry


class Origin(NamedTuple):
    """Who delivers."""

    instance: str  # of this process: goes out with every request, so that a loop is seen
    journal: Callable[[], str]  # the journal's identity, asked when it is needed
    store: Callable[[], str]  # the DSN of the embedded store, likewise; may raise StartError
    telemetry: Telemetry


def destination(name: str, exporter: Exporter, origin: Origin) -> Destination:
    """Raises ConfigError if its certificates can't be used."""
    match exporter:
        case OtlpGrpcExporter():
            return OtlpGrpc(
                name,
                exporter.target,
                insecure=exporter.insecure,
                tls=_tls(exporter.tls),
                headers=exporter.headers,
                compression=exporter.compression,
                timeout=exporter.timeout,
                keepalive=Keepalive(*astuple(exporter.keepalive)),
                instance=origin.instance,
            )
        case OtlpHttpExporter():
            return OtlpHttp(
                name,
                exporter.endpoint,
                tls=_tls(exporter.tls),
                headers=exporter.headers,
                compression=exporter.compression,
                timeout=exporter.timeout,
                idle_timeout=exporter.idle_conn_timeout,
                instance=origin.instance,
            )
        case ClickHouseExporter():
            return _clickhouse(name, exporter, origin)


def _clickhouse(name: str, exporter: ClickHouseExporter, origin: Origin) -> Destination:
    from costspan.exporter.clickhouse import ClickHouse, Ttl  # noqa: PLC0415  5 MiB, only if used

    return ClickHouse(
        name,
        exporter.dsn or origin.store,
        origin.telemetry,
        writer=origin.journal,
        timeout=exporter.timeout,
        ca_file=exporter.tls.ca_file,
        create_schema=exporter.create_schema,
        ttl=Ttl(*exporter.ttl.seconds),
    )


def _tls(tls: ClientTls) -> Tls:
    return Tls(
        tls.ca_file,
        tls.cert_file,
        tls.key_file,
        tls.insecure_skip_verify,
        tls.server_name_override or "",
    )
