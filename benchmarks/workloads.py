"""Seeded OTLP trace requests of two shapes, encoded before anything is timed. Nothing is sent here.

W1: model calls only, 12 to 25 attributes, a prompt of 2 KB. W2: a tenth model calls like those of
W1, a fifth tool calls, the rest HTTP and database spans; some have an event or a link. Both: one
resource of 8 attributes and 3 scopes a request, traces of about 10 spans whose root comes last, as
an SDK exports them.

No two requests are alike: ids, times, token counts, response ids, sessions, URLs and ports are
fresh on every span. A reader that remembers what it has seen would otherwise look twice as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from shapes import CHAT_SCOPES, MIXED_SCOPES, SERVICES, Shape, chat_shapes, mixed_shapes

from costspan.testing import START, key_values

WORKLOADS = ("W1", "W2")
SIZES = (50, 512, 8000)
_SHAPES = {"W1": (chat_shapes, CHAT_SCOPES), "W2": (mixed_shapes, MIXED_SCOPES)}
_MILLISECOND = 1_000_000


class Request(NamedTuple):
    """An encoded ExportTraceServiceRequest and what it holds."""

    body: bytes
    spans: int
    calls: int  # spans that carry usage


class Trace(NamedTuple):
    """What the spans of one trace share."""

    trace_id: bytes
    session: str
    user: str


class Workload:
    """An endless supply of distinct requests; the same seed gives the same ones."""

    def __init__(self, name: str, seed: int = 1) -> None:
        make_shapes, scopes = _SHAPES[name]
        self._random = Random(f"{name}/{seed}")
        self._shapes = make_shapes(Random(name))
        self._weights = [shape.weight for shape in self._shapes]
        self._scopes = [_field(0x0A, _scope(*scope)) for scope in scopes]
        self._resources = [_field(0x0A, _resource(service)) for service in SERVICES]
        self._now = START

    def request(self, spans: int) -> Request:
        """One request of so many spans."""
        scopes: list[list[bytes]] = [[] for _ in self._scopes]
        calls, left = 0, spans
        while left:
            size = min(left, self._random.randint(8, 12))
            for shape, span in self._trace(size):
                scopes[shape.scope].append(_field(0x12, span))
                calls += shape.is_call
            left -= size
        groups = [
            _field(0x12, scope + b"".join(members))
            for scope, members in zip(self._scopes, scopes, strict=True)
            if members
        ]
        resource = self._random.choice(self._resources)
        return Request(_field(0x0A, resource + b"".join(groups)), spans, calls)

    def requests(self, spans: int, max_bytes: int) -> list[Request]:
        """Distinct requests of about `max_bytes` altogether, at least one."""
        first = self.request(spans)
        more = max_bytes // len(first.body) - 1
        return [first, *(self.request(spans) for _ in range(more))]

    def _trace(self, size: int) -> Iterator[tuple[Shape, bytes]]:
        """The spans of one trace; the last one is the root and spans the others' time."""
        random = self._random
        trace = Trace(random.randbytes(16), random.randbytes(8).hex(), random.randbytes(4).hex())
        root, parents = random.randbytes(8), list[bytes]()
        begin = self._now = self._now + random.randrange(_MILLISECOND)
        for shape in random.choices(self._shapes, self._weights, k=size - 1):
            span_id, parent = random.randbytes(8), random.choice(parents) if parents else root
            start = begin + random.randrange(5 * _MILLISECOND)
            end = start + random.randrange(900 * _MILLISECOND)
            yield shape, _span(shape, trace, random, (span_id, parent, start, end))
            if not shape.is_call:  # a model call has nothing below it
                parents.append(random.choice((span_id, root)))
        shape = self._shapes[0]
        yield shape, _span(shape, trace, random, (root, b"", begin, begin + 999 * _MILLISECOND))


def _span(shape: Shape, trace: Trace, random: Random, at: tuple[bytes, bytes, int, int]) -> bytes:
    """A Span, its fields in the order in which SDKs write them."""
    span_id, parent, start, end = at
    return b"".join(
        (
            b"\x0a\x10" + trace.trace_id,
            b"\x12\x08" + span_id,
            b"\x22\x08" + parent if parent else b"",
            shape.before,
            b"\x39" + start.to_bytes(8, "little"),
            b"\x41" + end.to_bytes(8, "little"),
            shape.after,
            shape.fresh(random, trace.session, trace.user),
            shape.tail,
        )
    )


def _scope(name: str, version: str) -> bytes:
    return InstrumentationScope(name=name, version=version).SerializeToString()


def _resource(service: str) -> bytes:
    attributes = {
        "service.name": service,
        "service.version": "2026.11.3",
        "service.namespace": "shop",
        "service.instance.id": f"{service}-7d9f6c5b8-x2v4q",
        "deployment.environment.name": "production",
        "host.name": "node-17",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": "1.45.2",
    }
    return Resource(attributes=key_values(attributes)).SerializeToString()


class Profile(NamedTuple):
    """What a workload turned out to be, read back by the generated classes."""

    bytes_per_span: float
    attributes: float
    fewest_attributes: int
    most_attributes: int
    calls: float  # shares of all spans
    events: float
    links: float


def profile(name: str, spans: int = 4000) -> Profile:
    """Decode one request in full and count. Raises DecodeError if it is no valid request."""
    request = Workload(name).request(spans)
    message = ExportTraceServiceRequest.FromString(request.body)
    found = [
        span
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    attributes = [len(span.attributes) for span in found]
    return Profile(
        len(request.body) / len(found),
        sum(attributes) / len(found),
        min(attributes),
        max(attributes),
        request.calls / len(found),
        sum(bool(span.events) for span in found) / len(found),
        sum(bool(span.links) for span in found) / len(found),
    )


def _field(tag: int, body: bytes) -> bytes:
    """A length-delimited field."""
    size, length = len(body), bytearray((tag,))
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes(length) + body
