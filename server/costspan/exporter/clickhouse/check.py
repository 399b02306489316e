"""What is wrong with the tables as they are, each with the statement that mends it. Reads only.

A table may be older than we are, or made by the Collector or by hand. What it can't take is an
error: the data waits. What works with a limit is a warning. What merely differs is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from costspan.exporter.clickhouse.rows import call_block
from costspan.exporter.clickhouse.schema import TRACE_COLUMNS, Database, Ttl, interval, migrations
from costspan.exporter.clickhouse.totals import totals_block

ERROR, WARNING, NOTE = "error", "warning", "note"
WINDOW = 10_000  # blocks: docs/how-to/clickhouse.md says why

_SPANS, _LOOKUP, _CALLS, _TOTALS = (
    "otel_traces",
    "otel_traces_trace_id_ts",
    "llm_calls",
    "trace_totals_parts",
)
SHARED = frozenset({_SPANS, _LOOKUP})  # the Collector's, so perhaps made by it
_OTLP = ("otel_traces_otlp", "otel_traces_otlp_mv")
_READ = (_LOOKUP, "otel_traces_trace_id_ts_mv", "llm_calls_latest", "trace_totals")
_COST_COLUMNS = ("CostUsd", "CostStatus", "PriceRef", "CacheStatus")
_WINDOW_NAME = "non_replicated_deduplication_window"
_WINDOW_VALUE = re.compile(rf"{_WINDOW_NAME} = (\d+)")
_DEDUPLICATES = ("Replicated", "Shared")  # engines that do so without being told
_TTL = re.compile(r"TTL (.+?) \+ toInterval(Second|Minute|Hour|Day|Week|Month|Year)\((\d+)\)")
_SECONDS = {
    "Second": 1,
    "Minute": 60,
    "Hour": 3600,
    "Day": 86_400,
    "Week": 7 * 86_400,
    "Month": 28 * 86_400,  # the shortest
    "Year": 365 * 86_400,
}

# What a column of otel_traces may be, bare of LowCardinality and Nullable, so that our values
# arrive in it whole. Seen: Duration Int64 (older contrib), attributes as JSON (its option `json`).
_WRAPPED = re.compile(r"(?:LowCardinality|Nullable)\(((?:[^()]|\([^()]*\))*)\)")
_TEXT = re.compile(r"String|FixedString\(\d+\)|Enum.*")
_MAP = re.compile(r"Map\(String, String\)|JSON.*|Object.*")
_NUMBER = re.compile(r"U?Int64|U?Int128|U?Int256")
_TIME = re.compile(r"DateTime64\([3-9].*\)")
_KINDS = {
    "Timestamp": _TIME,
    "Events.Timestamp": _TIME,
    "Duration": _NUMBER,
    **dict.fromkeys(
        ("ResourceAttributes", "SpanAttributes", "Events.Attributes", "Links.Attributes"), _MAP
    ),
}


class Finding(NamedTuple):
    """One difference. `remedy` is a statement, "" if there is none that keeps the data."""

    level: str
    table: str
    sentence: str
    remedy: str = ""

    @property
    def asks(self) -> bool:
        """Whether an operator has to decide: it may be somebody's table, or rows may go."""
        alters = self.remedy.startswith("ALTER")
        return alters and (self.table in SHARED or " TTL" in self.remedy)


class Tables(NamedTuple):
    """The tables of one database as they are."""

    engines: Mapping[str, str]  # with settings and TTL, as the server words them
    columns: Mapping[str, Mapping[str, str]]  # table -> column -> type

    @property
    def takes_otlp(self) -> bool:
        """Whether spans can be handed over undecoded."""
        return all(name in self.engines for name in _OTLP)

    def kept_seconds(self) -> dict[str, int]:
        """How long each table keeps a row, for those that have a TTL of the usual shape."""
        found = {table: _TTL.search(engine) for table, engine in self.engines.items()}
        return {table: _SECONDS[ttl[2]] * int(ttl[3]) for table, ttl in found.items() if ttl}


def read_tables(connection: Database) -> Tables:
    """What `system.tables` and `system.columns` say of the connection's database."""
    engines = connection.rows(
        "SELECT name, engine_full FROM system.tables WHERE database = {name:String}",
        name=connection.database,
    )
    columns: dict[str, dict[str, str]] = {}
    for table, name, kind in connection.rows(
        "SELECT table, name, type FROM system.columns WHERE database = {name:String}",
        name=connection.database,
    ):
        columns.setdefault(table, {})[name] = kind
    return Tables(dict(engines), columns)


def findings(tables: Tables, ttl: Ttl | None = None) -> list[Finding]:
    """Everything that differs from what we would create, the worst first."""
    found = [
        *_missing_columns(tables),
        *_types(tables),
        *_missing_tables(tables),
        *_cost_columns(tables),
        *_windows(tables),
        *_ttls(tables, ttl or Ttl()),
    ]
    return sorted(found, key=lambda finding: (ERROR, WARNING, NOTE).index(finding.level))


def _missing_tables(tables: Tables) -> Iterator[Finding]:
    for table in (_SPANS, _CALLS, _TOTALS):
        if table not in tables.engines:
            yield Finding(ERROR, table, f"there is no table {table}", _create(table))
    for table in (*_OTLP, *_READ):
        if table not in tables.engines:
            use = "spans can't be handed over undecoded" if table in _OTLP else "readers miss it"
            yield Finding(WARNING, table, f"there is no {table}: {use}", _create(table))


