"""What a survey hands over, in the process and as JSON: shapes, and their codec. No judgement."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

SCHEMA = "costspan.survey/v1"


class Kind(NamedTuple):
    """What calls have in common; names are cut to a length."""

    service: str
    scope: str
    version: str
    dialect: str
    convention: str
    decided_by: str
    provider: str
    role: str
    reason: str  # the billed_reason
    unpriced: str  # why a billed call has no price, "" = it has one, or is not billed
    model: str  # of a billed call without a price
    usage: bool
    failed: bool
    cached: bool  # counts tokens of a cache
    answered: bool  # says which model did
    operation: bool  # says what it did
    agent: bool  # somebody's; true for all but leaves
    differs: bool  # from the cost that its emitter states
    dropped: bool  # attributes of it were
    invalid: bool
    cut: tuple[str, ...]
    unknown: tuple[str, ...]
    twin: str  # the scope that bills the same call, if it is another


class Example(NamedTuple):
    """A span to look at: ids in hex."""

    trace_id: str
    span_id: str
    name: str


class Sighting(NamedTuple):
    """Calls of one kind."""

    kind: Kind
    times: int
    last_ns: int  # when the latest ended
    examples: tuple[Example, ...]  # the newest few


class ServiceSighting(msgspec.Struct):
    """Closed traces by the service of their root."""

    service: str
    traces: int = 0
    looked_at: int = 0
    spans: int = 0  # of the traces that were looked at
    flags: dict[str, int] = {}  # of a roll-up -> traces
    examples: dict[str, str] = {}  # flag -> the latest trace id
    last_ns: int = 0  # when the latest trace ended


class SignalSighting(NamedTuple):
    """Metrics or log records that count tokens."""

    service: str
    scope: str
    signal: str  # metrics | logs
    items: int = 0
    names: tuple[str, ...] = ()


class Likeness(NamedTuple):
    """Calls of two scopes in different traces that look like the same ones."""

    service: str
    scope: str
    other: str
    times: int
    last_ns: int
    example: Example


class Snapshot(msgspec.Struct):
    """All that a survey holds."""

    calls: list[Sighting] = []
    services: list[ServiceSighting] = []
    signals: list[SignalSighting] = []
    likenesses: list[Likeness] = []
    forgotten: int = 0  # kinds, services or signals for which there was no room
    schema: str = SCHEMA


def encode(snapshot: Snapshot) -> bytes:
    """As JSON."""
    return msgspec.json.encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """The inverse of `encode`. Raises ValueError with a sentence."""
    try:
        snapshot = msgspec.json.decode(data, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"expected a survey as {SCHEMA}, saw something else: {error}") from error
    if snapshot.schema != SCHEMA:
        raise ValueError(f"expected a survey as {SCHEMA}, saw {snapshot.schema!r}")
    return snapshot
