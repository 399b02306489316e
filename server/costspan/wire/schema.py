"""The shallow schemas: OTLP's wire read with as little descent as a task needs. No logic.

The same bytes may be read with any compatible schema. Here `spans` is `repeated bytes`, so upb
splits a request in C, copies what is inside verbatim (unknown fields too) and repairs all lengths
when it is written again. Metrics, logs and profiles have the same outline (1 = resources,
2 = scopes, 2 = items), so one schema counts and cuts all of them.
The syntax is proto2: an empty but present field must still be there after re-encoding.
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.common.v1 import common_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "costspan.wire"
_MAP_ENTRY = "Attribute"
_ANY_VALUE = common_pb2.AnyValue.DESCRIPTOR.full_name
_TYPES = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "fixed32": _Field.TYPE_FIXED32,
    "fixed64": _Field.TYPE_FIXED64,
}
# message -> {field: (number, type, repeated)}; a type that is no scalar names another message
_SCHEMA: dict[str, dict[str, tuple[int, str, bool]]] = {
    "Request": {"resources": (1, "ResourceItems", True)},
    "ResourceItems": {"resource": (1, "bytes", False), "scopes": (2, "ScopeItems", True)},
    "ScopeItems": {"scope": (1, "bytes", False), "items": (2, "bytes", True)},
    "SpanFields": {
        "trace_id": (1, "bytes", False),
        "span_id": (2, "bytes", False),
        "parent_span_id": (4, "bytes", False),
        "name": (5, "string", False),
        "kind": (6, "int32", False),
        "start": (7, "fixed64", False),
        "end": (8, "fixed64", False),
        "attributes": (9, "Attribute", True),
        "dropped": (10, "int64", False),
        "status": (15, "StatusFields", False),
        "flags": (16, "fixed32", False),
    },
    # as a map: the last of equal keys wins, and what is not asked for never becomes a Python object
    "Attribute": {"key": (1, "string", False), "value": (2, _ANY_VALUE, False)},
    "StatusFields": {"code": (3, "int32", False)},
    "HeadRequest": {"resources": (1, "HeadResource", True)},
    "HeadResource": {"scopes": (2, "HeadScope", True)},
    "HeadScope": {"spans": (2, "HeadFields", True)},
    "HeadFields": {
        "trace_id": (1, "bytes", False),
        "span_id": (2, "bytes", False),
        "parent_span_id": (4, "bytes", False),
        "kind": (6, "int32", False),
        "start": (7, "fixed64", False),
        "end": (8, "fixed64", False),
        "status": (15, "StatusFields", False),
        "flags": (16, "fixed32", False),
    },
    # what becomes a row of a store: text as bytes, attributes undecoded
    "RowFields": {
        "trace_id": (1, "bytes", False),
        "span_id": (2, "bytes", False),
        "trace_state": (3, "bytes", False),
        "parent_span_id": (4, "bytes", False),
        "name": (5, "bytes", False),
        "kind": (6, "int32", False),
        "start": (7, "fixed64", False),
        "end": (8, "fixed64", False),
        "attributes": (9, "bytes", True),
        "events": (11, "EventFields", True),
        "links": (13, "LinkFields", True),
        "status": (15, "StatusText", False),
    },
    "EventFields": {
        "time": (1, "fixed64", False),
        "name": (2, "bytes", False),
        "attributes": (3, "bytes", True),
    },
    "LinkFields": {
        "trace_id": (1, "bytes", False),
        "span_id": (2, "bytes", False),
        "trace_state": (3, "bytes", False),
        "attributes": (4, "bytes", True),
    },
    # an attribute that a full decode refuses, for a byte that is no UTF-8 or for its depth
    "AttributeBytes": {"key": (1, "bytes", False), "value": (2, "ValueBytes", False)},
    "ValueBytes": {
        "text": (1, "bytes", False),
        "array": (5, "bytes", False),
        "pairs": (6, "bytes", False),
    },
    "StatusText": {"message": (2, "bytes", False), "code": (3, "int32", False)},
    "ResourceFields": {"attributes": (1, "bytes", True)},
    "ScopeFields": {"name": (1, "bytes", False), "version": (2, "bytes", False)},
    # A request folded into one span. Nothing is repeated, and protobuf merges a singular message
    # that comes twice: so a field is set at the end if any span of the request had it. Fields that
    # nobody asks for are named because a known one is overwritten and an unknown one is kept.
    "FoldedRequest": {"resources": (1, "FoldedResources", False)},
    "FoldedResources": {
        "resource": (1, "FoldedResource", False),
        "scopes": (2, "FoldedScopes", False),
    },
    "FoldedResource": {"attributes": (1, "FoldedAttribute", False)},
    "FoldedScopes": {"scope": (1, "bytes", False), "items": (2, "FoldedSpan", False)},
    "FoldedSpan": {
        "trace_id": (1, "bytes", False),
        "span_id": (2, "bytes", False),
        "trace_state": (3, "bytes", False),
        "parent_span_id": (4, "bytes", False),
        "name": (5, "bytes", False),
        "kind": (6, "int32", False),
        "start": (7, "fixed64", False),
        "end": (8, "fixed64", False),
        "attributes": (9, "FoldedAttribute", False),
        "events": (11, "FoldedEvent", False),
        "links": (13, "FoldedLink", False),
        "status": (15, "bytes", False),
        "flags": (16, "fixed32", False),
    },
    "FoldedEvent": {
        "time": (1, "fixed64", False),
        "name": (2, "bytes", False),
        "attributes": (3, "FoldedAttribute", False),
    },
    "FoldedLink": {
        "trace_id": (1, "bytes", False),
        "span_id": (2, "bytes", False),
        "trace_state": (3, "bytes", False),
        "attributes": (4, "FoldedAttribute", False),
    },
    "FoldedAttribute": {"key": (1, "bytes", False), "value": (2, "FoldedValue", False)},
    "FoldedValue": {
        "text": (1, "bytes", False),
        "truth": (2, "int64", False),
        "integer": (3, "int64", False),
        "double": (4, "fixed64", False),
        "array": (5, "FoldedArray", False),
        "pairs": (6, "bytes", False),
        "data": (7, "bytes", False),
    },
    "FoldedArray": {"values": (1, "FoldedItem", False)},
    "FoldedItem": {
        "text": (1, "bytes", False),
        "truth": (2, "int64", False),
        "integer": (3, "int64", False),
        "double": (4, "fixed64", False),
        "array": (5, "bytes", False),
        "pairs": (6, "bytes", False),
        "data": (7, "bytes", False),
    },
}


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="costspan/wire.proto",
        package=_PACKAGE,
        dependency=[common_pb2.DESCRIPTOR.name],
    )
    for message, fields in _SCHEMA.items():
        descriptor = file.message_type.add(name=message)
        descriptor.options.map_entry = message == _MAP_ENTRY
        for name, (number, kind, repeated) in fields.items():
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            field = descriptor.field.add(name=name, number=number, label=label)
            if kind in _TYPES:
                field.type = _TYPES[kind]
            else:
                full_name = kind if kind == _ANY_VALUE else f"{_PACKAGE}.{kind}"
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{full_name}"
    pool = descriptor_pool.Default()  # where the generated classes are, AnyValue among them
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _SCHEMA
    }


_MESSAGES = _build()
Request: Any = _MESSAGES["Request"]
SpanFields: Any = _MESSAGES["SpanFields"]
HeadRequest: Any = _MESSAGES["HeadRequest"]
HeadFields: Any = _MESSAGES["HeadFields"]
RowFields: Any = _MESSAGES["RowFields"]
AttributeBytes: Any = _MESSAGES["AttributeBytes"]
ResourceFields: Any = _MESSAGES["ResourceFields"]
ScopeFields: Any = _MESSAGES["ScopeFields"]
FoldedRequest: Any = _MESSAGES["FoldedRequest"]
