"""How values are written in the configuration: durations, sizes, addresses. Text only, no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

_MAX_PORT = 65535


class Form(NamedTuple):
    """One way of writing a value. `parse` raises ValueError; the caller says what was expected."""

    name: str  # for the reference page
    expected: str  # completes "expected ..."
    pattern: str  # for the JSON Schema
    parse: Callable[[str], Any]
    render: Callable[[Any], str] = str


class Address(NamedTuple):
    """Where a listener binds. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


# --- durations and sizes -------------------------------------------------------------------------

# Go's ParseDuration, which the Collector uses, without ns and us: nothing here is that short.
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = r"(\d+(\.\d+)?(ms|h|m|s))+"
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")

_UNIT_BYTES = {
    "B": 1, "": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9,
    "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}  # fmt: skip
_SIZE = r"(\d+) ?(B|[kKMG]B|[KMG]iB)?"


def _parse_duration(text: str) -> float:
    if text == "0":
        return 0.0
    if not re.fullmatch(_DURATION, text, re.ASCII):
        raise ValueError(text)
    # to the microsecond: 0.1 s must not become 0.1000000000000000055 s when parts are added
    parts = _DURATION_PART.findall(text)
    return round(sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts), 6)


def _render_duration(seconds: float) -> str:
    for unit in ("h", "m", "s"):
        count = seconds / _UNIT_SECONDS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    milliseconds = round(seconds * 1000, 3)
    return f"{milliseconds:.3f}".rstrip("0").rstrip(".") + "ms" if seconds else "0s"


def _parse_size(text: str) -> int:
    match = re.fullmatch(_SIZE, text, re.ASCII)
    if not match:
        raise ValueError(text)
    return int(match[1]) * _UNIT_BYTES[match[2] or ""]


def _render_size(size: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _UNIT_BYTES[unit] == 0:
            return f"{size // _UNIT_BYTES[unit]}{unit}"
    return f"{size}B"


# --- addresses -----------------------------------------------------------------------------------


# The Collector's charts write [${env:MY_POD_IP}]:13133, right for pods of either family: Go takes
# brackets around an IPv4 address too, urlsplit does not.
_BRACKETED_IPV4 = re.compile(r"\[([\d.]+)\](:\d+)", re.ASCII)


def _parse_address(text: str) -> Address:
    bracketed = _BRACKETED_IPV4.fullmatch(text)
    parts = _split("//" + ("".join(bracketed.groups()) if bracketed else text))
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        raise ValueError(text)
    if not parts.hostname or parts.port is None:
        raise ValueError(text)
    return Address(parts.hostname, parts.port)


def _parse_target(text: str) -> str:
    """A gRPC target. As in the Collector and in SDKs, a scheme decides about TLS."""
    parts = _split(text if "://" in text else f"//{text}")
    if parts.scheme not in ("", "http", "https") or not parts.hostname or parts.port is None:
        raise ValueError(text)
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(text)
    return text.rstrip("/")


def _parse_url(text: str) -> str:
    parts = _split(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(text)
    if parts.query or parts.fragment:
        raise ValueError(text)
    return text.rstrip("/")


def _parse_dsn(text: str) -> str:
    parts = _split(text)
    if parts.scheme not in ("clickhouse", "clickhouses", "http", "https") or not parts.hostname:
        raise ValueError(text)
    return text


def _split(text: str) -> SplitResult:
    """As urlsplit, with whatever is wrong in it raised here and not on a later access."""
    parts = urlsplit(text)
    if (parts.port or 0) > _MAX_PORT or any(c.isspace() for c in text):
        raise ValueError(text)
    return parts


DURATION = Form(
    "duration", "a duration such as 5s, 200ms or 1m30s", f"^(0|{_DURATION})$",
    _parse_duration, _render_duration,
)  # fmt: skip
SIZE = Form(
    "size", "a size such as 16MiB, 1GiB or a number of bytes", f"^{_SIZE}$",
    _parse_size, _render_size,
)  # fmt: skip
ADDRESS = Form("address", "host:port", r"^\S+:\d{1,5}$", _parse_address)
TARGET = Form(
    "gRPC target",
    "host:port, http://host:port or https://host:port (OTLP/gRPC; OTLP/HTTP is otlphttp)",
    r"^(https?://)?[^\s/]+:\d{1,5}/?$",
    _parse_target,
)
URL = Form("URL", "an http:// or https:// URL without a query", r"^https?://\S+$", _parse_url)
DSN = Form(
    "DSN",
    "clickhouse://user@host:8123/database (or clickhouses://, http://, https://: the HTTP"
    " interface, not the native port 9000)",
    r"^(clickhouses?|https?)://\S+$",
    _parse_dsn,
)
