"""Where a running costspan answers about itself, and the question. Standard library only."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

BASE = "http://127.0.0.1:13133"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where to ask, not where to bind
_TIMEOUT_SECONDS = 3.0  # below the container health check's own limit


def configured(source: str | None) -> str:
    """Where the process that runs on `source` listens, even if the source is faulty."""
    if source is None:
        return BASE
    # only now: the configuration costs five times as much as the question
    from costspan.config import Address, passthrough, process_environment  # noqa: PLC0415

    bound = passthrough(source, process_environment()).extensions.health_check.endpoint
    return f"http://{Address(_ANY_ADDRESS.get(bound.host, bound.host), bound.port)}"


def is_http(url: str) -> bool:
    """Whether it can be asked."""
    parts = urlsplit(url)
    return parts.scheme == "http" and bool(parts.hostname)


def ask(url: str, path: str, query: str = "") -> tuple[int, bytes]:
    """(status, body); `path` is for a URL without one. Raises OSError, HTTPException."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", (parts.path or path) + query)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
