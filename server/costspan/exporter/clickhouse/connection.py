"""One ClickHouse server through clickhouse-connect; its errors leave as ours. No SQL of ours.

Of the client only `command`, `query` and `raw_insert` are used: `insert` imports pandas if it is
installed. Inserts are synchronous and carry a deduplication token, because the client itself sends
an insert again when the connection was closed under it, and so do we.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
import lz4.frame  # type: ignore[import-untyped]  # ships no types
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError
from urllib3.exceptions import HTTPError

from costspan.errors import Unreachable
from costspan.exporter.clickhouse.dsn import Dsn
from costspan.exporter.clickhouse.inserts import Insert
from costspan.exporter.clickhouse.verdict import SETTINGS, UNREACHABLE, verdict

_CONNECT_SECONDS = 5
# Every setting that decides whether a retry doubles rows; defaults differ between versions.
_INSERT_SETTINGS: Mapping[str, str | int] = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # not a setting but a parameter of the request: an error after the first progress is one too
    "wait_end_of_query": 1,
}


class Connection:
    """A connected client. Every method raises Unreachable or Refused."""

    def __init__(self, dsn: Dsn, timeout: float, ca_file: str | None = None) -> None:
        self._dsn = dsn
        # they log every failed request; the runner says so once
        for chatty in ("clickhouse_connect", "urllib3"):
            logging.getLogger(chatty).setLevel(logging.ERROR)
        self._place = f"{dsn.host}:{dsn.port}"
        with _our_errors(self._place):
            self._client = _client(dsn, timeout, ca_file)
        self.database = dsn.database

    @property
    def version(self) -> str:
        """The server's version, "25.8.2.1"."""
        return str(self._client.server_version)

    def use_database(self) -> None:
        """Speak to the database of the DSN from now on; it has to exist."""
        self._client.database = self.database

    def command(self, sql: str) -> None:
        """Run a statement that answers nothing."""
        with _our_errors(self._place):
            self._client.command(sql)

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query; parameters are bound as `{name:Type}`."""
        with _our_errors(self._place):
            found = self._client.query(sql, parameters=parameters).result_rows
        return [tuple(row) for row in found]

    def insert(self, insert: Insert) -> None:
        """Write one block. Returns once ClickHouse has written it."""
        with _our_errors(self._place):
            body = _compressed(insert.body, self._dsn.compression)
            summary = self._client.raw_insert(
                insert.table,
                column_names=insert.columns,
                # A view: the client copies bytes, to put the statement before them. Its types do
                # not name it; urllib3 sends any buffer as it is.
                insert_block=memoryview(body),  # type: ignore[arg-type]
                fmt=insert.format,
                compression=None if self._dsn.compression == "none" else self._dsn.compression,
                settings={
                    **_INSERT_SETTINGS,
                    **insert.settings,
                    "insert_deduplication_token": insert.token,
                },
            )
        if not any(summary.summary.values()):
            # ClickHouse signs its answers; a page that says 200 has not stored anything
            text = f"{self._place} answered an insert with 200, but it is not ClickHouse's answer"
            raise Unreachable(text, reason=UNREACHABLE)

    def close(self) -> None:
        self._client.close()


def _client(dsn: Dsn, timeout: float, ca_file: str | None) -> Client:
    return clickhouse_connect.get_client(
        host=dsn.host,
        port=dsn.port,
        username=dsn.user,
        password=dsn.password,
        interface="https" if dsn.secure else "http",
        ca_cert=ca_file or "",
        connect_timeout=_CONNECT_SECONDS,
        send_receive_timeout=timeout,
        compress=False,
        client_name="costspan",
        autogenerate_session_id=False,
        dedicated_pool=True,
        query_retries=0,
    )


def _compressed(body: bytes, compression: str) -> bytes:
    if compression == "lz4":
        packed: bytes = lz4.frame.compress(body)
        return packed
    return body


@contextmanager
def _our_errors(place: str) -> Iterator[None]:
    try:
        yield
    except ProgrammingError as error:
        # the client's own check: a setting that we need is read-only in this user's profile
        raise Unreachable(str(error), reason=SETTINGS) from error
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        raise verdict(code, str(error) if code else _without_code(place, error)) from error
    except (HTTPError, OSError, ValueError, ArithmeticError) as error:
        # an answer that the client could not read: half of one, or not ClickHouse's
        text = f"{place} gave an answer that can't be read: {_root(error)}"
        raise Unreachable(text, reason=UNREACHABLE) from error


def _without_code(place: str, error: BaseException) -> str:
    found = re.search(r"HTTP status \d+", str(error))
    return (
        f"{place} answered with {found[0]}" if found else f"{place} does not answer: {_root(error)}"
    )


def _root(error: BaseException) -> str:
    """The first cause in one line: what the client says of it names URL, settings and token."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    told = error.strerror if isinstance(error, OSError) else None
    return (told or str(error) or type(error).__name__).splitlines()[0][:200]
