"""The keys of `exporters`: OTLP destinations and ClickHouse. No parsing, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Meta, field

from costspan.config import forms
from costspan.config.section import MIB, Later, Seconds, Section, Size, about

WhenFull = Literal["backpressure", "drop_oldest"]


class ClientTls(Section, frozen=True, kw_only=True):
    """TLS towards a destination."""

    insecure: Annotated[bool, about("No TLS. Implied by an http:// endpoint.")] = False
    ca_file: Annotated[str | None, about("CA certificates (PEM); the system's unless given.")] = (
        None
    )
    cert_file: Annotated[str | None, about("Client certificate (PEM), for mTLS.")] = None
    key_file: Annotated[str | None, about("Key of the client certificate (PEM).")] = None
    insecure_skip_verify: Annotated[bool, about("Trust any certificate.")] = False
    server_name_override: Annotated[
        str | None, about("Name to expect in the certificate, in place of the host's.")
    ] = None


class StoreTls(Section, frozen=True, kw_only=True):
    """TLS towards ClickHouse."""

    insecure: Annotated[bool, about("No TLS. Implied by an http:// endpoint.")] = False
    ca_file: Annotated[str | None, about("CA certificates (PEM); the system's unless given.")] = (
        None
    )
    cert_file: Annotated[Later, about("Client certificate (mTLS).")] = None
    key_file: Annotated[Later, about("Key of the client certificate (mTLS).")] = None
    insecure_skip_verify: Annotated[Later, about("Trust any certificate.")] = None
    server_name_override: Annotated[Later, about("Name to expect in the certificate.")] = None


class Retry(Section, frozen=True, kw_only=True):
    """Back-off between attempts. Retryable faults are tried for ever: the journal is the bound."""

    initial_interval: Annotated[Seconds, Meta(gt=0), about("First wait at most.")] = 1.0
    max_interval: Annotated[Seconds, Meta(gt=0), about("Longest wait.")] = 30.0
    multiplier: Annotated[float, Meta(ge=1), about("Growth from wait to wait.")] = 2.0


class Batch(Section, frozen=True, kw_only=True):
    """How requests are joined on their way out."""

    flush_timeout: Annotated[
        Seconds,
        about("Wait this long for a fuller batch; signals of open traces do not wait."),
    ] = 0.2
    # receivers commonly cap a gRPC message at 4 MiB and drop what is larger
    max_size: Annotated[Size, Meta(ge=65_536), about("Largest batch in bytes.")] = 4 * MIB


class BlockBatch(Section, frozen=True, kw_only=True):
    """How requests are joined into one insert: ClickHouse wants few and large ones."""

    flush_timeout: Annotated[Seconds, about("Wait this long for a fuller insert.")] = 1.0
    max_size: Annotated[Size, Meta(ge=65_536), about("Largest insert in OTLP bytes.")] = 16 * MIB


class SendingQueue(Section, frozen=True, kw_only=True):
    """The Collector's place for batching. The queue itself is the journal."""

    num_consumers: Annotated[
        int, Meta(ge=1, le=64), about("Requests in flight at once. Each may hold a whole batch.")
    ] = 1
    batch: Annotated[Batch, about("How requests are joined.")] = Batch()


class BlockQueue(Section, frozen=True, kw_only=True):
    """The same for ClickHouse."""

    batch: Annotated[BlockBatch, about("How requests are joined.")] = BlockBatch()


class Keepalive(Section, frozen=True, kw_only=True):
    """Pings that find a dead connection."""

    time: Annotated[Seconds, about("Ping after this silence; `0` never.")] = 30.0
    timeout: Annotated[Seconds, Meta(gt=0), about("Wait this long for the answer.")] = 10.0
    permit_without_stream: Annotated[bool, about("Ping without a request in flight too.")] = False


class OtlpGrpcExporter(Section, frozen=True, kw_only=True, tag="otlp_grpc"):
    """A destination that speaks OTLP/gRPC: `otlp` or `otlp_grpc`, also with a `/name`."""

    endpoint: Annotated[
        str,
        Meta(extra={"form": forms.TARGET}),
        about("The destination; https:// means TLS, http:// none, neither leaves it to `tls`."),
    ]
    tls: Annotated[ClientTls, about("TLS towards the destination.")] = ClientTls()
    headers: Annotated[Mapping[str, str], about("Headers to send; never shown.", secret=True)] = (
        field(default_factory=dict)
    )
    compression: Annotated[
        Literal["none", "gzip"], about("gzip costs more CPU than all the rest of the line.")
    ] = "none"
    timeout: Annotated[Seconds, Meta(gt=0), about("Give an attempt up after this time.")] = 5.0
    keepalive: Annotated[Keepalive, about("Pings that find a dead connection.")] = Keepalive()
    retry_on_failure: Annotated[Retry, about("Back-off between attempts.")] = Retry()
    sending_queue: Annotated[SendingQueue, about("Batching.")] = SendingQueue()
    when_full: Annotated[
        WhenFull | None,
        about(
            "`backpressure` refuses new spans, `drop_oldest` loses its own oldest. The first otlp"
            " exporter has `backpressure`, the others `drop_oldest`."
        ),
    ] = None

    @property
    def target(self) -> str:
        """host:port."""
        return self.endpoint.rpartition("://")[2]

    @property
    def insecure(self) -> bool:
        """No TLS: a scheme decides, else `tls.insecure`."""
        scheme = self.endpoint.rpartition("://")[0]
        return scheme == "http" if scheme else self.tls.insecure


