"""Where a running store can be reached: the file `store.json` in its directory, mode 0600."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import msgspec

from costspan.errors import StartError

FILE = "store.json"
USER = "default"
DATABASE = "otel"
DATA = "clickhouse"  # the engine's own directory, beside FILE


class Endpoint(msgspec.Struct, frozen=True):
    """An address with its credentials."""

    host: str
    port: int
    user: str
    password: str
    pid: int

    @property
    def url(self) -> str:
        """For curl and browsers; without the credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def dsn(self, database: str = DATABASE) -> str:
        """What the ClickHouse exporter takes."""
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"clickhouse://{login}@{self.url.removeprefix('http://')}/{database}"


def read_endpoint(directory: Path) -> Endpoint:
    """The endpoint of the store that runs on `directory`. Raises StartError."""
    path = directory / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Endpoint)
    except FileNotFoundError as error:
        raise StartError(f"no store runs on {directory}: there is no {FILE} in it") from error
    except (OSError, msgspec.DecodeError) as error:
        raise StartError(f"{path} can't be read: {error}") from error


def write_endpoint(directory: Path, endpoint: Endpoint) -> None:
    """Replace the file in one step; nobody else may read it."""
    draft = directory / f".{FILE}.{endpoint.pid}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(endpoint))
    draft.replace(directory / FILE)


def remove_endpoint(directory: Path) -> None:
    """Say that no store runs here any more."""
    (directory / FILE).unlink(missing_ok=True)
