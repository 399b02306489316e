"""The DSN, the verdict on an error code, the way for a version, and how frames are grouped."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from costspan.errors import ConfigError, CostspanError, Refused, StartError, Unreachable
from costspan.exporter.clickhouse.dsn import parse_dsn
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.exporter.clickhouse.inserts import NATIVE, OTLP, strategy_for, way_of
from costspan.exporter.clickhouse.verdict import verdict
from costspan.model import CALL_ROWS, OWN, SOLO, TRACES, Frame
from costspan.telemetry import Telemetry
from costspan.testing import request, span


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clickhouse://h", ("h", 8123, "default", "", "otel", False, "none")),
        ("clickhouses://h", ("h", 8443, "default", "", "otel", True, "none")),
        ("clickhouse://u:p%40ss@h:9/db", ("h", 9, "u", "p@ss", "db", False, "none")),
        ("clickhouse://[::1]:9?compression=lz4", ("::1", 9, "default", "", "otel", False, "lz4")),
    ],
)
def test_a_dsn_is_read(text: str, expected: tuple[str | int, ...]) -> None:
    """Defaults, percent-encoding, IPv6, TLS by scheme."""
    assert astuple(parse_dsn(text)) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("http://h", "got scheme 'http'"),
        ("clickhouse://", "host None"),
        ("clickhouse://h:port", "expected clickhouse://"),
        ("clickhouse://h?secure=1", "not 'secure'"),
        ("clickhouse://h?compression=br", "got 'br'"),
    ],
)
def test_a_wrong_dsn_is_refused_when_it_is_configured(text: str, sentence: str) -> None:
    """The sentence says what was expected and what was seen."""
    with pytest.raises(ConfigError, match=r"expected|takes") as fault:
        ClickHouse("clickhouse", text, Telemetry())
    assert sentence in str(fault.value)


def test_a_password_does_not_show() -> None:
    """Neither in a repr nor in what a log makes of it."""
    assert "secret" not in repr(parse_dsn("clickhouse://u:secret@h"))


@pytest.mark.parametrize(
    ("code", "text", "kind", "reason"),
    [
        (None, "connection refused", Unreachable, "unreachable"),
        (241, "memory", Unreachable, "memory"),
        (252, "Too many parts (300)", Unreachable, "too_many_parts"),
        (252, "Too many partitions for single INSERT block", Refused, "too_many_partitions"),
        (60, "no table", Unreachable, "schema_drift"),
        (516, "password", Unreachable, "login"),
        (53, "type", Refused, "type_mismatch"),
        (190, "arrays", Refused, "array_sizes"),
        (9999, "from the future", Unreachable, "server_error"),
        (452, "Setting x should not be changed", Unreachable, "settings"),
        (6, "x: while pushing to view `a b`.`c.d` (uuid)", Unreachable, "view"),
        (6, "x: while pushing to view db.otel_traces_otlp_mv", Refused, "cannot_parse"),
        (None, "h:1 answered with HTTP status 403", Unreachable, "login"),
    ],
)
def test_an_error_code_has_one_verdict(
    code: int | None, text: str, kind: type[CostspanError], reason: str
) -> None:
    """The data's fault is final, the server's is not, and what is unknown is tried again."""
    found = verdict(code, text)

    assert isinstance(found, kind)
    assert isinstance(found, Refused | Unreachable)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("version", "way"),
    [("25.6.1.1", OTLP), ("26.9.2.1", OTLP), ("25.5.9", NATIVE), ("24.12", NATIVE), ("x", NATIVE)],
)
def test_the_version_decides_the_way(version: str, way: str) -> None:
    """A schema can be sent with an insert since 25.6."""
    assert strategy_for(version) == way


def test_structure_and_few_spans_come_as_blocks() -> None:
    """A named way is taken, except where a schema can't name what is in the spans."""
    assert (way_of(PLAIN, 1, OTLP, OTLP), way_of(PAIRS, 10_000, OTLP, OTLP)) == (OTLP, NATIVE)
    assert (way_of(PLAIN, 1, OTLP), way_of(PLAIN, 10_000, OTLP)) == (NATIVE, OTLP)
    assert way_of(PLAIN, 10_000, NATIVE) == NATIVE


def test_a_store_that_is_not_there_yet_is_waited_for() -> None:
    """The callable that gives the DSN may fail for now."""

    def absent() -> str:
        raise StartError("not yet")

    with pytest.raises(Unreachable, match="not yet"):
        ClickHouse("clickhouse", absent, Telemetry()).deliver([frame(1)])


PLAIN = request(span({"a": 1}))
PAIRS = request(span({"a": {"b": 1}}))


def frame(seq: int, body: bytes = PLAIN, signal: str = TRACES, flags: int = 0) -> Frame:
    return Frame(seq, 0, signal, flags, (), body, b"", 1)


def seqs(groups: list[list[Frame]]) -> list[list[int]]:
    return [[item.seq for item in group] for group in groups]


def test_frames_are_grouped_by_what_may_share_an_insert() -> None:
    """By signal, SOLO alone, structure apart; within a group in order; the same for any attempt."""
    destination = ClickHouse("clickhouse", "clickhouse://h", Telemetry())
    frames = [
        frame(1),
        frame(2, b"", CALL_ROWS, OWN),
        frame(3, PAIRS),
        frame(4),
        frame(5, b"?", TRACES, SOLO),
        frame(6, PAIRS),
        frame(7, b"", CALL_ROWS, OWN),
    ]
    groups = destination.group(frames)

    assert seqs(groups) == [[2, 7], [1, 4], [3, 6], [5]]
    assert destination.group(frames) == groups


def test_a_group_is_bounded() -> None:
    """About 4 MiB an insert; a larger frame travels alone."""
    destination = ClickHouse("clickhouse", "clickhouse://h", Telemetry())
    large = request(span({"x": "y" * (3 * 512 * 1024)}))

    assert seqs(destination.group([frame(seq, large) for seq in range(5)])) == [[0, 1], [2, 3], [4]]
