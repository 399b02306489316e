"""Frames to inserts: spans to `otel_traces`, calls to `llm_calls`, totals to `trace_totals_parts`.

A delivery may be tried again after its answer was lost, so every insert is a function of its frames
and carries a token made of their sequence numbers and of its bytes: ClickHouse drops the second
copy. Calls go in before spans: a call's row replaces itself by its key, so a delivery whose spans
are refused may be cut in two and sent again without a double.

Spans travel in one of two ways. `otlp`: the bytes as they are; ClickHouse decodes them (a schema
sent with the insert, 25.6 or later). `native`: column blocks made here. Attributes that hold lists
of pairs always take the second: a schema without recursion can't name them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from operator import itemgetter

from costspan.errors import CostspanError, Refused, StartError, Undecodable, Unreachable
from costspan.exporter.clickhouse import rows, schema
from costspan.exporter.clickhouse.connection import Connection, Insert
from costspan.exporter.clickhouse.dsn import parse_dsn
from costspan.exporter.clickhouse.verdict import LOGIN, SCHEMA_DRIFT, UNREACHABLE
from costspan.exporter.destination import Delivered
from costspan.model import (
    CALL_ROWS,
    SOLO,
    TRACE_TOTALS,
    TRACES,
    Frame,
    LlmCall,
    decode_calls,
    decode_totals,
)
from costspan.telemetry import Telemetry
from costspan.wire.block import block
from costspan.wire.native import Block
from costspan.wire.nested import nested
from costspan.wire.values import varint

_log = logging.getLogger(__name__)

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
# Of one insert, uncompressed. Its body is joined in memory: with 8 MiB the process peaked 6 MiB
# higher at 10 000 mixed spans a second.
_MAX_BYTES = 4 * 1024 * 1024
_RECONNECT = frozenset({UNREACHABLE, LOGIN, SCHEMA_DRIFT})


class ClickHouse:
    """A destination that is a ClickHouse server, embedded or not.

    `dsn` may be a callable, asked at every connect: an embedded store may come back elsewhere.
    `strategy` is otlp, native or "" (by the server's version and the size of a group). `writer`
    makes tokens of several sidecars differ.
    """

    def __init__(
        self,
        name: str,
        dsn: str | Callable[[], str],
        telemetry: Telemetry,
        *,
        writer: str = "",
        strategy: str = "",
        timeout: float = 30.0,
        ca_file: str | None = None,
    ) -> None:
        self.name = name
        self.takes = frozenset({TRACES, CALL_ROWS, TRACE_TOTALS})
        if isinstance(dsn, str):
            parse_dsn(dsn)  # a fault of the configuration shows when it is read
        self._dsn = dsn
        self._telemetry = telemetry
        self._writer = writer
        self._strategy = strategy
        self._timeout = timeout
        self._ca_file = ca_file
        self._connection: Connection | None = None

    def open(self) -> None:
        """Connect and bring the tables into being. Raises Unreachable or Refused."""
        self._connected()

    def group(self, frames: Sequence[Frame]) -> list[list[Frame]]:
        """By signal and by the way they have to take, at most about 4 MiB each."""
        lanes = sorted(((_lane(frame), frame) for frame in frames), key=itemgetter(0))
        return [part for _, lane in groupby(lanes, key=itemgetter(0)) for part in _parts(lane)]

    def deliver(self, frames: Sequence[Frame]) -> Delivered:
        """Insert one group. Raises Unreachable (try again) or Refused (never again)."""
        try:
            connection = self._connected()
            for insert in self._inserts(frames):
                connection.insert(insert)
                table = insert.table.removesuffix("_otlp")  # where the rows end up
                self._telemetry.clickhouse_rows.add(insert.rows, self.name, table)
        except Unreachable as error:
            self._reconsider(error)
            raise
        return Delivered(sum(frame.items for frame in frames))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- the connection -----------------------------------------------------------------------

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._connect()
            try:
                faults = schema.apply(connection)
            except CostspanError:
                connection.close()
                raise
            for fault in faults:
                _log.warning("exporter %s: %s", self.name, fault)
            self._connection = connection
        return self._connection

    def _connect(self) -> Connection:
        try:
            dsn = self._dsn if isinstance(self._dsn, str) else self._dsn()
        except StartError as error:
            raise Unreachable(str(error)) from error
        return Connection(parse_dsn(dsn), self._timeout, self._ca_file)

    def _reconsider(self, error: Unreachable) -> None:
        """Connect anew, and look at the tables again, if that may help."""
        if error.reason == SCHEMA_DRIFT:
            _log.error("exporter %s: the tables are not as expected: %s", self.name, error)
        if error.reason in _RECONNECT:
            self.close()

    # --- frames to inserts --------------------------------------------------------------------

    def _inserts(self, frames: Sequence[Frame]) -> Iterator[Insert]:
        try:
            match frames[0].signal:
                case signal if signal == TRACES:
                    yield from self._span_inserts(frames)
                case signal if signal == CALL_ROWS:
                    calls = [call for frame in frames for call in decode_calls(frame.body)]
                    yield from self._call_inserts(frames, calls)
                case _:
                    totals = [total for frame in frames for total in decode_totals(frame.body)]
                    if totals:
                        columns = rows.totals_block(totals)
                        yield self._rows_insert("trace_totals_parts", columns, frames)
        except (ValueError, Undecodable) as error:
            raise Refused(f"a record can't become a row: {error}", "unreadable") from error

    def _span_inserts(self, frames: Sequence[Frame]) -> Iterator[Insert]:
        if frames[0].flags & SOLO:
            raise Refused("the spans can't be decoded to the last attribute", "unreadable")
        calls = [call for frame in frames for call in decode_calls(frame.calls)]
        yield from self._call_inserts(frames, calls)
        if any(frame.items for frame in frames):
            yield self._traces_insert(frames)

    def _call_inserts(self, frames: Sequence[Frame], calls: list[LlmCall]) -> Iterator[Insert]:
        if stored := rows.stored(calls):
            yield self._rows_insert("llm_calls", rows.call_block(stored), frames)

    def _traces_insert(self, frames: Sequence[Frame]) -> Insert:
        requests = [frame.body for frame in frames]
        spans = sum(frame.items for frame in frames)
        if self._way(requests[0], spans) == NATIVE:
            body = block(requests)
            token = self._token(frames, body)
            return Insert("otel_traces", schema.TRACE_COLUMNS, spans, body, "Native", token)
        size = sum(map(len, requests))
        body = b"".join([varint(size), *requests])  # joined requests are a request
        token = self._token(frames, body)
        return Insert("otel_traces_otlp", None, spans, body, "ProtobufList", token, _OTLP_SETTINGS)

    def _way(self, request: bytes, spans: int) -> str:
        """All requests of a group are of one lane, so the first speaks for all."""
        if nested(request):
            return NATIVE
        if self._strategy:
            return self._strategy
        return NATIVE if spans < _FEW else strategy_for(self._connected().version)

    def _rows_insert(self, table: str, columns: Block, frames: Sequence[Frame]) -> Insert:
        body = columns.encode()
        token = self._token(frames, body)
        return Insert(table, columns.columns, columns.rows, body, "Native", token)

    def _token(self, frames: Sequence[Frame], body: bytes) -> str:
        digest = sha256(body).hexdigest()[:32]
        return f"{self._writer}:{frames[0].seq}-{frames[-1].seq}:{digest}"


def strategy_for(version: str) -> str:
    """The way that a server of this version takes: otlp from 25.6 on, native if it is odd."""
    parts = version.split(".")
    try:
        return OTLP if (int(parts[0]), int(parts[1])) >= _OTLP_SINCE else NATIVE
    except (ValueError, IndexError):
        return NATIVE


_Lane = tuple[str, int, bool]


def _lane(frame: Frame) -> _Lane:
    """What may share an insert: the signal; a SOLO frame with nobody; nested apart from plain."""
    if frame.flags & SOLO:
        return frame.signal, frame.seq, False
    return frame.signal, -1, frame.signal == TRACES and nested(frame.body)


def _parts(lane: Iterator[tuple[_Lane, Frame]]) -> Iterator[list[Frame]]:
    part: list[Frame] = []
    size = 0
    for _, frame in lane:
        if part and size + len(frame.body) > _MAX_BYTES:
            yield part
            part, size = [], 0
        part.append(frame)
        size += len(frame.body)
    if part:
        yield part
