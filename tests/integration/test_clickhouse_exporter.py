"""The ClickHouse destination against a real engine: spans, retries, the schema, trouble."""

from __future__ import annotations

import logging
import re
import threading
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.errors import Unreachable
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.exporter.clickhouse.inserts import NATIVE, OTLP
from costspan.exporter.clickhouse.schema import TRACE_COLUMNS, migrations
from costspan.model import Value
from costspan.telemetry import Telemetry
from costspan.testing import key_values, request, span
from integration.running_store import RunningStore, count, spans_frame
from records import NOW, call

# --- spans ---------------------------------------------------------------------------------------

VALUES: dict[str, Value] = {
    "text": "v",
    "empty": "",
    "long": "x" * 70_000,
    "quotes": 'a"b\\c/d\n\u2028é',
    "zero": 0,
    "negative": -5,
    "large": 2**63 - 1,
    "true": True,
    "false": False,
    "none": None,
    "bytes": b"\x00\xff",
    "texts": ['a/"<b\n\x01\x7f\u2028é', ""],
    "mixed": ["a", 0, True, 2.0, None, b"\xff", -0.5],
    "no items": [],
}
VALUES.update(
    (f"double {value!r}", value)
    for value in (
        1.5e-5, 2.0, 1e21, 1e20, 123456789012345680.0, float("nan"), float("inf"), -float("inf"),
        1e-7, 0.1, -0.0, 5e-324, 1.7976931348623157e308, 1e-6, 9.999e22,
    )
)  # fmt: skip
STRUCTURE: dict[str, Value] = {
    "pairs": {"role": "user", "parts": [{"type": "text", "content": "hé/llo"}], "n": 1.0},
    "no pairs": {},
    "nested": [["a"], [], {"b": b"\x00"}],
}


def many_spans() -> bytes:
    """Spans with every kind of flat value, event, link, id, kind and code, and unknown fields."""
    spans = [
        span(
            VALUES,
            trace_id=bytes([number + 1] * 16),
            span_id=bytes([number] * 8),
            parent_span_id=b"" if number % 2 else bytes(8) if number == 2 else b"\x07" * 8,
            name=f"step {number}",
            kind=number,
            start_ns=NOW + number,
            end_ns=NOW + number + 10 if number != 3 else NOW - 10,
            status=number % 4,
        )
        for number in range(8)
    ]
    spans.append(span({}, start_ns=2**64 - 1, end_ns=0, name="odd clock", trace_id=b"\x09" * 5))
    for number in range(3):
        event = spans[0].events.add(time_unix_nano=NOW + number, name=f"event {number}")
        event.attributes.extend(key_values(VALUES))
        link = spans[0].links.add(trace_id=b"\x05" * 16, span_id=bytes(8), trace_state="a=b")
        link.attributes.extend(key_values({"k": number}))
    spans[1].attributes.extend(key_values({"text": "again", "zero": "again"}))
    spans[1].trace_state, spans[1].status.message = "x=y", "boom"
    spans[1].MergeFromString(b"\xa2\x06\x03new")  # field 100
    return request(*spans, resource={"count": 3, "tags": ["a", "b"]}) + _bare_request()


def _bare_request() -> bytes:
    """No resource, no scope, no service."""
    message = ExportTraceServiceRequest()
    bare: Span = message.resource_spans.add().scope_spans.add().spans.add()
    bare.start_time_unix_nano = bare.end_time_unix_nano = NOW
    return message.SerializeToString()


def rows_of(
    store: RunningStore, database: str, strategy: str, body: bytes
) -> list[tuple[Any, ...]]:
    """What otel_traces holds after one delivery by that way; times as integers."""
    name = f"{database}_{strategy}"[-60:]
    made = ClickHouse("clickhouse", store.dsn_of(name), Telemetry(), strategy=strategy)
    made.deliver([spans_frame(body)])
    made.close()
    columns = ", ".join(f"`{column}`" for column in TRACE_COLUMNS)
    times = "toString(Timestamp), toString(`Events.Timestamp`)"
    query = f"SELECT {times}, {columns} FROM otel_traces ORDER BY Timestamp, SpanName, TraceId"  # noqa: S608  names of ours
    return [tuple(row) for row in store.client(name).query(query).result_rows]


def test_both_ways_make_the_same_rows(store: RunningStore, database: str) -> None:
    """Decoded by ClickHouse or by us: every column of every span is equal."""
    body = many_spans()
    by_clickhouse = rows_of(store, database, OTLP, body)
    by_us = rows_of(store, database, NATIVE, body)

    assert len(by_clickhouse) == 10
    assert [str(row) for row in by_us] == [str(row) for row in by_clickhouse]


