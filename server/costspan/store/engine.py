"""chDB: the only module that imports it. One connection per statement, many at a time.

Measured with chDB 4.4: a connection costs 0.4 ms and holds its own settings and current database;
the engine works without the GIL. Data goes in through a file that lives in memory: inside a
query's text it would be cut at an empty line or a semicolon, and `send_insert` says that all is
well when the table refused the rows (too many partitions, for one).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

from chdb.state.sqlitelike import Connection

from costspan.store.query import Statement, from_file

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: .*", re.DOTALL)
_UNKNOWN = 1002  # ClickHouse's UNKNOWN_EXCEPTION


class QueryError(Exception):
    """The engine refused; the text is its own, `code` its number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Answer(NamedTuple):
    """The body in the format that was asked for, and what was read and written."""

    body: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0


class Engine:
    """The data of one directory. `run` may be called from any thread."""

    def __init__(self, directory: Path) -> None:
        self._path = str(directory)
        # as long as one connection is open the engine keeps its tables loaded
        self._anchor = Connection(self._path)
        facts = self._anchor.query("SELECT version(), timezone()", "TabSeparated").bytes()
        self.version, self.timezone = facts.decode().strip().split("\t")

    def run(
        self,
        statement: Statement,
        *,
        database: str = "",
        settings: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        output: str = "TabSeparated",
    ) -> Answer:
        """Run one statement. Raises QueryError."""
        connection = Connection(self._path)
        try:
            if database:
                connection.query(f"USE {_identifier(database)}")
            if settings:
                pairs = (f"{name} = {_literal(value)}" for name, value in settings.items())
                connection.query(f"SET {', '.join(pairs)}")
            if statement.data_format:
                return _insert(connection, statement)
            return _query(connection, statement.sql, output, dict(parameters or {}))
        except RuntimeError as error:  # ChdbError is one
            raise _query_error(error) from error
        finally:
            connection.close()

    def close(self) -> None:
        self._anchor.close()


def _query(connection: Any, sql: bytes, output: str, parameters: dict[str, str]) -> Answer:
    result = connection.query(sql, output, params=parameters)
    return Answer(
        result.bytes(),
        result.rows_read(),
        result.bytes_read(),
        result.rows_written(),
        result.bytes_written(),
    )


def _insert(connection: Any, statement: Statement) -> Answer:
    with _in_a_file(statement.data) as path:
        result = connection.query(from_file(statement, path))
    return Answer(b"", written_rows=result.rows_written(), written_bytes=result.bytes_written())


@contextmanager
def _in_a_file(data: bytes) -> Iterator[str]:
    """A path that this process can read the data from."""
    with _file() as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}" if isinstance(file.name, int) else file.name


def _file() -> Any:
    """In memory where the system has such files: it is never on a disk that is full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("insert"), "wb")
    return NamedTemporaryFile()


def _query_error(error: Exception) -> QueryError:
    text = str(error)
    found = _CODE.search(text)
    if found is None:
        return QueryError(_UNKNOWN, f"Code: {_UNKNOWN}. DB::Exception: {text}")
    return QueryError(int(found.group(1)), found.group())


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _identifier(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
