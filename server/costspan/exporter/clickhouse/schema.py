"""Bring the tables into being and say what is wrong with those that were there.

Only tables of ours are altered, and only by a new column; one that another tool made, never.
The statements are `sql/NNN_*.sql`, one a file, applied in order. What has been applied is noted in
`costspan_schema`; every statement can also be repeated (IF NOT EXISTS, OR REPLACE), so two sidecars
may start at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
_COST_COLUMNS = ("CostUsd", "CostStatus", "PriceRef", "CacheStatus")
_DEDUPLICATED = ("otel_traces", "otel_traces_trace_id_ts", "llm_calls", "trace_totals_parts")
_WINDOW = "non_replicated_deduplication_window"


class Database(Protocol):
    """What is needed of a connection."""

    database: str

    def use_database(self) -> None: ...
    def command(self, sql: str) -> None: ...
    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]: ...


class Migration(NamedTuple):
    """One file."""

    version: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """Every statement, in order."""
    folder = files(__package__).joinpath("sql")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [
        Migration(int(name[:3]), name.removesuffix(".sql"), folder.joinpath(name).read_text())
        for name in names
    ]


def apply(connection: Database) -> list[str]:
    """Create what is missing. Return a sentence for each fault of a table that we did not make."""
    _create_database(connection)
    connection.use_database()
    first, *others = migrations()
    connection.command(first.sql)
    applied = {version for (version,) in connection.rows("SELECT Version FROM costspan_schema")}
    for migration in others:
        if migration.version not in applied:
            connection.command(migration.sql)
            note = f"VALUES ({migration.version}, '{migration.name}')"
            connection.command(f"INSERT INTO costspan_schema (Version, Name) {note}")
    return faults(connection)


def _create_database(connection: Database) -> None:
    """A user without the right to create databases may still have one."""
    found = connection.rows(
        "SELECT count() FROM system.databases WHERE name = {name:String}",
        name=connection.database,
    )
    if found[0][0] == 0:
        quoted = connection.database.replace("\\", "\\\\").replace("`", "\\`")
        connection.command(f"CREATE DATABASE IF NOT EXISTS `{quoted}`")


_TTL = re.compile(r"TTL .*\+ toInterval(Second|Minute|Hour|Day|Week|Month|Year)\((\d+)\)")
_SECONDS = {
    "Second": 1,
    "Minute": 60,
    "Hour": 3600,
    "Day": 86_400,
    "Week": 7 * 86_400,
    "Month": 28 * 86_400,  # the shortest
    "Year": 365 * 86_400,
}


def kept_seconds(connection: Database) -> dict[str, int]:
    """How long each table keeps a row, for those that have a TTL of the usual shape."""
    found = {table: _TTL.search(engine) for table, engine in _engines(connection).items()}
    return {table: _SECONDS[ttl[1]] * int(ttl[2]) for table, ttl in found.items() if ttl}


def _engines(connection: Database) -> dict[str, str]:
    return dict(
        connection.rows(
            "SELECT name, engine_full FROM system.tables WHERE database = {name:String}",
            name=connection.database,
        )
    )


def faults(connection: Database) -> list[str]:
    """What an operator should know about the tables as they are."""
    return [*_column_faults(_columns(connection)), *_window_faults(_engines(connection))]


def _columns(connection: Database) -> set[str]:
    found = connection.rows(
        "SELECT name FROM system.columns WHERE database = {name:String} AND table = 'otel_traces'",
        name=connection.database,
    )
    return {name for (name,) in found}


def _column_faults(columns: set[str]) -> Iterable[str]:
    if missing := [name for name in TRACE_COLUMNS if name not in columns]:
        yield f"otel_traces has no column {', '.join(missing)}: spans can't be written to it"
    if missing := [name for name in _COST_COLUMNS if name not in columns]:
        yield f"otel_traces was made by another tool and has no column {', '.join(missing)}"


def _window_faults(engines: dict[str, str]) -> Iterable[str]:
    for table in _DEDUPLICATED:
        engine = engines.get(table, "")
        if engine and _WINDOW not in engine and not engine.startswith(("Replicated", "Shared")):
            yield (
                f"{table} has no {_WINDOW}: an insert that is tried again may double its rows;"
                f" ALTER TABLE {table} MODIFY SETTING {_WINDOW} = 1000"
            )
