"""Frames to inserts: spans to `otel_traces`, calls to `llm_calls`, totals to `trace_totals_parts`.

Pure: the same frames that take the same way make the same inserts, bytes and tokens, in whichever
process. Nothing here may depend on the clock, on a set's order or on what the server says.

Spans travel in one of two ways. `otlp`: the bytes as they are; ClickHouse decodes them (a schema
sent with the insert, 25.6 or later). `native`: column blocks made here. Attributes that hold lists
of pairs always take the second: a schema without recursion can't name them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from costspan.errors import Refused, Undecodable
from costspan.exporter.clickhouse import rows, schema
from costspan.exporter.clickhouse.fit import fit_calls, fit_totals
from costspan.exporter.clickhouse.totals import totals_block
from costspan.model import (
    CALL_ROWS,
    HELD,
    SOLO,
    TRACES,
    Frame,
    LlmCall,
    TraceTotals,
    decode_calls,
    decode_totals,
)
from costspan.wire import heads, place
from costspan.wire.block import block
from costspan.wire.days import by_days, day
from costspan.wire.native import Block
from costspan.wire.nested import nested
from costspan.wire.values import varint

OTLP, NATIVE = "otlp", "native"
_OTLP_SINCE = (25, 6)  # format_schema_source: ClickHouse PR #80874
_OTLP_SETTINGS: dict[str, str | int] = {
    "format_schema_source": "string",
    "format_schema_message_name": "ResourceSpans",
    "format_schema": schema.OTLP_SCHEMA,
    "output_format_json_escape_forward_slashes": 0,  # for toJSONString in the view
}
# Below it a block costs us less (8 us a span) than the analysis of schema and view costs the server
# (30 to 60 ms an insert).
_FEW = 500
# Tables are partitioned by day, and a server takes 100 partitions an insert unless its profile says
# otherwise (max_partitions_per_insert_block). We may not be allowed to raise that, so we do not.
_MOST_DAYS = 100


class Insert(NamedTuple):
    """One block of rows for one table."""

    table: str
    columns: Sequence[str] | None
    rows: int
    body: bytes
    format: str
    token: str
    settings: Mapping[str, str | int] = {}
    adjusted: Mapping[str, int] = {}  # rows whose values were brought into range, by reason
    times: Sequence[int] = ()  # what the table's TTL goes by, where it is at hand
    by_days: Callable[[], Iterator[Insert]] | None = None
    """The same rows in inserts of at most 100 days each, for when this one spans too many."""


def strategy_for(version: str) -> str:
    """The way that a server of this version takes: otlp from 25.6 on, native if it is odd."""
    parts = version.split(".")
    try:
        return OTLP if (int(parts[0]), int(parts[1])) >= _OTLP_SINCE else NATIVE
    except (ValueError, IndexError):
        return NATIVE


def way_of(request: bytes, spans: int, best: str, named: str = "") -> str:
    """How spans travel. `best` is what the server can do, `named` what was asked for."""
    if nested(request):
        return NATIVE
    return named or (NATIVE if spans < _FEW else best)


class Inserts(NamedTuple):
    """What makes inserts of frames: whose frames they are, and how their spans travel."""

    writer: str
    best: str = NATIVE
    named: str = ""

    def of(self, frames: Sequence[Frame]) -> Iterator[Insert]:
        """The inserts of one group, in the order in which they have to succeed.

        Calls go in before spans: a call's row replaces itself by its key, so a delivery whose spans
        are refused may be cut in two and sent again without a double. Raises Refused.
        """
        try:
            match frames[0].signal:
                case signal if signal in (TRACES, HELD):
                    yield from self._of_spans(frames)
                case signal if signal == CALL_ROWS:
                    calls = [call for frame in frames for call in decode_calls(frame.body)]
                    yield from self._of_calls(frames, calls)
                case _:
                    totals = [total for frame in frames for total in decode_totals(frame.body)]
                    yield from self._of_totals(frames, totals)
        except (ValueError, struct.error, Undecodable) as error:
            raise Refused(f"a record can't become a row: {error}", "unreadable") from error

    def _of_spans(self, frames: Sequence[Frame]) -> Iterator[Insert]:
        calls = [call for frame in frames for call in _placed(frame)]
        yield from self._of_calls(frames, calls)
        spans = sum(frame.items for frame in frames)
        if not spans:
            return
        requests = [frame.body for frame in frames]
        # all requests of a group are of one lane, so the first speaks for all
        native = frames[0].flags & SOLO or self._way(requests[0], spans) == NATIVE
        make = self._blocks if native else self._otlp
        yield make(frames, requests, spans)._replace(
            by_days=lambda: (
                make(frames, part, size) for part, size in by_days(requests, _MOST_DAYS)
            )
        )

    def _way(self, request: bytes, spans: int) -> str:
        return way_of(request, spans, self.best, self.named)

    def _blocks(self, frames: Sequence[Frame], requests: Sequence[bytes], spans: int) -> Insert:
        body = block(requests)
        token = self._token(frames, body)
        return Insert("otel_traces", schema.TRACE_COLUMNS, spans, body, "Native", token)

    def _otlp(self, frames: Sequence[Frame], requests: Sequence[bytes], spans: int) -> Insert:
        size = sum(map(len, requests))
        body = b"".join([varint(size), *requests])  # joined requests are a request
        token = self._token(frames, body)
        return Insert("otel_traces_otlp", None, spans, body, "ProtobufList", token, _OTLP_SETTINGS)

    def _of_calls(self, frames: Sequence[Frame], calls: list[LlmCall]) -> Iterator[Insert]:
        for part in _apart(rows.stored(calls)):
            fitted, reasons = fit_calls(part)
            insert = self._of_rows("llm_calls", rows.call_block(fitted), frames)
            yield insert._replace(adjusted=reasons, times=[call.start_ns for call in fitted])

    def _of_totals(self, frames: Sequence[Frame], totals: list[TraceTotals]) -> Iterator[Insert]:
        if totals:  # partitioned by the month of arrival, so never too many
            fitted, reasons = fit_totals(totals)
            insert = self._of_rows("trace_totals_parts", totals_block(fitted), frames)
            yield insert._replace(adjusted=reasons, times=[total.arrived_ns for total in fitted])

    def _of_rows(self, table: str, columns: Block, frames: Sequence[Frame]) -> Insert:
        body = columns.encode()
        token = self._token(frames, body)
        return Insert(table, columns.columns, columns.rows, body, "Native", token)

    def _token(self, frames: Sequence[Frame], body: bytes) -> str:
        """The hash is part of it: other rows under an old token would be lost silently."""
        digest = sha256(body).hexdigest()[:32]
        return f"{self.writer}:{frames[0].seq}-{frames[-1].seq}:{digest}"


def _placed(frame: Frame) -> list[LlmCall]:
    """The calls of a frame, with the entry span and the root that the frame shows above them."""
    calls = decode_calls(frame.calls)
    if calls:
        place(calls, heads(frame.body))
    return calls


def _apart(calls: list[LlmCall]) -> Iterator[list[LlmCall]]:
    """Calls in parts of at most 100 days, in order if one part does."""
    days = sorted({day(call.start_ns) for call in calls})
    for first in range(0, len(days), _MOST_DAYS):
        low, high = days[first], days[first : first + _MOST_DAYS][-1]
        yield [call for call in calls if low <= day(call.start_ns) <= high]