def test_spans_look_as_the_collectors_exporter_writes_them(
    destination: ClickHouse, client: Client
) -> None:
    """Names of kinds and codes, hex ids, attributes as text, arrays as JSON, computed costs."""
    made = span(
        {
            "n": 1,
            "on": True,
            "list": ["a", 2],
            "window.financial.total_cost_exact": "123456789012345678.000000000000000001",
            "finops.cache.status": "hit",
        },
        start_ns=NOW,
        end_ns=NOW + 5,
        status=2,
        parent_span_id=b"\xab" * 8,
    )
    delivered = destination.deliver([spans_frame(request(made))])
    row = next(client.query("SELECT *, CostUsd, CacheStatus FROM otel_traces").named_results())

    assert delivered.sent == 1
    assert (row["SpanKind"], row["StatusCode"], row["ServiceName"]) == ("Client", "Error", "app")
    assert (row["TraceId"], row["ParentSpanId"]) == ("01" * 16, "ab" * 8)
    assert (row["SpanAttributes"]["n"], row["SpanAttributes"]["on"]) == ("1", "true")
    assert row["SpanAttributes"]["list"] == '["a",2]'
    assert (row["ScopeName"], row["Duration"], row["CacheStatus"]) == ("test", 5, "hit")
    assert row["CostUsd"] == Decimal("123456789012345678.000000000000000001")


def test_structure_is_kept_as_json(store: RunningStore, database: str) -> None:
    """Pairs and nested arrays become compact JSON, though the server could take OTLP itself."""
    body = request(span(STRUCTURE, start_ns=NOW))
    attributes = rows_of(store, database, OTLP, body)[0][2 + TRACE_COLUMNS.index("SpanAttributes")]

    assert attributes == {
        "pairs": '{"n":1,"parts":[{"content":"hé/llo","type":"text"}],"role":"user"}',
        "no pairs": "{}",
        "nested": '[["a"],[],{"b":"AA=="}]',
    }


@pytest.mark.parametrize("strategy", [OTLP, NATIVE])
def test_a_delivery_that_is_sent_again_makes_no_double(
    store: RunningStore, database: str, strategy: str
) -> None:
    """The same frames twice are one set of rows everywhere, a later equal batch is another."""
    made = ClickHouse("clickhouse", store.dsn_of(database), Telemetry(), strategy=strategy)
    client = store.client(database)
    frames = [
        spans_frame(request(span(start_ns=NOW)), seq=seq, calls=[call(span_id=bytes([seq] * 8))])
        for seq in (4, 5)
    ]
    for _ in range(3):
        made.deliver(frames)
    once = [count(client, "otel_traces"), count(client, "llm_calls"), _looked_up(client)]
    made.deliver([spans_frame(request(span(start_ns=NOW)), seq=6)])
    made.close()

    assert once == [2, 2, 1]
    assert count(client, "otel_traces") == 3


def _looked_up(client: Client) -> int:
    query = "SELECT count() FROM otel_traces_trace_id_ts WHERE Start > now() - INTERVAL 1 HOUR"
    return int(client.query(query).result_rows[0][0])


# --- the schema and the server -------------------------------------------------------------------


def test_the_schema_is_applied_once(
    destination: ClickHouse, store: RunningStore, database: str
) -> None:
    """Every file is noted with its number; a second sidecar finds nothing to do."""
    frame = spans_frame(request(span(start_ns=NOW)))
    destination.deliver([frame])
    second = ClickHouse("second", store.dsn_of(database), Telemetry())
    second.deliver([frame._replace(seq=2)])
    second.close()

    rows = store.client(database).query(
        "SELECT Version, Name FROM costspan_schema ORDER BY Version"
    )
    assert rows.result_rows == [(m.version, m.name) for m in migrations()[1:]]


def test_tables_of_an_earlier_version_gain_the_columns_that_it_lacked(
    store: RunningStore, database: str, destination: ClickHouse
) -> None:
    """Its rows stay, at the cost that they had; the views show the new columns too."""
    client = store.client()
    client.command(f"CREATE DATABASE {database}")
    client.database = database
    for old in (m for m in migrations() if m.version < 10):
        later = r"    (Effective|Showback)CostUsd.*\n"
        later += r"|    Dimensions.*\n" * (old.name == "008_trace_totals_parts")
        client.command(re.sub(later, "", old.sql))
    client.command("INSERT INTO llm_calls (Timestamp, SpanId, CostUsd) VALUES (now(), 'old', 2)")
    client.command("INSERT INTO trace_totals_parts (Arrived, CostUsd) VALUES (now(), 3)")
    destination.deliver([spans_frame(request(span(start_ns=NOW)))])

    calls = client.query("SELECT EffectiveCostUsd, ShowbackCostUsd FROM llm_calls_latest")
    assert calls.result_rows == [(Decimal(2), None)]
    totals = client.query("SELECT CostUsd, EffectiveCostUsd, Dimensions FROM trace_totals")
    assert totals.result_rows == [(Decimal(3), Decimal(3), {})]


