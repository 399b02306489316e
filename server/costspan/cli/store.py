"""Which store a command asks, by its options or by the configuration, and the connection to it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from costspan.cli.configuration import loaded
from costspan.cli.ending import ended
from costspan.cli.exits import Exit
from costspan.config import ClickHouseExporter
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
    exporter: str = ""  # its name in the configuration; "" = the first


@contextmanager
def connection(where: Where) -> Iterator[Connection]:
    """A connection to the store's database; it ends the command as `connected` does."""
    with connected(exporter_of(where)) as store:
        store.use_database()
        yield store


@contextmanager
def connected(exporter: ClickHouseExporter) -> Iterator[Connection]:
    """A connection, to no database yet. An embedded store that does not run is started for as long.

    What goes wrong, here or in the block, ends the command: 3 for the configuration, 4 for a store
    that does not answer, 1 for what it refuses.
    """
    timeout = max(_TIMEOUT_SECONDS, exporter.timeout)  # that is an insert's: questions take longer
    try:
        with (
            _address(exporter) as address,
            closing(Connection(parse_dsn(address), timeout, exporter.tls.ca_file)) as made,
        ):
            yield made
    except ConfigError as error:
        raise ended(Exit.CONFIG_INVALID, *error.faults) from error
    except Unreachable as error:
        if error.reason == SCHEMA_DRIFT:
            lacks = f"costspan: the store lacks tables that costspan makes: {error}"
            raise ended(Exit.FAILURE, lacks) from error
        raise ended(Exit.UNREACHABLE, f"costspan: {error}") from error
    except StartError as error:
        raise ended(Exit.UNREACHABLE, f"costspan: {error}") from error
    except CostspanError as error:
        raise ended(Exit.FAILURE, f"costspan: {error}") from error


def exporter_of(where: Where, default: ClickHouseExporter | None = None) -> ClickHouseExporter:
    """What the options name, or the configuration, or else `default`. Exits if there is none."""
    if where.dsn:
        return ClickHouseExporter(endpoint=where.dsn)
    if where.directory is not None:
        return ClickHouseExporter(directory=str(where.directory))
    exporters = loaded(where.config).exporters
    found = {n: e for n, e in exporters.items() if isinstance(e, ClickHouseExporter)}
    if where.exporter and where.exporter not in found:
        expected = f"expected one of the clickhouse exporters ({', '.join(found) or 'none'})"
        raise ended(Exit.USAGE, f"costspan: {expected}, saw {where.exporter!r}")
    if where.exporter:
        return found[where.exporter]
    chosen = next(iter(found.values()), default)
    if chosen is None:
        expected = "expected a clickhouse exporter in the configuration"
        raise ended(Exit.USAGE, f"costspan: {expected}, saw none")
    return chosen


@contextmanager
def _address(exporter: ClickHouseExporter) -> Iterator[str]:
    if exporter.directory is None:
        yield exporter.dsn
        return
    with _embedded(Path(exporter.directory)) as address:
        yield address


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