class OtlpHttpExporter(Section, frozen=True, kw_only=True, tag="otlp_http"):
    """A destination that speaks OTLP/HTTP: `otlphttp` or `otlp_http`, also with a `/name`."""

    endpoint: Annotated[
        str,
        Meta(extra={"form": forms.URL}),
        about("Base URL; /v1/traces, /v1/metrics or /v1/logs is appended."),
    ]
    tls: Annotated[ClientTls, about("TLS towards an https:// destination.")] = ClientTls()
    headers: Annotated[Mapping[str, str], about("Headers to send; never shown.", secret=True)] = (
        field(default_factory=dict)
    )
    compression: Annotated[Literal["none", "gzip"], about("How bodies are compressed.")] = "none"
    timeout: Annotated[Seconds, Meta(gt=0), about("Give an attempt up after this time.")] = 30.0
    idle_conn_timeout: Annotated[
        Seconds, about("Close a connection that was idle this long; `0` never.")
    ] = 90.0
    retry_on_failure: Annotated[Retry, about("Back-off between attempts.")] = Retry()
    sending_queue: Annotated[SendingQueue, about("Batching.")] = SendingQueue()
    when_full: Annotated[WhenFull | None, about("As for OTLP/gRPC.")] = None


class Ttl(Section, frozen=True, kw_only=True):
    """How long rows are kept by their own time, 0 = for ever. Tables that exist are not altered."""

    traces: Annotated[Seconds, about("otel_traces and its lookup table.")] = 7 * 86_400.0
    calls: Annotated[
        Seconds, about("llm_calls, and the transactions and inner spans of traces.")
    ] = 30 * 86_400.0
    totals: Annotated[Seconds, about("trace_totals_parts.")] = 365 * 86_400.0

    @property
    def seconds(self) -> tuple[int, int, int]:
        """Of traces, calls and totals."""
        return round(self.traces), round(self.calls), round(self.totals)


class ClickHouseExporter(Section, frozen=True, kw_only=True, tag="clickhouse"):
    """ClickHouse: a server by its DSN, or the embedded store by its directory."""

    endpoint: Annotated[
        str | None, Meta(extra={"form": forms.DSN}), about("DSN of a server's HTTP interface.")
    ] = None
    directory: Annotated[
        str | None, about("Run the embedded store on this directory (extra `embedded`).")
    ] = None
    username: Annotated[str | None, about("User, if the DSN names none.")] = None
    password: Annotated[
        str | None, about("Password, if the DSN holds none; best as `${file:...}`.", secret=True)
    ] = None
    database: Annotated[str | None, about("Database, if the DSN names none.")] = None
    tls: Annotated[StoreTls, about("TLS towards a clickhouses:// or https:// server.")] = StoreTls()
    timeout: Annotated[Seconds, Meta(gt=0), about("Give an insert up after this time.")] = 30.0
    retry_on_failure: Annotated[Retry, about("Back-off between attempts.")] = Retry()
    sending_queue: Annotated[BlockQueue, about("Batching.")] = BlockQueue()
    when_full: Annotated[
        WhenFull | None,
        about("`drop_oldest`; without an otlp exporter `backpressure`."),
    ] = None
    cluster: Annotated[Later, about("Replicated and distributed tables.")] = None
    create_schema: Annotated[
        bool, about("Create the tables and migrate our own; without it they have to be there.")
    ] = True
    ttl: Annotated[Ttl, about("How long new tables keep their rows.")] = Ttl()

    @property
    def dsn(self) -> str:
        """The endpoint with username, password and database filled in; "" if embedded."""
        if self.endpoint is None:
            return ""
        parts = urlsplit(self.endpoint)
        user = parts.username or quote(self.username or "", safe="")
        password = parts.password or quote(self.password or "", safe="")
        place = parts.netloc.rpartition("@")[2]
        userinfo = f"{user}:{password}@" if password else f"{user}@" if user else ""
        path = parts.path.rstrip("/") or (f"/{self.database}" if self.database else "")
        return urlunsplit(parts._replace(netloc=userinfo + place, path=path))


Exporter = OtlpGrpcExporter | OtlpHttpExporter | ClickHouseExporter
