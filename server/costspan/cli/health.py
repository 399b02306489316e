"""`costspan health`: ask the running process whether it takes spans.

Standard library only, unless --config asks for more: a container starts this every few seconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from costspan.cli.exits import Exit

ENDPOINT = "http://127.0.0.1:13133/healthz/ready"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where to ask, not where to bind
_TIMEOUT_SECONDS = 3.0  # below the container health check's own limit


def main(arguments: Sequence[str]) -> int:
    """Print what the health endpoint says; returns 0 if it is ready, else 4."""
    options = _parser().parse_args(arguments)
    endpoint = options.endpoint or _configured(options.config)
    try:
        status, body = _ask(endpoint)
    except (OSError, http.client.HTTPException) as error:
        print(f"costspan: {endpoint} does not answer: {error}", file=sys.stderr)
        return Exit.UNREACHABLE
    ready = status == http.client.OK
    if options.json:
        answer = {"schema": "costspan.health/v1", "ready": ready, "status": status, "body": body}
        print(json.dumps(answer))
    else:
        print(body)
    return Exit.OK if ready else Exit.UNREACHABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="costspan health",
        description="Ask a running costspan whether it takes spans: exit code 0, else 4.",
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--endpoint", type=_http_url, help=f"default: {ENDPOINT}")
    where.add_argument(
        "--config", metavar="FILE|env:VAR", help="ask where this configuration listens"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


def _configured(source: str | None) -> str:
    """Where the process that runs on `source` listens, even if the source is faulty."""
    if source is None:
        return ENDPOINT
    # only now: the configuration costs five times as much as the question
    from costspan.config import Address, passthrough, process_environment  # noqa: PLC0415

    bound = passthrough(source, process_environment()).extensions.health_check.endpoint
    return f"http://{Address(_ANY_ADDRESS.get(bound.host, bound.host), bound.port)}/healthz/ready"


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname:
        raise argparse.ArgumentTypeError(f"expected an http:// URL, saw {text!r}")
    return text


def _ask(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", f"{parts.path or '/healthz/ready'}?verbose")
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace").rstrip("\n")
    finally:
        connection.close()
