"""The destination: a connection when there is one, groups of frames, and their delivery.

A delivery may be tried again after its answer was lost, by this process or by the next one on the
same journal. So every insert is a function of its frames (`inserts.py`) and carries a token made of
the journal's identity, of the frames' sequence numbers and of its bytes: ClickHouse drops the
second copy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from costspan.clock import Clock, SystemClock
from costspan.errors import CostspanError, Permanent, Refused, StartError, Unreachable
from costspan.exporter.clickhouse import schema
from costspan.exporter.clickhouse.check import (
    ERROR,
    SHARED,
    WARNING,
    Finding,
    findings,
    read_tables,
)
from costspan.exporter.clickhouse.connection import Connection
from costspan.exporter.clickhouse.dsn import parse_dsn
from costspan.exporter.clickhouse.inserts import NATIVE, OTLP, Insert, Inserts, strategy_for
from costspan.exporter.clickhouse.verdict import (
    LOGIN,
    SCHEMA_DRIFT,
    SETTINGS,
    TOO_MANY_PARTITIONS,
    UNREACHABLE,
    VIEW,
)
from costspan.exporter.destination import Delivered
from costspan.model import CALL_ROWS, HELD, SOLO, TRACE_TOTALS, TRACES, Frame
from costspan.telemetry import Telemetry
from costspan.wire.nested import nested

_log = logging.getLogger(__name__)

# Of one insert, uncompressed. Its body is joined in memory: with 8 MiB the process peaked 6 MiB
# higher at 10 000 mixed spans a second.
_MAX_BYTES = 4 * 1024 * 1024
_ALARMS = {
    LOGIN: "ClickHouse does not let it in",
    SCHEMA_DRIFT: "the tables are not as expected",
    SETTINGS: "ClickHouse refuses a setting that it needs",
    VIEW: "a view behind the tables fails",
}
_DOUBTFUL = frozenset({"type_mismatch", "cannot_parse"})
_SECOND = 1_000_000_000
_RECONNECT = frozenset({UNREACHABLE, LOGIN, SCHEMA_DRIFT, SETTINGS})


class ClickHouse:
    """A destination that is a ClickHouse server, embedded or not.

    `dsn` may be a callable, asked at every connect: an embedded store may come back elsewhere.
    `strategy` is otlp, native or "" (by the server's version and the size of a group). `writer` is
    the identity of the journal that the frames come from, asked when the first is delivered: tokens
    of several sidecars differ, those of a sidecar before and after a restart do not. Without
    `create_schema` somebody else makes the tables, and no statement but an insert changes anything.
    """

    def __init__(
        self,
        name: str,
        dsn: str | Callable[[], str],
        telemetry: Telemetry,
        *,
        writer: str | Callable[[], str] = "",
        strategy: str = "",
        timeout: float = 30.0,
        ca_file: str | None = None,
        create_schema: bool = True,
        ttl: schema.Ttl | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.takes = frozenset({TRACES, HELD, CALL_ROWS, TRACE_TOTALS})
        if isinstance(dsn, str):
            parse_dsn(dsn)  # a fault of the configuration shows when it is read
        self._dsn = dsn
        self._telemetry = telemetry
        self._writer = writer
        self._strategy = strategy
        self._timeout = timeout
        self._ca_file = ca_file
        self._create_schema = create_schema
        self._ttl = ttl or schema.Ttl()
        self._clock = clock or SystemClock()
        self._connection: Connection | None = None
        self._kept: dict[str, int] = {}  # seconds by table, where it has a TTL
        self._alarmed = ""  # the reason for which an operator was called last
        self._warned: set[Finding] = set()  # a connection is made anew after every outage
        self._best = OTLP  # what every server that was met could do

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
            for insert in self._inserts().of(frames):
                _write(connection, insert)
                self._count(insert)
        except Refused as refusal:
            self._doubt(refusal)
            raise
        except Unreachable as error:
            self._reconsider(error)
            raise
        self._alarmed = ""
        return Delivered(sum(frame.items for frame in frames))

    def _count(self, insert: Insert) -> None:
        table = insert.table.removesuffix("_otlp")  # where the rows end up
        telemetry = self._telemetry
        telemetry.clickhouse_rows.add(insert.rows, self.name, table)
        for reason, rows in insert.adjusted.items():
            telemetry.clickhouse_adjusted.add(rows, self.name, table, reason)
        if kept := self._kept.get(table):
            oldest = self._clock.now() - kept * _SECOND
            if expired := sum(time < oldest for time in insert.times):
                telemetry.clickhouse_expired.add(expired, self.name, table)

    def _inserts(self) -> Inserts:
        writer = self._writer if isinstance(self._writer, str) else self._writer()
        return Inserts(writer, self._best, self._strategy)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- the connection -----------------------------------------------------------------------

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._connect()
            try:
                self._take_tables(connection)
            except Permanent as refusal:
                # a statement of ours was refused: that is no verdict on anybody's data
                connection.close()
                raise Unreachable(str(refusal), reason=SCHEMA_DRIFT) from refusal
            except CostspanError:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _take_tables(self, connection: Connection) -> None:
        """Create what is missing, if that is ours to do, and look at what is there."""
        refusal = self._create(connection)
        if not schema.database_exists(connection):
            raise refusal or Unreachable(
                f"there is no database {connection.database}", reason=SCHEMA_DRIFT
            )
        connection.use_database()
        tables = read_tables(connection)
        found = findings(tables, self._ttl)
        if errors := [finding.sentence for finding in found if finding.level == ERROR]:
            raise _cannot_write(errors, refusal)
        if refusal is not None and refusal.reason == SCHEMA_DRIFT:
            raise refusal
        for finding in found:
            if finding.level == WARNING and finding not in self._warned:
                self._warned.add(finding)
                remedy = f"; {finding.remedy}" if finding.table in SHARED else ""
                _log.warning("exporter %s: %s%s", self.name, finding.sentence, remedy)
        if not tables.takes_otlp:
            self._best = NATIVE
        self._kept = tables.kept_seconds()

    def _create(self, connection: Connection) -> Unreachable | None:
        """Returns why a statement was refused, if the tables may be there all the same."""
        if not self._create_schema:
            return None
        try:
            schema.apply(connection, self._ttl)
        except Unreachable as error:
            if error.reason not in (LOGIN, SCHEMA_DRIFT):
                raise
            return error
        return None

    def _connect(self) -> Connection:
        try:
            dsn = self._dsn if isinstance(self._dsn, str) else self._dsn()
        except StartError as error:
            raise Unreachable(str(error)) from error
        connection = Connection(parse_dsn(dsn), self._timeout, self._ca_file)
        # Only ever towards native: an insert whose answer was lost while its server was upgraded is
        # tried again with the same bytes and the same token.
        if strategy_for(connection.version) == NATIVE:
            self._best = NATIVE
        return connection

    def _doubt(self, refusal: Refused) -> None:
        """Rows are refused for their types: it is the tables' fault if somebody altered those."""
        if self._connection is None or refusal.reason not in _DOUBTFUL:
            return
        found = findings(read_tables(self._connection), self._ttl)
        if errors := [finding.sentence for finding in found if finding.level == ERROR]:
            drift = Unreachable("; ".join(errors), reason=SCHEMA_DRIFT)
            self._reconsider(drift)
            raise drift from refusal

    def _reconsider(self, error: Unreachable) -> None:
        """Call for an operator, once for each reason; connect anew if that may help."""
        if error.reason in _ALARMS and error.reason != self._alarmed:
            self._alarmed = error.reason
            text = "exporter %s: %s: %s; its data waits until an operator has mended that"
            _log.error(text, self.name, _ALARMS[error.reason], error)
        if error.reason in _RECONNECT:
            self.close()


def _cannot_write(errors: list[str], refusal: Unreachable | None) -> Unreachable:
    """What the tables lack says more than the statement that failed for it."""
    if refusal is None:
        return Unreachable("; ".join(errors), reason=SCHEMA_DRIFT)
    return Unreachable("; ".join([*errors, str(refusal)]), reason=refusal.reason)


def _write(connection: Connection, insert: Insert) -> None:
    """A block of too many days was refused as a whole, so its parts double nothing."""
    try:
        connection.insert(insert)
    except Refused as refusal:
        if refusal.reason != TOO_MANY_PARTITIONS or insert.by_days is None:
            raise
        for part in insert.by_days():
            connection.insert(part)


_Lane = tuple[str, int, bool]


def _lane(frame: Frame) -> _Lane:
    """What may share an insert: the signal; a SOLO frame with nobody; nested apart from plain."""
    if frame.flags & SOLO:
        return frame.signal, frame.seq, False
    return frame.signal, -1, frame.signal in (TRACES, HELD) and nested(frame.body)


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
