"""Which store a command asks: `--dsn`, else the one that the configuration names. Exits if none."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple, NoReturn

import typer

from costspan.cli.exits import Exit
from costspan.config import ClickHouseExporter, Config, load, process_environment
from costspan.errors import ConfigError, CostspanError, StartError, Unreachable
from costspan.exporter.clickhouse.connection import Connection
from costspan.exporter.clickhouse.dsn import parse_dsn
from costspan.exporter.clickhouse.verdict import SCHEMA_DRIFT
from costspan.store.endpoint import DATA, Endpoint, read_endpoint
from costspan.store.process import EmbeddedStore

Dsn = Annotated[
    str | None, typer.Option("--dsn", help="clickhouse://user:password@host:8123/database.")
]
Source = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE|env:VAR",
        help="Ask the store of this configuration; without it environment and defaults decide.",
    ),
]
Directory = Annotated[
    Path | None, typer.Option("--directory", help="The embedded store in this directory.")
]
_TIMEOUT_SECONDS = 60.0


class Where(NamedTuple):
    """What the options say of the place of the store."""

    dsn: str | None = None
    directory: Path | None = None
    config: str | None = None


@contextmanager
def connection(where: Where) -> Iterator[Connection]:
    """A connection to the store. An embedded one that does not run is started for as long.

    What goes wrong, here or in the block, ends the command: 3 for the configuration, 4 for a store
    that does not answer, 1 for what it refuses.
    """
    try:
        with _address(where) as address:
            connected = Connection(parse_dsn(address), _TIMEOUT_SECONDS)
            try:
                connected.use_database()
                yield connected
            finally:
                connected.close()
    except ConfigError as error:
        _end("\n".join(error.faults), Exit.CONFIG_INVALID)
    except Unreachable as error:
        if error.reason == SCHEMA_DRIFT:
            _end(f"costspan: the store lacks tables that costspan makes: {error}", Exit.FAILURE)
        _end(f"costspan: {error}", Exit.UNREACHABLE)
    except StartError as error:
        _end(f"costspan: {error}", Exit.UNREACHABLE)
    except CostspanError as error:
        _end(f"costspan: {error}", Exit.FAILURE)


@contextmanager
def _address(where: Where) -> Iterator[str]:
    dsn, directory = where.dsn or "", where.directory
    if not dsn and directory is None:
        exporter = _exporter(load(where.config, process_environment()))
        dsn, directory = exporter.dsn, Path(exporter.directory) if exporter.directory else None
    if directory is None:
        yield dsn
    else:
        with _embedded(directory) as address:
            yield address


def _exporter(config: Config) -> ClickHouseExporter:
    for exporter in config.exporters.values():
        if isinstance(exporter, ClickHouseExporter):
            return exporter
    raise ConfigError(["expected a clickhouse exporter in the configuration, or --dsn; saw none"])


@contextmanager
def _embedded(directory: Path) -> Iterator[str]:
    """The store that runs on a directory; chDB takes one process at a time."""
    running = _running(directory)
    if running is not None:
        yield running.dsn()
        return
    if not (directory / DATA).is_dir():
        raise StartError(f"expected the embedded store's directory, saw no store in {directory}")
    store = EmbeddedStore(directory)
    store.start()
    try:
        yield store.dsn
    finally:
        store.stop()


def _running(directory: Path) -> Endpoint | None:
    """Where it answers. A store that was killed leaves its address behind."""
    try:
        endpoint = read_endpoint(directory)
        with socket.create_connection((endpoint.host, endpoint.port), timeout=1.0):
            return endpoint
    except (StartError, OSError):
        return None


def _end(sentence: str, code: Exit) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)
