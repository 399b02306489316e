"""`/debug/...`: what `costspan doctor` and `costspan trace` ask for. To its own host only."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from costspan.web.asgi import JSON, NOT_FOUND, READ_ONLY, TEXT, Response, respond

SURVEY = "/debug/survey"
TRACE = "/debug/trace/"  # and a trace id
_ELSEWHERE = Response(
    403,
    b"what is asked for names services and spans: ask from the same host or pod\n",
    TEXT,
)

Page = Callable[[str], bytes | None]
"""What stands in the path behind the page's own -> JSON, or None if there is no such thing."""


def debug_app(pages: Mapping[str, Page], others: ASGIApp) -> ASGIApp:
    """Answers the paths that begin like a page's; every other path is for `others`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        begin = next((begin for begin in pages if path.startswith(begin)), None)
        if begin is None:
            await others(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await respond(send, READ_ONLY)
        elif not _is_here(scope):
            await respond(send, _ELSEWHERE)
        else:
            # it may wait for a long trace to be looked at: off the loop, which answers probes
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(None, pages[begin], path.removeprefix(begin))
            response = NOT_FOUND if body is None else Response(200, body, JSON)
            await respond(send, response, with_body=scope["method"] == "GET")

    return app


def _is_here(scope: Scope) -> bool:
    """Whether the client has a loopback address, or the one that it has reached."""
    client, server = (scope.get(side) or ("",) for side in ("client", "server"))
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback) or client[0] == server[0]
