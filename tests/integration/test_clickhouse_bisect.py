"""Spans that a table refuses, followed down to the span: the others are there, once."""

from __future__ import annotations

from collections import Counter

import pytest
from clickhouse_connect.driver.client import Client

from costspan.clock import SystemClock
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.exporter.clickhouse.inserts import NATIVE, OTLP
from costspan.exporter.runner import Runner, join_all
from costspan.journal.memory import MemoryJournal
from costspan.model import Frame, ReaderSpec
from costspan.telemetry import Telemetry
from costspan.testing import request, span
from integration.running_store import RunningStore, spans_frame
from records import NOW, call

SECOND = 10**9


def frame(first: int, spans: int, *, bad: frozenset[int]) -> Frame:
    """Spans with an id each and a call each; some have a name that the table refuses."""
    ids = range(first, first + spans)
    made = [
        span(start_ns=NOW, span_id=n.to_bytes(8, "big"), name="bad" if n in bad else "good")
        for n in ids
    ]
    calls = [call(ordinal=at, span_id=n.to_bytes(8, "big")) for at, n in enumerate(ids)]
    return spans_frame(request(*made), seq=0, calls=calls, items=spans)


def ids_of(client: Client, table: str) -> Counter[int]:
    found = client.query(f"SELECT SpanId FROM {table}").result_rows  # noqa: S608  a literal
    return Counter(int(row[0], 16) for row in found)


@pytest.mark.parametrize("strategy", [OTLP, NATIVE])
def test_a_span_that_its_table_refuses_takes_nobody_along(
    store: RunningStore, database: str, strategy: str
) -> None:
    """Of three requests two hold one each: those two end as dead letters, all others as rows."""
    telemetry = Telemetry()
    destination = ClickHouse(
        "clickhouse", store.dsn_of(database), telemetry, writer="w", strategy=strategy
    )
    destination.open()
    client = store.client(database)
    client.command("ALTER TABLE otel_traces ADD CONSTRAINT c CHECK SpanName != 'bad'")
    spec = ReaderSpec("clickhouse", destination.takes, "drop_oldest")
    clock = SystemClock()
    journal = MemoryJournal([spec], 1 << 24, telemetry, clock)
    bad = frozenset({7, 40})
    journal.append([frame(1, 16, bad=bad), frame(17, 16, bad=bad), frame(33, 16, bad=bad)])
    runner = Runner(destination, journal, telemetry, clock, linger=0)
    runner.start()
    runner.drain(clock.monotonic() + 60 * SECOND)
    left = join_all([runner])

    assert left == 0
    assert ids_of(client, "otel_traces") == Counter(set(range(1, 49)) - bad)
    assert set(ids_of(client, "llm_calls FINAL")) == set(range(1, 49))
    assert max(ids_of(client, "llm_calls FINAL").values()) == 1
    assert telemetry.dead_lettered.exact("clickhouse", "traces", "constraint") == 2
    assert telemetry.sent.exact("clickhouse", "traces") == 46
