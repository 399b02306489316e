"""Every key of the configuration, with its sentence and its default. No parsing, no I/O.

The shape and the option names are the Collector's where it has them. A key of type `Later` belongs
to the tree, but this version has not built it: the loader refuses it as such, and nobody can read
a value out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Meta, Struct, field

from costspan.config import forms
from costspan.config.forms import Address
from costspan.prices.files import PriceFiles

Later: TypeAlias = None
Seconds = Annotated[float, Meta(extra={"form": forms.DURATION})]
Size = Annotated[int, Meta(extra={"form": forms.SIZE})]
Listen = Annotated[Address, Meta(extra={"form": forms.ADDRESS})]
WhenFull = Literal["backpressure", "drop_oldest"]
MIB = 1 << 20


def about(text: str, **extra: Any) -> Meta:
    """The sentence of a key; `secret=True`: never shown; `later=(...)`: values not built yet."""
    return Meta(description=text, extra=extra or None)


class Section(Struct, frozen=True, kw_only=True):
    """Base of every section."""


_INCLUDE = (
    "Request headers to pass on to the OTLP destinations. Only requests with equal values leave"
    " joined."
)

# --- receivers -----------------------------------------------------------------------------------


class GrpcServer(Section, frozen=True, kw_only=True):
    """OTLP/gRPC."""

    endpoint: Annotated[Listen, about("Address to listen on.")] = Address("127.0.0.1", 4317)
    # opentelemetry-proto 1.11 recommends 64 MiB; the Collector's own default is 4
    max_recv_msg_size_mib: Annotated[
        int, Meta(ge=1, le=1024), about("Largest request in MiB, also after decompression.")
    ] = 64
    include_metadata: Annotated[tuple[str, ...], about(_INCLUDE)] = ()
    tls: Annotated[Later, about("Server certificate and client certificates (mTLS).")] = None
    auth: Annotated[Later, about("Bearer token that clients must send.")] = None
    keepalive: Annotated[Later, about("Connection age and keep-alive of the server.")] = None


class HttpServer(Section, frozen=True, kw_only=True):
    """OTLP/HTTP."""

    endpoint: Annotated[Listen, about("Address to listen on.")] = Address("127.0.0.1", 4318)
    max_request_body_size: Annotated[
        Size, Meta(ge=1024), about("Largest request, also after decompression.")
    ] = 64 * MIB
    include_metadata: Annotated[tuple[str, ...], about(_INCLUDE)] = ()
    tls: Annotated[Later, about("Server certificate and client certificates (mTLS).")] = None
    auth: Annotated[Later, about("Bearer token that clients must send.")] = None
    cors: Annotated[Later, about("Origins whose pages may send spans.")] = None


class Protocols(Section, frozen=True, kw_only=True):
    """As in the Collector: without this key both are served, with it only those it names."""

    grpc: Annotated[GrpcServer | None, about("OTLP/gRPC; `grpc:` alone takes the defaults.")] = None
    http: Annotated[HttpServer | None, about("OTLP/HTTP; `http:` alone takes the defaults.")] = None


class OtlpReceiver(Section, frozen=True, kw_only=True):
    """Where applications send their OTLP."""

    protocols: Annotated[Protocols, about("The transports to serve; both unless given.")] = field(
        default_factory=lambda: Protocols(grpc=GrpcServer(), http=HttpServer())
    )


class Receivers(Section, frozen=True, kw_only=True):
    """What comes in."""

    otlp: Annotated[OtlpReceiver, about("The OTLP receiver.")] = OtlpReceiver()


# --- processors ----------------------------------------------------------------------------------


class Cost(Section, frozen=True, kw_only=True):
    """Reading usage, pricing it, writing the attributes."""

    enabled: Annotated[bool, about("Price spans. `false` is pure forwarding.")] = True
    dimensions: Annotated[
        Mapping[str, tuple[str, ...]],
        about(
            "Dimension to the attribute keys it is read from, first found wins; added to the"
            " default ones, of which `[]` removes one."
        ),
    ] = field(default_factory=dict)
    inherit_dimensions: Annotated[
        bool,
        about(
            "Look for the keys of `dimensions` on spans that call no model too, for the calls"
            " below them. Each key costs about 0.2 us for every span."
        ),
    ] = True
    attributes: Annotated[
        Mapping[str, bool], about("Attribute that we write to `false`, to leave it out.")
    ] = field(default_factory=dict)
    remeter: Annotated[
        bool, about("Price spans again that another costspan has already priced.")
    ] = False
    rate_cards: Annotated[
        tuple[str, ...], about("Files with negotiated prices and discounts, aliases and capacity.")
    ] = ()
    price_book: Annotated[
        str | None, about("A file with list prices, in place of the book that ships.")
    ] = None
    reload_interval: Annotated[
        Seconds,
        about("Look this often whether these files have changed; `0` only on SIGHUP."),
    ] = 10.0
    presets: Annotated[Later, about("Attribute names that other back ends read.")] = None

    @property
    def off(self) -> frozenset[str]:
        """The attributes that are switched off."""
        return frozenset(name for name, on in self.attributes.items() if not on)

    @property
    def price_files(self) -> PriceFiles:
        """Where the prices come from."""
        return PriceFiles(self.price_book, self.rate_cards)


class Limits(Section, frozen=True, kw_only=True):
    """What the ledger may hold. Beyond it the oldest trace is closed early, and counted."""

    traces: Annotated[int, Meta(ge=1), about("Open traces.")] = 20_000
    bytes: Annotated[Size, Meta(ge=65_536), about("Estimated memory.")] = 16 * MIB
    spans_per_trace: Annotated[int, Meta(ge=1), about("Spans of one trace.")] = 50_000


class Signals(Section, frozen=True, kw_only=True):
    """Limits of an open trace, 0 = off. One that is passed is told at once: metric and log line."""

    cost_usd: Annotated[float, Meta(ge=0), about("What the trace has cost so far, in USD.")] = 0.0
    llm_calls: Annotated[int, Meta(ge=0), about("Model calls so far.")] = 500
    repeats: Annotated[
        int,
        Meta(ge=0),
        about("An agent's calls in a row to one model with the same number of prompt tokens."),
    ] = 10
    growth_calls: Annotated[
        int, Meta(ge=0), about("An agent's calls in a row, each with a longer prompt, ...")
    ] = 8
    growth_factor: Annotated[
        float, Meta(ge=1), about("... the last so many times as long as the first.")
    ] = 4.0
    tool_repeats: Annotated[
        int, Meta(ge=0), about("Calls of one tool by one agent with the same arguments.")
    ] = 4


class TraceTotals(Section, frozen=True, kw_only=True):
    """When the total of a trace is written, and where to."""

    emit: Annotated[
        tuple[Literal["clickhouse", "metrics", "log_event", "root_span"], ...],
        about(
            "Where totals go; an empty list keeps none. `log_event`: an OTLP log event for each"
            " version of a total and each signal, to every otlp exporter. `root_span`: towards otlp"
            " exporters root spans and agents' spans wait until their trace is closed, and carry"
            " its totals and their agent's."
        ),
    ] = ("clickhouse", "metrics")
    root_grace: Annotated[
        float | None,
        Meta(extra={"form": forms.DURATION}),
        about(
            "Wait after the root: other processes still flush their spans. `6s`, with `root_span`"
            " `10s`."
        ),
    ] = None
    quiet: Annotated[
        float | None,
        Meta(extra={"form": forms.DURATION}),
        about("Wait after the last span, once the root was seen. `5s`, with `root_span` `10s`."),
    ] = None
    root_policy: Annotated[
        Literal["trace", "local"],
        about(
            "What ends a trace. `trace`: its root. `local`: also the span with which a process was"
            " entered; for a costspan that sees the spans of one process only."
        ),
    ] = "trace"
    orphan_wait: Annotated[
        Seconds,
        about("Wait after the last span while a parent is missing that is in the same process."),
    ] = 30.0
    idle: Annotated[Seconds, about("Close a trace without a root after this silence.")] = 300.0
    max_age: Annotated[Seconds, about("Close any trace at this age.")] = 3600.0
    checkpoint: Annotated[
        Seconds,
        about(
            "Write what an open trace has come to at this interval, a large one less often; `0`"
            " only when it is closed."
        ),
    ] = 60.0
    late_window: Annotated[
        Seconds, about("Keep a closed trace this long, so that late spans amend it.")
    ] = 15.0
    limits: Annotated[Limits, about("What the ledger may hold.")] = Limits()
    signals: Annotated[Signals, about("What an open trace is watched for.")] = Signals()
    tool_loops: Annotated[
        bool,
        about(
            "Read every span that says what a tool was called with, to find loops. Without it those"
            " are read that name an agent or a workflow. 20 to 40 us for each further span."
        ),
    ] = False

    @property
    def waits(self) -> tuple[float, float]:
        """`root_grace` and `quiet` in force: a root that has left takes no amendment, so longer."""
        grace, quiet = (10.0, 10.0) if "root_span" in self.emit else (6.0, 5.0)
        return (
            grace if self.root_grace is None else self.root_grace,
            quiet if self.quiet is None else self.quiet,
        )


class Processors(Section, frozen=True, kw_only=True):
    """What happens in between. The line is fixed: there are no pipelines to wire."""

    cost: Annotated[Cost, about("Pricing.")] = Cost()
    trace_totals: Annotated[TraceTotals, about("The running total of every trace.")] = TraceTotals()


# --- the journal ---------------------------------------------------------------------------------


class DeadLetters(Section, frozen=True, kw_only=True):
    """What a destination refuses for good; see `costspan deadletter`."""

    directory: Annotated[
        str | None,
        about(
            "Keep it here; `dead-letters` in the journal's directory unless given. Without either"
            " it is only counted."
        ),
    ] = None
    max_size: Annotated[
        Size, Meta(ge=MIB), about("Bytes for each exporter; the oldest go first, counted.")
    ] = 128 * MIB


class Journal(Section, frozen=True, kw_only=True):
    """Where data waits: on disk if there is a directory, else in memory."""

    directory: Annotated[
        str | None,
        about("Keep the journal in this directory: what was acked survives the process."),
    ] = None
    max_size: Annotated[
        Annotated[int, Meta(ge=MIB)] | None,
        Meta(extra={"form": forms.SIZE}),
        about("Bytes that may wait; `1GiB` in a directory, else `64MiB` for each destination."),
    ] = None
    segment_size: Annotated[
        Size,
        Meta(ge=MIB),
        about("Bytes of a file of the journal, at most an eighth of `max_size`."),
    ] = 64 * MIB
    fsync: Annotated[
        Literal["group", "interval", "off"],
        about(
            "What an ack waits for. `group`: the disk has it, one flush for all that arrive"
            " meanwhile. `interval`: the kernel has it, the disk soon. `off`: the kernel has it."
        ),
    ] = "group"
    fsync_interval: Annotated[
        Seconds, Meta(gt=0), about("Time between flushes with `fsync: interval`.")
    ] = 0.05
    max_age: Annotated[
        Seconds,
        about(
            "In a directory: a destination with `drop_oldest` loses what is older; `0` loses"
            " nothing by age."
        ),
    ] = 0.0
    forget: Annotated[
        tuple[str, ...],
        about("Destinations that are gone for good: what waits for them alone is released."),
    ] = ()
    dead_letters: Annotated[DeadLetters, about("What a destination refuses for good.")] = (
        DeadLetters()
    )

    @property
    def dead_letter_directory(self) -> str | None:
        """Where dead letters are kept, if they are."""
        if self.dead_letters.directory is not None or self.directory is None:
            return self.dead_letters.directory
        return f"{self.directory}/dead-letters"

    @property
    def limit(self) -> int:
        """Bytes that may wait."""
        return self.max_size or (64 * MIB if self.directory is None else 1024 * MIB)


# --- exporters -----------------------------------------------------------------------------------


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


# --- extensions and service ----------------------------------------------------------------------


class HealthCheck(Section, frozen=True, kw_only=True):
    """/healthz/startup, /healthz/ready and /healthz/live."""

    endpoint: Annotated[Listen, about("Address to listen on; in a pod the pod's IP.")] = Address(
        "127.0.0.1", 13133
    )


class Extensions(Section, frozen=True, kw_only=True):
    """What is served beside the line."""

    health_check: Annotated[HealthCheck, about("The health endpoint.")] = HealthCheck()
    web: Annotated[Later, about("The page and the read-only API.")] = None


class Metrics(Section, frozen=True, kw_only=True):
    """Prometheus."""

    address: Annotated[Listen, about("Address that serves /metrics; in a pod the pod's IP.")] = (
        Address("127.0.0.1", 9464)
    )


class Logs(Section, frozen=True, kw_only=True):
    """Our own log, on stderr."""

    level: Annotated[Literal["debug", "info", "warn", "error"], about("Least severity.")] = "info"
    encoding: Annotated[Literal["json", "console"], about("One JSON object or one line.")] = "json"


class Telemetry(Section, frozen=True, kw_only=True):
    """What costspan says of itself."""

    metrics: Annotated[Metrics, about("Prometheus.")] = Metrics()
    logs: Annotated[Logs, about("The log.")] = Logs()


class Drain(Section, frozen=True, kw_only=True):
    """How it stops. Both together must fit into the pod's termination grace period."""

    accept_grace: Annotated[
        Seconds, about("Still accept after SIGTERM: applications flush their last spans.")
    ] = 2.0
    timeout: Annotated[Seconds, about("Then deliver what waits, at most this long.")] = 10.0


class Service(Section, frozen=True, kw_only=True):
    """The process."""

    telemetry: Annotated[Telemetry, about("What costspan says of itself.")] = Telemetry()
    drain: Annotated[Drain, about("How it stops.")] = Drain()


class Tree(Section, frozen=True, kw_only=True):
    """The file. Every key is optional."""

    receivers: Annotated[Receivers, about("What comes in.")] = Receivers()
    processors: Annotated[Processors, about("What happens in between.")] = Processors()
    journal: Annotated[Journal, about("Where data waits.")] = Journal()
    exporters: Annotated[
        Mapping[str, Exporter], about("Destinations, by id: `type` or `type/name`.")
    ] = field(default_factory=dict)
    extensions: Annotated[Extensions, about("What is served beside the line.")] = Extensions()
    service: Annotated[Service, about("The process.")] = Service()


class Note(NamedTuple):
    """Something about the configuration that the log should say when the process starts."""

    level: Literal["info", "warning"]
    text: str


class Config(Tree, frozen=True, kw_only=True):
    """The tree, complete and checked, with what there is to say about it."""

    notes: tuple[Note, ...] = ()
