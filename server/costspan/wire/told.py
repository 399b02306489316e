"""Who sends metrics or log records that hold certain letters, and how those are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from costspan.model import METRICS
from costspan.wire.request import outline

_SERVICE = "service.name"
_EVENT = "event.name"  # of a log record, before it became a field


class Told(NamedTuple):
    """The items of one resource and scope that hold one of the markers."""

    service: str
    scope: str
    names: frozenset[str]
    items: int


def told(signal: str, request: bytes, markers: Iterable[bytes]) -> list[Told]:
    """By resource and scope. Raises Undecodable; what can't be decoded further has no name."""
    wanted = tuple(markers)
    found = []
    for resource in outline(request).resources:
        for scope in resource.scopes:
            items = [raw for raw in scope.items if any(marker in raw for marker in wanted)]
            if items:
                names = frozenset(filter(None, (_name(signal, raw) for raw in items)))
                service = _service(resource.resource)
                found.append(Told(service, _scope(scope.scope), names, len(items)))
    return found


def _service(raw: bytes) -> str:
    try:
        attributes = Resource.FromString(raw).attributes
    except DecodeError:
        return ""
    return next((kv.value.string_value for kv in attributes if kv.key == _SERVICE), "")


def _scope(raw: bytes) -> str:
    try:
        return InstrumentationScope.FromString(raw).name
    except DecodeError:
        return ""


def _name(signal: str, raw: bytes) -> str:
    """A metric's name, a log record's event."""
    try:
        if signal == METRICS:
            return Metric.FromString(raw).name
        record = LogRecord.FromString(raw)
    except DecodeError:
        return ""
    if record.event_name:
        return record.event_name
    return next((kv.value.string_value for kv in record.attributes if kv.key == _EVENT), "")
