"""What integration tests share: one embedded store for the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from costspan.store.process import EmbeddedStore


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


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """A running embedded store, started once."""
    embedded = EmbeddedStore(tmp_path_factory.mktemp("store"))
    embedded.start()
    running = RunningStore(embedded)
    try:
        yield running
    finally:
        running.stop()
