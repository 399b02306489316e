"""The address of a ClickHouse server: `clickhouse://user:password@host:8123/database`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from costspan.errors import ConfigError

_PORTS = {"clickhouse": 8123, "clickhouses": 8443}
_OPTIONS = {"compression"}
_COMPRESSIONS = {"none", "lz4"}


@dataclass(frozen=True)
class Dsn:
    """Where and as whom. `secure` is HTTPS."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    secure: bool
    compression: str  # of inserts: none | lz4


def parse_dsn(text: str) -> Dsn:
    """Read `clickhouse://` (HTTP) or `clickhouses://` (HTTPS). Raises ConfigError."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ConfigError([f"{_SHAPE}; {error}"]) from None
    if url.scheme not in _PORTS or not url.hostname:
        raise ConfigError([f"{_SHAPE}, got scheme {url.scheme!r} and host {url.hostname!r}"])
    options = dict(parse_qsl(url.query))
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ConfigError([f"a ClickHouse DSN takes the option compression, not {unknown[0]!r}"])
    compression = options.get("compression", "none")
    if compression not in _COMPRESSIONS:
        raise ConfigError([f"expected compression none or lz4, got {compression!r}"])
    return Dsn(
        host=url.hostname,
        port=port or _PORTS[url.scheme],
        user=unquote(url.username or "default"),
        password=unquote(url.password or ""),
        database=unquote(url.path.strip("/")) or "otel",
        secure=url.scheme == "clickhouses",
        compression=compression,
    )


_SHAPE = "expected clickhouse://user:password@host:8123/database (or clickhouses:// for TLS)"
