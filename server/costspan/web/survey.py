"""`/debug/survey`: what `costspan doctor` asks a sidecar for. Answered to its own host only."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from costspan.web.asgi import JSON, READ_ONLY, TEXT, Response, respond

PATH = "/debug/survey"
_ELSEWHERE = Response(
    403,
    b"the survey names services and spans: ask from the same host or pod\n",
    TEXT,
)


def survey_app(survey: Callable[[], bytes], others: ASGIApp) -> ASGIApp:
    """Answers that path with `survey()`, which is JSON; every other path is for `others`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await others(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await respond(send, READ_ONLY)
        elif not _is_here(scope):
            await respond(send, _ELSEWHERE)
        else:
            # it may wait for a long trace to be looked at: off the loop, which answers probes
            body = await asyncio.get_running_loop().run_in_executor(None, survey)
            with_body = scope["method"] == "GET"
            await respond(send, Response(200, body, JSON), with_body=with_body)

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
