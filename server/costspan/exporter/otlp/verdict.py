"""What the answer of an OTLP peer means for the bytes that were sent: one table per transport.

Only what is listed as CONTENT, SENDER or DOUBTFUL may end as a dead letter. A login that is refused
is tried again like a peer that is down: an operator can mend it, and until then the journal waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

import grpc

from costspan.errors import Permanent, Refused, Retryable, TooLarge, Unreachable

Verdict: TypeAlias = Permanent | Retryable

LATER, LOGIN = "later", "login"
CONTENT, SENDER, DOUBTFUL = Refused.CONTENT, Refused.SENDER, Refused.DOUBTFUL

# opentelemetry-proto, docs/specification.md, "Failures". Beyond it: RESOURCE_EXHAUSTED should need
# RetryInfo, but a Collector behind a memory limiter forgets it (Collector issue 15126). What is not
# listed is DOUBTFUL: INTERNAL and UNKNOWN are what gRPC says of a broken stream and of a proxy's
# page (grpc, doc/http-grpc-status-mapping.md), and what a server says whose handler raised.
_GRPC: Mapping[grpc.StatusCode, str] = {
    grpc.StatusCode.CANCELLED: LATER,
    grpc.StatusCode.DEADLINE_EXCEEDED: LATER,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LATER,
    grpc.StatusCode.ABORTED: LATER,
    grpc.StatusCode.OUT_OF_RANGE: LATER,
    grpc.StatusCode.UNAVAILABLE: LATER,
    grpc.StatusCode.DATA_LOSS: LATER,
    grpc.StatusCode.UNAUTHENTICATED: LOGIN,
    grpc.StatusCode.PERMISSION_DENIED: LOGIN,
    grpc.StatusCode.INVALID_ARGUMENT: CONTENT,
    grpc.StatusCode.UNIMPLEMENTED: SENDER,
    grpc.StatusCode.NOT_FOUND: SENDER,
}
# The specification retries 429, 502, 503 and 504. So does this, and other 5xx: those of proxies
# (520 to 530) say that the peer was not reached.
_HTTP: Mapping[int, tuple[str, str]] = {
    400: (CONTENT, "invalid_argument"),
    401: (LOGIN, "unauthenticated"),
    403: (LOGIN, "permission_denied"),
    404: (SENDER, "not_found"),
    405: (SENDER, "unimplemented"),
    407: (LOGIN, "proxy_authentication"),
    408: (LATER, "deadline_exceeded"),
    415: (SENDER, "unimplemented"),
    422: (CONTENT, "invalid_argument"),
    425: (LATER, "unavailable"),
    429: (LATER, "throttled"),
    500: (DOUBTFUL, "internal"),
    501: (SENDER, "unimplemented"),
}
_TOO_LARGE_STATUS = 413
_CLIENT_ERROR, _SERVER_ERROR = 400, 500

# Wordings for "your message is too large": grpc-go and C-core, Java, tonic (as OUT_OF_RANGE), Go's
# HTTP server (the Collector's receiver makes it a 400).
_TOO_LARGE_TEXTS = (
    "larger than max",
    "exceeds maximum size",
    "message length too large",
    "request body too large",
)
_LIMIT = re.compile(r"(?:\d vs\. |exceeds maximum size |the limit is: )(\d+)")


def of_grpc(code: grpc.StatusCode, text: str, after: float | None, *, forwarded: bool) -> Verdict:
    """`after`: seconds of the answer's RetryInfo, None if it has none; 0 is an answer too.

    `forwarded`: the request carried headers of a client.
    """
    sentence = f"{code.name}: {text}" if text else code.name
    if after is None and _says_too_large(text):
        return TooLarge(sentence, _limit(text))
    kind = _GRPC.get(code, DOUBTFUL)
    return _verdict(kind, sentence, code.name.lower(), after or 0.0, forwarded=forwarded)


def of_http(status: int, text: str, after: float, *, forwarded: bool) -> Verdict:
    """The same for an answer outside 2xx; `after`: seconds of its Retry-After, else 0."""
    sentence = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    kind, reason = _HTTP.get(status) or _unlisted(status)
    final = kind not in (LATER, LOGIN)
    if status == _TOO_LARGE_STATUS or (final and _says_too_large(text)):
        return TooLarge(sentence, _limit(text))
    return _verdict(kind, sentence, reason, after, forwarded=forwarded)


def _unlisted(status: int) -> tuple[str, str]:
    if status >= _SERVER_ERROR:
        return LATER, "unavailable"
    # below 400: a redirect, which would send the data to somebody whom nobody has configured
    return (DOUBTFUL if status >= _CLIENT_ERROR else SENDER), f"http_{status}"


def _verdict(kind: str, sentence: str, reason: str, after: float, *, forwarded: bool) -> Verdict:
    if kind == LOGIN and forwarded:
        # a client's own login or tenant: nobody can mend it in a request that was acked, and
        # waiting for it would hold up all the other clients
        return Refused(sentence, reason, SENDER)
    if kind in (LATER, LOGIN):
        return Unreachable(sentence, after, reason)
    return Refused(sentence, reason, kind)


def _says_too_large(text: str) -> bool:
    return any(known in text for known in _TOO_LARGE_TEXTS)


def _limit(text: str) -> int:
    """The limit in bytes that the text names, else 0."""
    found = _LIMIT.search(text)
    return int(found[1]) if found else 0
