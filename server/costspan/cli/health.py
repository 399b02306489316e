"""`costspan health`: ask the running process whether it takes spans.

Standard library only, unless --config asks for more: a container starts this every few seconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections.abc import Sequence

from costspan.cli.endpoint import BASE, ask, configured, is_http
from costspan.cli.exits import Exit

_PATH = "/healthz/ready"


def main(arguments: Sequence[str]) -> int:
    """Print what the health endpoint says; returns 0 if it is ready, else 4."""
    options = _parser().parse_args(arguments)
    endpoint = options.endpoint or configured(options.config) + _PATH
    try:
        status, answer = ask(endpoint, _PATH, "?verbose")
    except (OSError, http.client.HTTPException) as error:
        print(f"costspan: {endpoint} does not answer: {error}", file=sys.stderr)
        return Exit.UNREACHABLE
    ready = status == http.client.OK
    body = answer.decode(errors="replace").rstrip("\n")
    if options.json:
        shown = {"schema": "costspan.health/v1", "ready": ready, "status": status, "body": body}
        print(json.dumps(shown))
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
    where.add_argument("--endpoint", type=_http_url, help=f"default: {BASE}{_PATH}")
    where.add_argument(
        "--config", metavar="FILE|env:VAR", help="ask where this configuration listens"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


def _http_url(text: str) -> str:
    if not is_http(text):
        raise argparse.ArgumentTypeError(f"expected an http:// URL, saw {text!r}")
    return text
