"""Fakes that ship: a clock to turn by hand, a destination that keeps, builders of real OTLP bytes.

They stand in for the outside world, never for a room of the line. No pytest here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from costspan.exporter.destination import Delivered
from costspan.model import TRACES, Frame, Value

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND  # some instant in 2026


class ManualClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, start_ns: int = START) -> None:
        self._now = start_ns

    def now(self) -> int:
        return self._now

    def monotonic(self) -> int:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * SECOND)


class MemoryDestination:
    """A destination that keeps what it was given; `failures` are raised first, one a delivery."""

    def __init__(self, name: str = "memory", takes: frozenset[str] = frozenset({TRACES})) -> None:
        self.name = name
        self.takes = takes
        self.delivered: list[Frame] = []
        self.failures: list[Exception] = []
        self.closed = False

    def open(self) -> None:
        """Nothing to prepare."""

    def group(self, frames: Sequence[Frame]) -> list[list[Frame]]:
        return [list(frames)] if frames else []

    def deliver(self, frames: Sequence[Frame]) -> Delivered:
        if self.failures:
            raise self.failures.pop(0)
        self.delivered.extend(frames)
        return Delivered(sum(frame.items for frame in frames))

    def close(self) -> None:
        self.closed = True


def any_value(value: Value) -> AnyValue:  # noqa: PLR0911  one return for each kind
    """Plain Python as an AnyValue."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))


def key_values(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """Attributes in the order of the mapping."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(
    attributes: Mapping[str, Value] | None = None,
    *,
    trace_id: bytes = b"\x01" * 16,
    span_id: bytes = b"\x02" * 8,
    parent_span_id: bytes = b"",
    name: str = "chat gpt-4o",
    kind: int = 3,
    start_ns: int = START,
    end_ns: int = START + SECOND,
    status: int = 0,
    flags: int = 0,
) -> Span:
    """One span, as an SDK would encode it."""
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_span_id,
        name=name,
        kind=kind,  # type: ignore[arg-type]  # an enum on the wire is an int
        start_time_unix_nano=start_ns,
        end_time_unix_nano=end_ns,
        attributes=key_values(attributes or {}),
        status=Status(code=status),  # type: ignore[arg-type]  # as above
        flags=flags,
    )


def request(
    *spans: Span,
    service: str = "app",
    scope: tuple[str, str] = ("test", "1"),
    resource: Mapping[str, Value] | None = None,
) -> bytes:
    """The bytes of one ExportTraceServiceRequest with one resource and one scope."""
    resource_spans = ResourceSpans()
    resource_spans.resource.attributes.extend(
        key_values({"service.name": service, **(resource or {})})
    )
    scope_spans = ScopeSpans(spans=spans)
    scope_spans.scope.name, scope_spans.scope.version = scope
    resource_spans.scope_spans.append(scope_spans)
    return ExportTraceServiceRequest(resource_spans=[resource_spans]).SerializeToString()


def usage(
    input_tokens: int = 1000, output_tokens: int = 100, model: str = "gpt-4o", **more: Value
) -> dict[str, Value]:
    """Attributes of a plain chat call by the GenAI conventions."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        **more,
    }


def frame(body: bytes, *, calls: bytes = b"", items: int = 1, signal: str = TRACES) -> Frame:
    """A frame as the pipeline would append it."""
    return Frame(0, START, signal, 0, (), body, calls, items)
