"""What an outgoing export request is: which frames join, its headers, its answer. No network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from costspan import __version__
from costspan.exporter.destination import Delivered
from costspan.model import LOGS, METRICS, OWN, RELEASED, SOLO, TRACES, Frame, Metadata

# Not profiles: each request has a dictionary of its own, so joined requests are no request.
SIGNALS = frozenset({TRACES, METRICS, LOGS, RELEASED})
VIA = "costspan-via"  # names the instance that sent a request: one that comes back is a loop
USER_AGENT = f"costspan/{__version__}"
TIMEOUT_SECONDS = 10.0  # opentelemetry-specification, protocol/exporter.md

# Many receivers still refuse a message above 4 MiB, the default of grpc-go and grpcio (Collector
# issue 10025). The slack is for those that count framing.
MAX_REQUEST_BYTES = (4 << 20) - (64 << 10)


def group(frames: Sequence[Frame], max_bytes: int) -> list[list[Frame]]:
    """Split frames into requests: equal signal and metadata, at most `max_bytes`, order kept.

    Joined OTLP requests are a request: protobuf concatenates repeated fields. SOLO frames may not
    be joined, because what no full decoder reads would take its neighbours along; nor clients'
    frames with our own, which a destination may be spared.
    """
    groups: list[list[Frame]] = []
    open_groups: dict[tuple[str, Metadata, int], tuple[list[Frame], int]] = {}
    for frame in frames:
        key = (frame.signal, frame.metadata, frame.flags & OWN)
        members, size = open_groups.get(key, ([], 0))
        fits = members and size + len(frame.body) <= max_bytes
        if frame.flags & SOLO:
            groups.append([frame])
            continue
        if not fits:
            members, size = [], 0
            groups.append(members)
        members.append(frame)
        open_groups[key] = (members, size + len(frame.body))
    return groups


def join(frames: Sequence[Frame]) -> bytes:
    """The body of one request; the frame's own bytes if it is alone."""
    return frames[0].body if len(frames) == 1 else b"".join(frame.body for frame in frames)


def headers(
    configured: Mapping[str, str], forwarded: Metadata, instance: str
) -> list[tuple[str, str]]:
    """The headers of one request: ours, the configured ones, then what the client sent along.

    A configured header wins over a forwarded one; a value that neither HTTP nor gRPC can carry is
    left out rather than failing the request for ever.
    """
    fixed = {VIA: instance, **{key.lower(): value for key, value in configured.items()}}
    kept = [(key, value) for key, value in forwarded if key not in fixed and _legal(value)]
    return [*fixed.items(), *kept]


def _legal(value: str) -> bool:
    return value.isascii() and value.isprintable()


def delivered(frames: Iterable[Frame], response: bytes) -> Delivered:
    """Read a partial success. The responses of all signals have the same shape."""
    items = sum(frame.items for frame in frames)
    if not response:
        return Delivered(items)
    try:
        partial = ExportTraceServiceResponse.FromString(response).partial_success
    except DecodeError:
        return Delivered(items)  # an answer in another shape: the status said success
    rejected = min(max(partial.rejected_spans, 0), items)
    return Delivered(items - rejected, rejected, partial.error_message)