def test_tables_of_others_are_judged_and_not_altered(
    store: RunningStore, database: str, destination: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that lacks columns: the log says which, its data waits, nothing is altered."""
    client = store.client()
    client.command(f"CREATE DATABASE {database}")
    client.database = database
    columns = "Timestamp DateTime64(9), TraceId String"
    client.command(f"CREATE TABLE otel_traces ({columns}) ENGINE = MergeTree ORDER BY TraceId")
    with caplog.at_level(logging.WARNING), pytest.raises(Unreachable) as fault:
        destination.deliver([spans_frame(request(span(start_ns=NOW)))])

    assert fault.value.reason == "schema_drift"
    assert client.query("SELECT count() FROM system.columns WHERE database = currentDatabase()"
                        " AND table = 'otel_traces'").first_row == (2,)  # fmt: skip


def test_a_missing_window_is_named_with_its_remedy(
    destination: ClickHouse,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    store: RunningStore,
    database: str,
) -> None:
    """Without deduplication a retry may double: the warning holds the ALTER that mends it."""
    destination.deliver([spans_frame(request(span(start_ns=NOW)))])
    client.command("ALTER TABLE otel_traces RESET SETTING non_replicated_deduplication_window")
    second = ClickHouse("second", store.dsn_of(database), Telemetry())
    with caplog.at_level(logging.WARNING):
        second.deliver([spans_frame(request(span(start_ns=NOW)), seq=2)])
    second.close()

    assert (
        "ALTER TABLE otel_traces MODIFY SETTING non_replicated_deduplication_window" in caplog.text
    )


def test_a_server_that_is_down_is_no_fault_of_the_data() -> None:
    """Nobody listens: the delivery is to be tried again, and the destination may be made before."""
    down = ClickHouse("clickhouse", "clickhouse://default:x@127.0.0.1:1/otel", Telemetry())
    with pytest.raises(Unreachable) as fault:
        down.deliver([spans_frame(request(span(start_ns=NOW)))])
    down.close()

    assert fault.value.reason == "unreachable"


def test_a_wrong_password_waits_for_the_operator(store: RunningStore, database: str) -> None:
    """A refused login is tried again: the data is not lost for it."""
    dsn = store.dsn_of(database).partition("@")[2]
    intruder = ClickHouse("clickhouse", f"clickhouse://default:guess@{dsn}", Telemetry())
    with pytest.raises(Unreachable) as fault:
        intruder.deliver([spans_frame(request(span(start_ns=NOW)))])

    assert fault.value.reason == "login"


def test_a_dropped_table_comes_back(destination: ClickHouse, client: Client) -> None:
    """Schema drift: the data waits, and the next attempt looks at the tables again."""
    frame = spans_frame(request(span(start_ns=NOW)), calls=[call()])
    destination.deliver([frame])
    client.command("DROP TABLE llm_calls SYNC")
    client.command(
        "ALTER TABLE costspan_schema DELETE WHERE Version = 6 SETTINGS mutations_sync = 2"
    )
    with pytest.raises(Unreachable) as fault:
        destination.deliver([frame._replace(seq=2)])
    destination.deliver([frame._replace(seq=2)])

    assert fault.value.reason == "schema_drift"
    assert count(client, "llm_calls") == 1


def test_rows_are_counted_by_the_table_where_they_end(store: RunningStore, database: str) -> None:
    """A few spans travel as a block and many as OTLP: both are rows of otel_traces."""
    telemetry = Telemetry()
    made = ClickHouse("clickhouse", store.dsn_of(database), telemetry)
    many = request(*[span({"n": number}, start_ns=NOW) for number in range(600)])
    made.deliver([spans_frame(request(span(start_ns=NOW)), calls=[call()])])
    made.deliver([spans_frame(many, seq=2, items=600)])
    made.close()

    assert telemetry.clickhouse_rows.exact("clickhouse", "llm_calls") == 1
    assert telemetry.clickhouse_rows.exact("clickhouse", "otel_traces") == 601
    assert count(store.client(database), "otel_traces") == 601


def test_several_destinations_may_start_at_once(store: RunningStore, database: str) -> None:
    """Two sidecars that meet an empty server both end up with the tables."""
    faults: list[Exception] = []

    def start(writer: str) -> None:
        made = ClickHouse(writer, store.dsn_of(database), Telemetry(), writer=writer)
        try:
            made.deliver([spans_frame(request(span(start_ns=NOW)))])
        except Exception as fault:  # noqa: BLE001  the test shows it
            faults.append(fault)
        made.close()

    threads = [threading.Thread(target=start, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert count(store.client(database), "otel_traces") == 3
