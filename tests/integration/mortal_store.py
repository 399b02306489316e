"""A store that a test may kill and bring back: the real process, always on the same port."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from costspan.store.endpoint import Endpoint, read_endpoint


class MortalStore:
    """`with MortalStore(directory) as store:`. Nobody watches it: a killed one stays dead.

    Its password is kept in its directory, so a DSN outlives the process.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = 0
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.terminate()
            self._bury(self._child)

    @property
    def endpoint(self) -> Endpoint:
        return read_endpoint(self._directory)

    def start(self) -> None:
        """Return once it answers."""
        command = [sys.executable, "-m", "costspan.store", "--directory", str(self._directory)]
        child = subprocess.Popen(  # noqa: S603  our own module
            [*command, "--port", str(self._port), "--with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._child = child
        assert child.stdout is not None
        announced = child.stdout.readline()
        assert b"endpoint" in announced, announced
        self._port = self.endpoint.port

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory is short."""
        assert self._child is not None
        self._child.kill()
        self._bury(self._child)
        self._child = None

    @contextmanager
    def client(self, database: str) -> Iterator[Client]:
        """A client of the running store."""
        client = clickhouse_connect.get_client(
            dsn=self.endpoint.dsn(database), autogenerate_session_id=False, dedicated_pool=True
        )
        try:
            yield client
        finally:
            client.close()

    @staticmethod
    def _bury(child: subprocess.Popen[bytes]) -> None:
        child.wait(20)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
