"""A running embedded store as tests see it, and frames for its exporter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from costspan.model import TRACES, Frame, LlmCall, encode_calls
from costspan.store.process import EmbeddedStore
from records import NOW


class RunningStore:
    """A real store process on a directory of its own."""

    def __init__(self, embedded: EmbeddedStore) -> None:
        self.embedded = embedded
        self._clients: list[Client] = []

    @property
    def dsn(self) -> str:
        """For the exporter; its database `otel` is shared by the session."""
        return self.embedded.dsn

    def dsn_of(self, database: str) -> str:
        """The same store with a database of the test's own."""
        return self.embedded.endpoint.dsn(database)

    @property
    def directory(self) -> Path:
        return self.embedded.directory

    def client(self, database: str | None = None) -> Client:
        """A clickhouse-connect client; the fixture closes it."""
        endpoint = self.embedded.endpoint
        client = clickhouse_connect.get_client(
            host=endpoint.host,
            port=endpoint.port,
            username=endpoint.user,
            password=endpoint.password,
            autogenerate_session_id=False,
            dedicated_pool=True,
        )
        if database:
            client.database = database
        self._clients.append(client)
        return client

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        self.embedded.stop()


def spans_frame(
    body: bytes, *, seq: int = 1, calls: Sequence[LlmCall] = (), items: int = 1
) -> Frame:
    return Frame(seq, NOW, TRACES, 0, (), body, encode_calls(calls), items)


def count(client: Client, table: str) -> int:
    return int(client.query(f"SELECT count() FROM {table}").result_rows[0][0])  # noqa: S608  a literal