def _create(table: str) -> str:
    return [m.sql for m in migrations() if m.name[4:] == table][-1].strip()


def _missing_columns(tables: Tables) -> Iterator[Finding]:
    written = {
        _SPANS: TRACE_COLUMNS,
        _CALLS: call_block([]).columns,
        _TOTALS: totals_block([]).columns,
    }
    for table, names in written.items():
        present = tables.columns.get(table, {})
        lacking = [name for name in names if name not in present]
        if present and lacking:
            text = f"{table} has no column {', '.join(lacking)}: nothing can be written to it"
            added = ", ".join(f"ADD COLUMN `{name}` {_type(table, name)}" for name in lacking)
            yield Finding(ERROR, table, text, f"ALTER TABLE {table} {added}")


def _type(table: str, column: str) -> str:
    """The type as our own statements have it; a part of a Nested is an array."""
    for migration in migrations():
        added = re.search(rf"ADD COLUMN IF NOT EXISTS `?{re.escape(column)}`? (.+)", migration.sql)
        if added:
            return _bare(added[1])
    sql = _create(table)
    outer, _, inner = column.rpartition(".")
    if outer:
        sql = sql[sql.index(f"    {outer} Nested") :]
    line = re.search(rf"^ +{inner} (.+)$", sql, re.MULTILINE)
    kind = _bare(line[1]) if line else "String"
    return f"Array({kind})" if outer else kind


def _bare(definition: str) -> str:
    """A column's type without what follows it."""
    return re.split(r" (?:CODEC|DEFAULT|TTL|AFTER)\b|,$", definition, maxsplit=1)[0]


def _types(tables: Tables) -> Iterator[Finding]:
    present = tables.columns.get(_SPANS, {})
    for name in (name for name in TRACE_COLUMNS if name in present):
        kind = present[name]
        nested = "." in name
        inner = kind.removeprefix("Array(").removesuffix(")") if nested else kind
        if not _KINDS.get(name, _TEXT).fullmatch(_unwrapped(inner)):
            text = (
                f"{_SPANS}.{name} is {kind}, expected {_type(_SPANS, name)}: values would be lost"
            )
            yield Finding(ERROR, _SPANS, text)


def _unwrapped(kind: str) -> str:
    while (bare := _WRAPPED.sub(r"\1", kind)) != kind:
        kind = bare
    return kind


def _cost_columns(tables: Tables) -> Iterator[Finding]:
    present = tables.columns.get(_SPANS, {})
    lacking = [name for name in _COST_COLUMNS if name not in present]
    if not present or not lacking:
        return
    text = f"{_SPANS} was made by another tool and has no column {', '.join(lacking)}"
    if not present.get("SpanAttributes", "").startswith("Map"):
        yield Finding(NOTE, _SPANS, f"{text}; its attributes are no Map, so none is offered")
        return
    added = ", ".join(f"ADD COLUMN {_materialized(name)}" for name in lacking)
    yield Finding(WARNING, _SPANS, text, f"ALTER TABLE {_SPANS} {added}")


def _materialized(column: str) -> str:
    found = re.search(rf"    ({column} .+? CODEC\(ZSTD\(1\)\))", _create(_SPANS), re.DOTALL)
    return " ".join(found[1].split()) if found else column


def _windows(tables: Tables) -> Iterator[Finding]:
    for table in (_SPANS, _LOOKUP, _CALLS, _TOTALS):
        engine = tables.engines.get(table, "")
        if not engine or engine.startswith(_DEDUPLICATES):
            continue
        found = _WINDOW_VALUE.search(engine)
        size = int(found[1]) if found else 0
        remedy = f"ALTER TABLE {table} MODIFY SETTING {_WINDOW_NAME} = {WINDOW}"
        if not size:
            text = (
                f"{table} has no {_WINDOW_NAME}: an insert that is tried again may double its rows"
            )
            yield Finding(WARNING, table, text, remedy)
        elif size < WINDOW:
            text = f"{table} remembers {size} blocks, expected {WINDOW}"
            yield Finding(NOTE, table, text, remedy)


def _ttls(tables: Tables, ttl: Ttl) -> Iterator[Finding]:
    kept = tables.kept_seconds()
    for table in (_SPANS, _LOOKUP, _CALLS, _TOTALS):
        engine, wanted = tables.engines.get(table), ttl.of(table)
        if (
            engine is None
            or kept.get(table, 0) == wanted
            or ("TTL" in engine and table not in kept)
        ):
            continue  # a TTL of another shape is somebody's intention
        told = interval(kept[table]) if table in kept else "no TTL"
        text = f"{table} has {told}, expected {interval(wanted) if wanted else 'no TTL'}"
        yield Finding(NOTE, table, text, _modify_ttl(table, wanted))


def _modify_ttl(table: str, seconds: int) -> str:
    if not seconds:
        return f"ALTER TABLE {table} REMOVE TTL"
    time = re.search(r"\nTTL (.+?) \+", _create(table))
    return f"ALTER TABLE {table} MODIFY TTL {time[1] if time else 'Start'} + {interval(seconds)}"
