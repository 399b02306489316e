"""A whole response in one call, for apps of a few paths. No routing, no framework."""

from __future__ import annotations

from typing import NamedTuple

from starlette.types import Send

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class Response(NamedTuple):
    """A response that fits in memory."""

    status: int
    body: bytes
    media_type: str = TEXT
    headers: tuple[tuple[bytes, bytes], ...] = ()


NOT_FOUND = Response(404, b"no such path\n")
READ_ONLY = Response(405, b"this path is read by GET\n", TEXT, ((b"allow", b"GET, HEAD"),))


async def respond(send: Send, response: Response, *, with_body: bool = True) -> None:
    """Send a response; without its body for HEAD."""
    headers = [
        (b"content-type", response.media_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        (b"cache-control", b"no-store"),
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body if with_body else b""})
