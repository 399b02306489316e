"""What an HTTP request asks of the store: pure text work, no engine, no I/O.

ClickHouse takes the query from the URL, from the body, or from both (joined by a line feed); an
INSERT's data follows its FORMAT. The engine has a door of its own for such data, so a statement is
cut there. https://clickhouse.com/docs/interfaces/http
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_TOKEN = re.compile(
    rb"""\s+ | --[^\n]* | /\*.*?\*/                                   # nothing
       | '(?:[^'\\]|\\.)*' | `(?:[^`\\]|\\.)*` | "(?:[^"\\]|\\.)*"    # quoted
       | \w+ | .""",
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(rb"\w+")
_ANSWER_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[^']*)?;?\s*\Z", re.IGNORECASE)
_SETTING = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)

# Parameters that speak to the HTTP server, not to the engine. Sessions, progress headers and
# compressed answers are not offered; a client gets along without them.
_TRANSPORT = frozenset(
    {
        "buffer_size",
        "cancel_http_readonly_queries_on_client_close",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)


class Statement(NamedTuple):
    """One statement. With `data_format` it is an INSERT whose `data` goes in by the other door."""

    sql: bytes
    data_format: str = ""
    data: bytes = b""


def statement(url_query: str, body: bytes) -> Statement:
    """The statement that a URL and a body make together."""
    query = url_query.encode()
    if not query:
        return _cut(body, None)
    return _cut(query, body)


def _cut(query: bytes, body: bytes | None) -> Statement:
    """Cut an INSERT behind its FORMAT; anything else stays whole."""
    separate = b"" if body is None else body
    end = _insert_end(query)
    if end is None:
        return Statement(query if body is None else query + b"\n" + body)
    head, data_format, rest = end
    return Statement(head, data_format, _after_format(rest) + separate)


def _insert_end(query: bytes) -> tuple[bytes, str, bytes] | None:
    """(head, format, rest) of an INSERT that is followed by data; None for any other statement."""
    words = _words(query)
    if next(words, (b"", 0))[0] != b"INSERT":
        return None
    for word, start in words:
        if word in (b"VALUES", b"SELECT", b"WITH", b"FROM"):
            return None
        if word == b"FORMAT":
            name = _WORD.search(query, start + len(word))
            if name is None:
                return None
            return query[:start], name.group().decode(), query[name.end() :]
    return None


def from_file(statement: Statement, path: str) -> str:
    """The INSERT with its data in a file; settings have to stand behind the file's name."""
    sql = statement.sql
    at = next((start for word, start in _words(sql) if word == b"SETTINGS"), len(sql))
    head, settings = sql[:at].decode(), sql[at:].decode()
    source = f"FROM INFILE '{path}' COMPRESSION 'none'"
    return f"{head} {source} {settings} FORMAT {statement.data_format}"


def _words(query: bytes) -> Iterator[tuple[bytes, int]]:
    """Bare words outside of parentheses, in capitals, with their places."""
    depth = 0
    for token in _TOKEN.finditer(query):
        found = token.group()
        if found == b"(":
            depth += 1
        elif found == b")":
            depth -= 1
        elif depth == 0 and _WORD.match(found):
            yield found.upper(), token.start()


def _after_format(rest: bytes) -> bytes:
    """Inline data begins after the line feed, or after blanks if there is none."""
    start = 0
    while rest[start : start + 1] in (b" ", b"\t", b"\r"):
        start += 1
    return rest[start + 1 :] if rest[start : start + 1] == b"\n" else rest[start:]


def answer_format(sql: bytes, default: str) -> str:
    """The format in which the answer comes."""
    named = _ANSWER_FORMAT.search(sql)
    return named.group(1).decode() if named else default


def bound_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Values of `{name:Type}` placeholders: what came as `param_name`."""
    return {
        name.removeprefix("param_"): value
        for name, value in parameters.items()
        if name.startswith("param_")
    }


def settings(parameters: Mapping[str, str]) -> dict[str, str]:
    """Settings for the engine. Raises ValueError for a name that can't be one."""
    found = {
        name: value
        for name, value in parameters.items()
        if name not in _TRANSPORT and not name.startswith("param_")
    }
    for name in found:
        if not _SETTING.match(name):
            raise ValueError(f"expected the name of a setting, got {name!r}")
    return found
