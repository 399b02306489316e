"""Inserts that are sent again: at once, by the next process, half done. No table holds a double."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from costspan.exporter.clickhouse.connection import Connection
from costspan.exporter.clickhouse.dsn import parse_dsn
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.exporter.clickhouse.inserts import NATIVE, OTLP, Inserts
from costspan.model import (
    CALL_ROWS,
    OWN,
    TRACE_TOTALS,
    Frame,
    encode_calls,
    encode_totals,
)
from costspan.telemetry import Telemetry
from costspan.testing import request, span
from integration.running_store import RunningStore, count, spans_frame
from records import NOW, call, totals

DAY = 86_400 * 10**9
TABLES = ("otel_traces", "otel_traces_trace_id_ts", "llm_calls", "trace_totals_parts")
WRITER = "journal-1"


@pytest.fixture(params=[OTLP, NATIVE])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Place:
    """A database without merges, so that every row that was written can be counted."""

    def __init__(self, store: RunningStore, database: str, strategy: str) -> None:
        self.dsn = store.dsn_of(database)
        self.strategy = strategy
        self.telemetry = Telemetry()
        self.process = self.new_process()
        self.process.open()
        self.client = store.client(database)
        for table in TABLES:
            self.client.command(f"SYSTEM STOP MERGES {table}")

    def new_process(self) -> ClickHouse:
        """A destination that knows nothing of the one before; the journal is the same."""
        return ClickHouse(
            "clickhouse", self.dsn, self.telemetry, writer=WRITER, strategy=self.strategy
        )

    def restart(self) -> None:
        self.process.close()
        self.process = self.new_process()

    def rows(self) -> list[int]:
        return [count(self.client, table) for table in TABLES]


@pytest.fixture
def place(store: RunningStore, database: str, strategy: str) -> Iterator[Place]:
    made = Place(store, database, strategy)
    yield made
    made.process.close()


def frames() -> list[Frame]:
    """Spans of two traces and two days, with their calls."""
    first = [
        span(start_ns=NOW - n % 2 * DAY, trace_id=bytes([1 + n % 2] * 16), span_id=bytes([n] * 8))
        for n in range(1, 7)
    ]
    calls = [call(span_id=bytes([n] * 8), start_ns=NOW - n % 2 * DAY) for n in range(1, 7)]
    return [
        spans_frame(request(*first), seq=4, calls=calls, items=6),
        spans_frame(request(span(start_ns=NOW, span_id=b"\x0a" * 8)), seq=5),
    ]


def own_frames() -> list[list[Frame]]:
    corrections = encode_calls([call(version=9), call(version=9, span_id=b"\x04" * 8)])
    snapshots = encode_totals([totals(), totals(version=9)])
    return [
        [Frame(6, NOW, CALL_ROWS, OWN, (), corrections, b"", 0)],
        [Frame(7, NOW, TRACE_TOTALS, OWN, (), snapshots, b"", 0)],
    ]


def test_a_round_that_is_repeated_doubles_no_row_of_any_table(place: Place) -> None:
    """Its answer was lost, or the process died between insert and commit: the same rows."""
    rounds = [frames(), *own_frames()]
    for group in rounds:
        place.process.deliver(group)
    once = place.rows()
    for group in rounds:
        place.process.deliver(group)
    place.restart()
    for group in rounds:
        place.process.deliver(group)

    assert once[0] == 7
    assert once[2:] == [6 + 2, 1]  # of two versions in one insert the newer is written
    assert place.rows() == once


def test_a_delivery_of_which_a_part_was_written_is_completed(place: Place) -> None:
    """The calls went in and the spans did not: the next attempt adds the spans alone."""
    connection = Connection(parse_dsn(place.dsn), 30.0)
    connection.use_database()
    connection.insert(next(Inserts(WRITER, NATIVE, place.strategy).of(frames())))
    connection.close()
    assert place.rows()[:3] == [0, 0, 6]
    place.restart()
    place.process.deliver(frames())

    assert [place.rows()[0], place.rows()[2]] == [7, 6]
    assert seen_once(place)


def seen_once(place: Place) -> bool:
    """Every span and every call by its id, once."""
    query = "SELECT max(n) FROM (SELECT count() AS n FROM {} GROUP BY TraceId, SpanId)"
    found = [
        place.client.query(query.format(table)).first_row for table in ("otel_traces", "llm_calls")
    ]
    return found == [(1,), (1,)]


def test_halves_of_a_group_are_inserts_of_their_own(place: Place) -> None:
    """After a refusal the halves are written, and repeated, without a double."""
    both = frames()
    for _ in range(2):
        for half in (both[:1], both[1:]):
            place.process.deliver(half)

    assert [place.rows()[0], place.rows()[2]] == [7, 6]
    assert seen_once(place)


def spread(seq: int, days: int) -> Frame:
    """A span a day, far into the future: they outlive the TTL."""
    spans = [span(start_ns=NOW + n * DAY, span_id=(n + 1).to_bytes(8, "big")) for n in range(days)]
    calls = [call(start_ns=NOW + n * DAY, span_id=(n + 1).to_bytes(8, "big")) for n in range(days)]
    return spans_frame(request(*spans), seq=seq, calls=calls, items=days)


def test_clocks_all_over_the_place_are_written_in_parts(place: Place) -> None:
    """ClickHouse takes 100 days an insert (code 252): more come in parts, repeated ones too."""
    frame = spread(1, 250)
    place.process.deliver([frame])
    place.restart()
    place.process.deliver([frame])

    assert [place.rows()[0], place.rows()[2]] == [250, 250]
    assert seen_once(place)
    assert place.telemetry.clickhouse_rows.exact("clickhouse", "otel_traces") == 500


def test_a_server_that_is_upgraded_under_way_is_sent_the_same_bytes(
    store: RunningStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans that an older server may have written are not encoded anew for a newer one."""
    client = store.client(database)
    process = ClickHouse("clickhouse", store.dsn_of(database), Telemetry(), writer=WRITER)
    spans = [span(start_ns=NOW, span_id=n.to_bytes(8, "big")) for n in range(1, 601)]
    frame = spans_frame(request(*spans), items=600)
    for version in ("25.3.1.1", "26.1.1.1"):
        monkeypatch.setattr(Connection, "version", version)
        process.deliver([frame])
        process.close()

    assert count(client, "otel_traces") == 600
