"""`costspan schema show|diff|apply`: the tables as they should be and as they are."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from costspan.cli.configuration import Json, Source
from costspan.cli.exits import Exit
from costspan.config import ClickHouseExporter, load, process_environment
from costspan.errors import ConfigError, CostspanError, StartError
from costspan.exporter.clickhouse import schema
from costspan.exporter.clickhouse.check import (
    ERROR,
    Finding,
    findings,
    read_tables,
)
from costspan.exporter.clickhouse.connection import Connection
from costspan.exporter.clickhouse.dsn import parse_dsn
from costspan.exporter.clickhouse.schema import Ttl
from costspan.store.endpoint import DATABASE, read_endpoint

app = typer.Typer(no_args_is_help=True, help="Show, compare and create the tables in ClickHouse.")

Named = Annotated[
    str, typer.Option("--exporter", help="Which clickhouse exporter, if there are several.")
]
_ALTERS = "Also change TTLs, and alter otel_traces, which a Collector may have made."


@app.command()
def show(source: Source = None, *, exporter: Named = "") -> None:
    """Print the statements that make every table, in order. No server is asked."""
    chosen = _exporter(source, exporter, needed=False)
    for migration in schema.migrations(Ttl(*chosen.ttl.seconds)):
        print(f"-- {migration.name}\n{migration.sql.strip()};")
        if migration.version:
            print(f"{migration.note};")
        print()


@app.command()
def diff(source: Source = None, *, exporter: Named = "", as_json: Json = False) -> None:
    """Compare the server's tables with the expected ones; print what mends them. Exit code 5."""
    chosen = _exporter(source, exporter)
    ttl = Ttl(*chosen.ttl.seconds)
    with _connected(chosen) as connection:
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
    chosen = _exporter(source, exporter)
    ttl = Ttl(*chosen.ttl.seconds)
    with _connected(chosen) as connection:
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


# --- where --------------------------------------------------------------------------------------


def _exporter(source: str | None, name: str, *, needed: bool = True) -> ClickHouseExporter:
    try:
        config = load(source, process_environment())
    except ConfigError as error:
        raise _stop(Exit.CONFIG_INVALID, "\n".join(error.faults)) from error
    found = {n: e for n, e in config.exporters.items() if isinstance(e, ClickHouseExporter)}
    if name and name not in found:
        names = ", ".join(found) or "none"
        raise _stop(Exit.USAGE, f"expected one of the clickhouse exporters ({names}), got {name!r}")
    if not found:
        if not needed:
            return ClickHouseExporter()
        raise _stop(Exit.USAGE, "the configuration names no clickhouse exporter")
    return found[name] if name else next(iter(found.values()))


@contextmanager
def _connected(exporter: ClickHouseExporter) -> Iterator[Connection]:
    """Raises typer.Exit with the code for a server that can't be reached or used."""
    try:
        dsn = exporter.dsn or read_endpoint(Path(exporter.directory or "")).dsn(DATABASE)
        made = Connection(parse_dsn(dsn), exporter.timeout, exporter.tls.ca_file)
        with closing(made) as connection:
            yield connection
    except (CostspanError, StartError) as error:
        raise _stop(Exit.UNREACHABLE, str(error)) from error


def _stop(code: Exit, text: str) -> typer.Exit:
    print(text, file=sys.stderr)
    return typer.Exit(code)
