"""Bring the tables into being. What is wrong with those that were there, `check.py` says.

Only tables of ours are altered, and only by a new column; one that another tool made, never.
The statements are `sql/NNN_*.sql`, one a file, applied in order. What has been applied is noted in
`costspan_schema`; every statement can also be repeated (IF NOT EXISTS, OR REPLACE), so two sidecars
may start at once. Nothing is executed that is noted, so a user who may only insert can use tables
that somebody else has made.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

OTLP_SCHEMA = files(__package__).joinpath("otlp.proto").read_text()

# The columns of otel_traces that we write; a table made by a Collector has them too.
TRACE_COLUMNS = (
    "Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind",
    "ServiceName", "ResourceAttributes", "ScopeName", "ScopeVersion", "SpanAttributes", "Duration",
    "StatusCode", "StatusMessage", "Events.Timestamp", "Events.Name", "Events.Attributes",
    "Links.TraceId", "Links.SpanId", "Links.TraceState", "Links.Attributes",
)  # fmt: skip
NOTES = "costspan_schema"
_HOUR, _DAY = 3600, 86_400
_TTL = re.compile(r"\nTTL (.+) \+ INTERVAL \d+ DAY")
_COLUMN_TTL = re.compile(r" TTL (toDateTime\(\w+\)) \+ INTERVAL \d+ DAY")


class Database(Protocol):
    """What is needed of a connection."""

    database: str

    def use_database(self) -> None: ...
    def command(self, sql: str) -> None: ...
    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]: ...


class Ttl(NamedTuple):
    """How long rows are kept, in seconds; 0 = for ever."""

    traces: int = 7 * _DAY
    calls: int = 30 * _DAY
    totals: int = 365 * _DAY

    def of(self, table: str) -> int:
        """For a table of ours or of the Collector's that has a TTL."""
        match table:
            case "otel_traces" | "otel_traces_trace_id_ts":
                return self.traces
            case "llm_calls":
                return self.calls
            case _:
                return self.totals


class Migration(NamedTuple):
    """One file."""

    version: int
    name: str
    sql: str

    @property
    def note(self) -> str:
        """The statement that notes it."""
        values = f"VALUES ({self.version}, '{self.name}')"
        return f"INSERT INTO {NOTES} (Version, Name) {values}"


def migrations(ttl: Ttl | None = None) -> list[Migration]:
    """Every statement, in order; the first makes the table of notes."""
    folder = files(__package__).joinpath("sql")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [
        Migration(
            int(name[:3]),
            name.removesuffix(".sql"),
            _kept(folder.joinpath(name).read_text(), ttl or Ttl(), name[4:-4]),
        )
        for name in names
    ]


def _kept(sql: str, ttl: Ttl, table: str) -> str:
    """The statement with the TTLs in force in place of those that the file states.

    A column with a lifetime of its own tells of single calls, and is kept as long as they are.
    """
    seconds = ttl.of(table)
    detail = f" TTL \\1 + {interval(ttl.calls)}" if ttl.calls else ""
    sql = _COLUMN_TTL.sub(detail, sql)
    return _TTL.sub(rf"\nTTL \1 + {interval(seconds)}" if seconds else "", sql)


def interval(seconds: int) -> str:
    """INTERVAL in the largest unit that holds it whole."""
    for size, unit in ((_DAY, "DAY"), (_HOUR, "HOUR")):
        if seconds % size == 0:
            return f"INTERVAL {seconds // size} {unit}"
    return f"INTERVAL {seconds} SECOND"


def apply(connection: Database, ttl: Ttl | None = None) -> list[Migration]:
    """Create and migrate what is missing; return what was done."""
    create_database(connection)
    connection.use_database()
    done = []
    for migration in missing(connection, ttl):
        connection.command(migration.sql)
        if migration.version:
            connection.command(migration.note)
        done.append(migration)
    return done


def missing(connection: Database, ttl: Ttl | None = None) -> list[Migration]:
    """What `apply` would do, in a database that exists."""
    noted = connection.rows(
        "SELECT count() FROM system.tables"
        " WHERE database = {name:String} AND name = {table:String}",
        name=connection.database,
        table=NOTES,
    )[0][0]
    if not noted:
        return migrations(ttl)
    applied = {version for (version,) in connection.rows(f"SELECT Version FROM {NOTES}")}  # noqa: S608  a constant
    return [m for m in migrations(ttl) if m.version and m.version not in applied]


def create_database(connection: Database) -> None:
    """A user without the right to create databases may still have one."""
    if not database_exists(connection):
        quoted = connection.database.replace("\\", "\\\\").replace("`", "\\`")
        connection.command(f"CREATE DATABASE IF NOT EXISTS `{quoted}`")


def database_exists(connection: Database) -> bool:
    """Whether the connection's database is there."""
    found = connection.rows(
        "SELECT count() FROM system.databases WHERE name = {name:String}",
        name=connection.database,
    )
    return bool(found[0][0])
