"""OTLP's JSON to OTLP's bytes: ids are hex there, 64-bit ints may be strings. For files, not speed.

The line itself takes protobuf only; nothing on the path of a request imports this.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan.errors import Undecodable
from costspan.model import LOGS, METRICS, TRACES

_HEX = re.compile(r"[0-9a-fA-F]*", re.ASCII)
_SPACE = re.compile(r"\s*")
_SHOWN = 40  # characters of a bad value that a message repeats
# field -> hex digits; the proto's own names are allowed beside the JSON ones (opentelemetry-proto,
# "JSON Protobuf Encoding": traceId and spanId are hex, not base64)
_IDS = {
    "traceId": 32,
    "trace_id": 32,
    "spanId": 16,
    "span_id": 16,
    "parentSpanId": 16,
    "parent_span_id": 16,
}
_RESOURCES = ("resourceSpans", "resource_spans")
_SCOPES = ("scopeSpans", "scope_spans")
# How documents of the other signals begin. Their ids are read as base64, which they are not: nobody
# asks for them.
_OTHERS: dict[str, tuple[str, type[Message]]] = {
    "resourceMetrics": (METRICS, ExportMetricsServiceRequest),
    "resource_metrics": (METRICS, ExportMetricsServiceRequest),
    "resourceLogs": (LOGS, ExportLogsServiceRequest),
    "resource_logs": (LOGS, ExportLogsServiceRequest),
}


def from_json(data: bytes) -> list[bytes]:
    """The requests of a file: one, an array of them, or one after the other (JSON lines).

    Unknown names are ignored. Raises Undecodable, which says where, what was expected, what seen.
    """
    return [_request(document, place) for document, place in _documents(_text(data))]


def signals_from_json(data: bytes) -> list[tuple[str, bytes]]:
    """The same for a file that may hold metrics and logs too: (signal, request)."""
    return [_any_signal(document, place) for document, place in _documents(_text(data))]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Undecodable(f"byte {error.start}: expected UTF-8, saw {error.reason}") from error


def _any_signal(document: Any, place: str) -> tuple[str, bytes]:
    for name in document if isinstance(document, dict) else ():
        if name in _OTHERS:
            signal, message = _OTHERS[name]
            return signal, _parsed(document, message(), place)
    return TRACES, _request(document, place)


def _documents(text: str) -> Iterator[tuple[Any, str]]:
    """Every request in the text with its place: "line 3", "line 1, element 2"."""
    decoder = json.JSONDecoder()
    position = _skip_space(text, 0)
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        try:
            document, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise Undecodable(
                f"line {error.lineno}, column {error.colno}: expected JSON, "
                f"saw {text[error.pos : error.pos + _SHOWN]!r} ({error.msg})"
            ) from error
        except RecursionError as error:
            raise Undecodable(f"line {line}: expected a request, saw too deep nesting") from error
        position = _skip_space(text, position)
        if isinstance(document, list):
            for number, element in enumerate(document):
                yield element, f"line {line}, element {number}"
        else:
            yield document, f"line {line}"


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _request(document: Any, place: str) -> bytes:
    if not isinstance(document, dict):
        raise Undecodable(f"{place}: expected an ExportTraceServiceRequest, saw {_show(document)}")
    if document and not any(name in document for name in _RESOURCES):
        raise Undecodable(f"{place}: expected resourceSpans, saw {_show(sorted(document))}")
    for span, path in _spans(document, place):
        _bytes_for_ids(span, path)
    return _parsed(document, ExportTraceServiceRequest(), place)


def _parsed(document: dict[str, Any], empty: Message, place: str) -> bytes:
    try:
        return ParseDict(document, empty, ignore_unknown_fields=True).SerializeToString()
    except (ParseError, ValueError, TypeError, RecursionError) as error:
        raise Undecodable(f"{place}: expected OTLP/JSON, saw a fault: {error}") from error


def _spans(document: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every span and every link of a span, with its path."""
    for resource, path in _items(document, _RESOURCES, f"{place}: "):
        for scope, inner in _items(resource, _SCOPES, f"{path}."):
            for span, at in _items(scope, ("spans",), f"{inner}."):
                yield span, at
                yield from _items(span, ("links",), f"{at}.")


def _items(
    parent: dict[str, Any], names: tuple[str, ...], path: str
) -> Iterator[tuple[dict[str, Any], str]]:
    for name in names:
        children = parent.get(name)
        if children is None:
            continue
        if not isinstance(children, list):
            raise Undecodable(f"{path}{name}: expected an array, saw {_show(children)}")
        for number, child in enumerate(children):
            at = f"{path}{name}[{number}]"
            if not isinstance(child, dict):
                raise Undecodable(f"{at}: expected an object, saw {_show(child)}")
            yield child, at


def _bytes_for_ids(span: dict[str, Any], path: str) -> None:
    """Replace the hex of every id by the base64 that protobuf's JSON expects."""
    for name, digits in _IDS.items():
        value = span.get(name)
        if value is None or value == "":
            continue
        if not (isinstance(value, str) and len(value) == digits and _HEX.fullmatch(value)):
            raise Undecodable(f"{path}.{name}: expected {digits} hex digits, saw {_show(value)}")
        span[name] = base64.b64encode(bytes.fromhex(value)).decode("ascii")


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
