"""`/metrics`: the exposition of a collector, in the format that the scraper asks for."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from costspan.web.asgi import NOT_FOUND, READ_ONLY, Response, respond

_log = logging.getLogger(__name__)
_PATHS = ("/metrics", "/")


def metrics_app(collector: Collector) -> ASGIApp:
    """The app to serve on 9464: our metrics and those of the process (CPU, memory, files)."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    # thousands of series take tens of milliseconds: off the loop, one scrape at a time
    scrapes = ThreadPoolExecutor(1, "metrics")

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] not in _PATHS:
            await respond(send, NOT_FOUND)
        elif scope["method"] not in ("GET", "HEAD"):
            await respond(send, READ_ONLY)
        else:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(scrapes, _render, registry, accept)
            await respond(send, response, with_body=scope["method"] == "GET")

    return app


def _render(registry: CollectorRegistry, accept: str) -> Response:
    encode, media_type = choose_encoder(accept)
    try:
        return Response(200, encode(registry), media_type)
    except Exception:  # noqa: BLE001 (the boundary: a scrape is answered whatever happens)
        _log.exception("the metrics could not be rendered")
        return Response(500, b"the metrics could not be rendered; the log says why\n")
