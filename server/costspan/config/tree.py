"""Every key of the configuration, with its sentence and its default. No parsing, no I/O.

The shape and the option names are the Collector's where it has them. A key of type `Later` belongs
to the tree, but this version has not built it: the loader refuses it as such, and nobody can read
a value out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, field

from costspan.config import forms
from costspan.config.exporters import Exporter
from costspan.config.forms import Address
from costspan.config.processors import Processors
from costspan.config.section import MIB, Later, Listen, Seconds, Section, Size, about

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
