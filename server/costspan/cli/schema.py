"""`costspan schema show|diff|apply`: the tables as they should be and as they are."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from costspan.cli.configuration import Json, Source
from costspan.cli.exits import Exit
from costspan.cli.store import Where, connected, exporter_of
from costspan.config import ClickHouseExporter
from costspan.exporter.clickhouse import schema
from costspan.exporter.clickhouse.check import (
    ERROR,
    Finding,
    findings,
    read_tables,
)
from costspan.exporter.clickhouse.connection import Connection
from costspan.exporter.clickhouse.schema import Ttl

app = typer.Typer(no_args_is_help=True, help="Show, compare and create the tables in ClickHouse.")

Named = Annotated[
    str, typer.Option("--exporter", help="Which clickhouse exporter, if there are several.")
]
_ALTERS = "Also change TTLs, and alter otel_traces, which a Collector may have made."


@app.command()
def show(source: Source = None, *, exporter: Named = "") -> None:
    """Print the statements that make every table, in order. No server is asked."""
    chosen = exporter_of(Where(config=source, exporter=exporter), ClickHouseExporter())
    for migration in schema.migrations(Ttl(*chosen.ttl.seconds)):
        print(f"-- {migration.name}\n{migration.sql.strip()};")
        if migration.version:
            print(f"{migration.note};")
        print()


@app.command()
def diff(source: Source = None, *, exporter: Named = "", as_json: Json = False) -> None:
    """Compare the server's tables with the expected ones; print what mends them. Exit code 5."""
    chosen = exporter_of(Where(config=source, exporter=exporter))
    ttl = Ttl(*chosen.ttl.seconds)
    with connected(chosen) as connection:
        found = _findings(connection, ttl)
    if as_json:
        answer = {"findings": [finding._asdict() for finding in found]}
        print(json.dumps({"schema": "costspan.schema.diff/v1", **answer}, indent=2))
    else:
        _print(found)
    raise typer.Exit(Exit.CHECK_FAILED if found else Exit.OK)


@app.command()
def apply(
    source: Source = None,
    *,
    exporter: Named = "",
    yes: Annotated[bool, typer.Option("--yes", help=_ALTERS)] = False,
) -> None:
    """Create and migrate our own tables. Exit code 5 if something is left that has to be mended."""
    chosen = exporter_of(Where(config=source, exporter=exporter))
    ttl = Ttl(*chosen.ttl.seconds)
    with connected(chosen) as connection:
        for migration in schema.apply(connection, ttl):
            print(f"applied {migration.name}", file=sys.stderr)
        for finding in _findings(connection, ttl):
            if finding.remedy and (yes or not finding.asks):
                connection.command(finding.remedy)
                print(f"applied {finding.remedy}", file=sys.stderr)
        left = _findings(connection, ttl)
    _print(left)
    wrong = any(finding.level == ERROR for finding in left)
    raise typer.Exit(Exit.CHECK_FAILED if wrong else Exit.OK)


def _findings(connection: Connection, ttl: Ttl) -> list[Finding]:
    if not schema.database_exists(connection):
        return [Finding(ERROR, "", f"there is no database {connection.database}")]
    connection.use_database()
    return findings(read_tables(connection), ttl)


def _print(found: list[Finding]) -> None:
    """SQL that can be fed to a client: what it is for stands above it as a comment."""
    for finding in found:
        print(f"-- {finding.level}: {finding.sentence}")
        if finding.remedy:
            print(f"{finding.remedy};")
