"""`costspan health`: ask the running process whether it takes spans. Standard library only."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from costspan.cli.exits import Exit

ENDPOINT = "http://127.0.0.1:13133/healthz/ready"
_TIMEOUT_SECONDS = 3.0  # below the container health check's own limit


def main(arguments: Sequence[str]) -> int:
    """Print what the health endpoint says; returns 0 if it is ready, else 4."""
    options = _parser().parse_args(arguments)
    try:
        status, body = _ask(options.endpoint)
    except (OSError, http.client.HTTPException) as error:
        print(f"costspan: {options.endpoint} does not answer: {error}", file=sys.stderr)
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
    parser.add_argument("--endpoint", default=ENDPOINT, type=_http_url, help=f"default: {ENDPOINT}")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


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
