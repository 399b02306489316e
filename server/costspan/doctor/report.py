"""The document of `costspan doctor --json` (schema costspan.doctor/v1). Shapes only.

Its JSON Schema is docs/reference/doctor.schema.json. Later versions only add fields and findings.
"""

from __future__ import annotations

from typing import Any

import msgspec

from costspan.doctor.finding import Finding, Severity

SCHEMA = "costspan.doctor/v1"


class Span(msgspec.Struct, frozen=True):
    """A span to look at; the ids are hex. Of a trace as a whole, `span_id` is empty."""

    trace_id: str
    span_id: str = ""
    name: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """One finding about one service, and mostly about one library in it."""

    id: Finding
    severity: Severity
    sentence: str
    count: int  # spans, calls, traces or records: the sentence says which
    library: str = ""  # "" = unknown, or the service as a whole
    scopes: tuple[str, ...] = ()  # those concerned; none: the service as a whole
    subjects: tuple[str, ...] = ()  # models, attributes or scopes that it is about
    examples: tuple[Span, ...] = ()  # the newest, at most three
    fix: str = ""  # the setting that helps; "" = none is known
    link: str = ""


class Convention(msgspec.Struct, frozen=True):
    """How input was understood, by which step, and how often."""

    convention: str  # inclusive | exclusive | disjoint
    decided_by: str
    count: int


class Emitter(msgspec.Struct, frozen=True):
    """What one scope of one service sent."""

    scope: str
    scope_version: str
    library: str  # "" = unknown
    package: str
    dialect: str
    spans: int  # that tell of model calls, repeat them, or price anything
    with_usage: int
    billed: int
    unpriced: dict[str, int]  # reason -> billed calls without a price
    providers: tuple[str, ...]
    conventions: tuple[Convention, ...]


class Service(msgspec.Struct, frozen=True):
    """One `service.name`."""

    service: str
    traces: int  # whose root, or first call, is of this service
    emitters: tuple[Emitter, ...]
    findings: tuple[Diagnosis, ...]  # what costs accuracy first


class Report(msgspec.Struct, frozen=True):
    """Everything that was found."""

    source: str  # the files, or the address that was asked
    traces: int  # that hold model calls
    looked_at: int  # of those; a busy sidecar looks at a part
    accuracy_findings: int  # if not 0, the exit code is 5
    services: tuple[Service, ...]
    forgotten: int = 0  # kinds of calls for which the sidecar had no room
    schema: str = SCHEMA


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a report."""
    schema = msgspec.json.schema(Report)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **schema}
