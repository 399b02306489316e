"""What an HTTP request asks of the store: where an INSERT ends and its data begins; bodies."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import lz4.frame  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import StartError, TooLarge, Undecodable, UnsupportedFormat
from costspan.store.body import collect, decompress
from costspan.store.endpoint import Endpoint
from costspan.store.process import EmbeddedStore
from costspan.store.query import (
    Statement,
    answer_format,
    bound_parameters,
    from_file,
    settings,
    statement,
)


@pytest.mark.parametrize(
    ("url", "body", "expected"),
    [
        ("", b"SELECT 1", Statement(b"SELECT 1")),
        ("SELECT 1", b"", Statement(b"SELECT 1\n")),
        ("SELECT 1", b"FORMAT CSV", Statement(b"SELECT 1\nFORMAT CSV")),
        ("", b"INSERT INTO t FORMAT CSV\n1\n", Statement(b"INSERT INTO t ", "CSV", b"1\n")),
        ("", b"insert into t format CSV 1", Statement(b"insert into t ", "CSV", b"1")),
        ("", b"INSERT INTO t FORMAT CSV\r\n1", Statement(b"INSERT INTO t ", "CSV", b"1")),
        ("", b"INSERT INTO t FORMAT CSV\n\n1", Statement(b"INSERT INTO t ", "CSV", b"\n1")),
        ("INSERT INTO t FORMAT CSV", b"\n1", Statement(b"INSERT INTO t ", "CSV", b"\n1")),
        (
            "",
            b"/* FORMAT x */ INSERT -- FORMAT y\nINTO `FORMAT` (format) FORMAT Native\n;;",
            Statement(
                b"/* FORMAT x */ INSERT -- FORMAT y\nINTO `FORMAT` (format) ", "Native", b";;"
            ),
        ),
        ("", b"INSERT INTO t VALUES (1)", Statement(b"INSERT INTO t VALUES (1)")),
        ("INSERT INTO t VALUES", b"(1)", Statement(b"INSERT INTO t VALUES\n(1)")),
        ("", b"INSERT INTO t SELECT 1 FORMAT x", Statement(b"INSERT INTO t SELECT 1 FORMAT x")),
        ("", b"SELECT 'INSERT INTO t FORMAT CSV'", Statement(b"SELECT 'INSERT INTO t FORMAT CSV'")),
    ],
)
def test_a_statement_is_cut_where_its_data_begins(
    url: str, body: bytes, expected: Statement
) -> None:
    """Only behind the FORMAT of an INSERT with data, whatever quotes and comments hold."""
    assert statement(url, body) == expected


@given(st.binary())
def test_data_is_never_touched(data: bytes) -> None:
    """Whatever the bytes are, they reach the engine as they came, by URL or by body."""
    inline = statement("", b"INSERT INTO t FORMAT Native\n" + data)
    separate = statement("INSERT INTO t FORMAT Native", data)

    assert inline == separate == Statement(b"INSERT INTO t ", "Native", data)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (b"SELECT 1", "Default"),
        (b"SELECT 1 format JSON ;\n", "JSON"),
        (b"SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        (b"SELECT formatDateTime(now(), 'FORMAT x')", "Default"),
    ],
)
def test_the_format_of_the_answer_is_the_named_one(sql: bytes, expected: str) -> None:
    """At the end of the query, else the default of the request."""
    assert answer_format(sql, "Default") == expected


def test_parameters_are_sorted_by_whom_they_speak_to() -> None:
    """Settings to the engine, values to placeholders, the rest to the server."""
    parameters = {"max_threads": "1", "param_x": "5", "query_id": "q", "user": "u", "database": "d"}

    assert settings(parameters) == {"max_threads": "1"}
    assert bound_parameters(parameters) == {"x": "5"}


@pytest.mark.parametrize("name", ["", "a b", "a=1, b", "ä", "1a"])
def test_what_is_no_name_is_no_setting(name: str) -> None:
    """A name goes into SQL, so it has to be a name."""
    with pytest.raises(ValueError, match="name of a setting"):
        settings({name: "1"})


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("lz4", lz4.frame.compress)],
)
def test_a_body_is_decompressed_up_to_the_limit(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """What fits comes back; a bomb, a cut body and another coding are refused."""
    packed = pack(b"x" * 1000)

    assert decompress(packed, encoding, 1000) == b"x" * 1000
    with pytest.raises(TooLarge):
        decompress(packed, encoding, 999)
    with pytest.raises(Undecodable):
        decompress(packed[:-6], encoding, 1000)
    with pytest.raises(Undecodable):
        decompress(b"no such thing", encoding, 1000)
    with pytest.raises(UnsupportedFormat, match="got 'br'"):
        decompress(packed, "br", 1000)


def test_a_body_is_not_collected_beyond_the_limit() -> None:
    """The reading stops: the rest of a large body is never in memory."""
    sent = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(100):
            sent.append(number)
            yield b"x" * 10

    with pytest.raises(TooLarge):
        asyncio.run(collect(chunks(), 25))
    assert len(sent) == 3


def test_an_endpoint_is_a_dsn_with_its_password_escaped() -> None:
    """What another process needs to attach."""
    assert Endpoint("::1", 5, "default", "a/b@c", 1).dsn("db") == (
        "clickhouse://default:a%2Fb%40c@[::1]:5/db"
    )


def test_a_store_that_was_not_started_has_no_address(tmp_path: Path) -> None:
    """Asking too early is a sentence; stopping what never ran is nothing."""
    store = EmbeddedStore(tmp_path)
    with pytest.raises(StartError, match="has not been started"):
        _ = store.dsn
    store.stop()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (b"INSERT INTO t (a)", "INSERT INTO t (a) FROM INFILE '/f' COMPRESSION 'none'  FORMAT X"),
        (
            b"INSERT INTO `SETTINGS` SETTINGS n = 1 ",
            "INSERT INTO `SETTINGS`  FROM INFILE '/f' COMPRESSION 'none' SETTINGS n = 1  FORMAT X",
        ),
    ],
)
def test_data_may_come_from_a_file(sql: bytes, expected: str) -> None:
    """Settings stand behind the file; a quoted name is none."""
    assert from_file(Statement(sql, "X"), "/f") == expected
