"""Tables as sidecars meet them: none, older ones, the Collector's, no right to make any."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from costspan.cli.commands import main
from costspan.errors import Unreachable
from costspan.exporter.clickhouse.check import WINDOW
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.exporter.clickhouse.schema import migrations
from costspan.telemetry import Telemetry
from costspan.testing import request, span
from integration.running_store import RunningStore, count, spans_frame
from integration.scripted_proxy import scripted_proxy
from records import NOW, call

FRAME = spans_frame(request(span({"k": "v"}, start_ns=NOW)), calls=[call()])
Edit = Callable[[str], str]


@pytest.fixture
def made(store: RunningStore, database: str) -> Client:
    """A client of a database that is there and empty."""
    client = store.client()
    client.command(f"CREATE DATABASE {database}")
    client.database = database
    return client


@pytest.fixture
def by_hand(store: RunningStore, database: str) -> Iterator[ClickHouse]:
    """A destination that creates nothing."""
    destination = ClickHouse(
        "clickhouse", store.dsn_of(database), Telemetry(), writer="w", create_schema=False
    )
    yield destination
    destination.close()


def of_collector(edit: Edit = lambda sql: sql) -> str:
    """The contrib exporter's statement: ours without what is ours."""
    sql = next(m.sql for m in migrations() if m.name == "001_otel_traces")
    sql = re.sub(r"    (CostUsd|CostStatus|PriceRef|CacheStatus) .+\n.+,\n", "", sql)
    return edit(re.sub(r",\n    non_replicated_deduplication_window = \d+", "", sql))


def no_indices(sql: str) -> str:
    return re.sub(r"    INDEX idx_(res|span)_attr.*\n", "", sql)


def swap(old: str, new: str) -> Edit:
    return lambda sql: sql.replace(old, new, 1)


SHAPES: dict[str, Edit] = {
    "as of today": swap("", ""),
    "Duration Int64": swap("UInt64 CODEC(T64, ZSTD(1))", "Int64"),
    "attributes as JSON": lambda sql: no_indices(sql).replace(
        "Attributes Map(LowCardinality(String), String) CODEC", "Attributes JSON CODEC"
    ),
    "ids of fixed width": swap("TraceId String CODEC", "TraceId FixedString(32) CODEC"),
    "NULL is possible": lambda sql: sql.replace(
        "StatusMessage String", "StatusMessage LowCardinality(Nullable(String))"
    ).replace("ScopeName String", "ScopeName Nullable(String)"),
    "an older sort key": swap("toDateTime(Timestamp), Timestamp)", "toDateTime(Timestamp))"),
    "more columns": swap("    INDEX", "    Extra String DEFAULT 'x',\n    INDEX"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_collectors_table_is_written_to_and_not_altered(
    made: Client, destination: ClickHouse, caplog: pytest.LogCaptureFixture, shape: str
) -> None:
    """Older shapes too: spans go in by both ways, the warning holds what would mend the rest."""
    made.command(of_collector(SHAPES[shape]))
    before = made.query("SHOW CREATE TABLE otel_traces").first_row
    destination.deliver([FRAME])
    many = request(*[span({"k": "v"}, start_ns=NOW)] * 600)
    destination.deliver([spans_frame(many, seq=2, items=600)])

    assert count(made, "otel_traces") == 601
    assert made.query("SHOW CREATE TABLE otel_traces").first_row == before
    assert "ALTER TABLE otel_traces MODIFY SETTING non_replicated" in caplog.text
    assert "was made by another tool and has no column CostUsd" in caplog.text or "JSON" in shape


def test_an_old_lookup_table_is_fed_as_it_is(made: Client, destination: ClickHouse) -> None:
    """Plain columns in a MergeTree, as contrib made them before they were aggregates."""
    columns = "TraceId String, Start DateTime, End DateTime"
    made.command(
        f"CREATE TABLE otel_traces_trace_id_ts ({columns}) ENGINE = MergeTree ORDER BY TraceId"
    )
    destination.deliver([FRAME])

    assert count(made, "otel_traces_trace_id_ts WHERE Start > 0") == 1


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (swap("    StatusMessage String CODEC(ZSTD(1)),\n", ""),
         "otel_traces has no column StatusMessage: nothing can be written to it"),
        (swap("Duration UInt64 CODEC(T64, ZSTD(1))", "Duration UInt32"),
         "otel_traces.Duration is UInt32, expected UInt64: values would be lost"),
        (swap("DateTime64(9) CODEC(Delta(8)", "DateTime CODEC(Delta(4)"),
         "otel_traces.Timestamp is DateTime, expected DateTime64(9)"),
    ],
    ids=["column", "number", "time"],
)  # fmt: skip
def test_a_table_that_would_lose_values_is_waited_for(
    made: Client, destination: ClickHouse, edit: Edit, sentence: str
) -> None:
    """The data is kept until an operator has mended the table; then it goes in."""
    made.command(of_collector(edit))
    with pytest.raises(Unreachable, match=re.escape(sentence)) as fault:
        destination.deliver([FRAME])
    made.command("DROP TABLE otel_traces SYNC")
    made.command("DROP TABLE costspan_schema SYNC")
    destination.deliver([FRAME])

    assert fault.value.reason == "schema_drift"
    assert count(made, "otel_traces") == 1


def test_a_column_that_is_altered_under_way_fails_nobodys_data(
    made: Client, destination: ClickHouse
) -> None:
    """The refusal speaks of types, and they are no longer ours: the spans wait."""
    destination.open()
    made.command("ALTER TABLE otel_traces DROP INDEX idx_lower_span_name")
    made.command("ALTER TABLE otel_traces MODIFY COLUMN StatusMessage UInt64")
    with pytest.raises(Unreachable) as fault:
        destination.deliver([FRAME])

    assert fault.value.reason == "schema_drift"


def test_without_create_schema_nothing_is_created(made: Client, by_hand: ClickHouse) -> None:
    """Tables that are missing are named; once somebody has made them, spans go in."""
    with pytest.raises(Unreachable, match="there is no table otel_traces") as fault:
        by_hand.deliver([FRAME])
    tables = made.query("SELECT count() FROM system.tables WHERE database = currentDatabase()")
    for migration in migrations():
        made.command(migration.sql)
    by_hand.deliver([FRAME])

    assert fault.value.reason == "schema_drift"
    assert tables.first_row == (0,)
    assert count(made, "otel_traces") == count(made, "llm_calls") == 1


def test_a_database_may_appear_later(
    store: RunningStore, by_hand: ClickHouse, database: str
) -> None:
    """Until then its absence is the sentence in health and log."""
    with pytest.raises(Unreachable, match=f"there is no database {database}"):
        by_hand.deliver([FRAME])
    client = store.client()
    client.command(f"CREATE DATABASE {database}")
    client.database = database
    for migration in migrations():
        client.command(migration.sql)
    by_hand.deliver([FRAME])

    assert count(client, "otel_traces") == 1


def test_without_the_otlp_tables_spans_come_as_blocks(made: Client, by_hand: ClickHouse) -> None:
    """Two tables that nobody has made are no reason to wait."""
    for migration in migrations():
        if "otlp" not in migration.name:
            made.command(migration.sql)
    many = request(*[span(start_ns=NOW)] * 600)
    by_hand.deliver([spans_frame(many, items=600)])

    assert count(made, "otel_traces") == 600


def test_a_user_who_may_only_insert_uses_the_tables_of_others(
    store: RunningStore, made: Client, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Statements that were noted are not repeated; if a table is missing, the refusal says why."""
    with scripted_proxy(store) as proxy:
        proxy.forbidden = b"CREATE"
        dsn = proxy.dsn(store, database)
        destination = ClickHouse("clickhouse", dsn, Telemetry(), writer="w")
        with pytest.raises(Unreachable, match=r"no table otel_traces.*Not enough privileges") as no:
            destination.deliver([FRAME])
        for migration in migrations():
            made.command(migration.sql)
        destination.deliver([FRAME])
        destination.close()

    assert no.value.reason == "login"
    assert count(made, "otel_traces") == 1
    assert "does not let it in" in caplog.text


# --- the commands --------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path, store: RunningStore, database: str) -> str:
    """A configuration with a TTL of its own."""
    path = tmp_path / "config.yaml"
    exporter = {"endpoint": store.dsn_of(database), "ttl": {"calls": "36h", "totals": "0"}}
    path.write_text(json.dumps({"exporters": {"clickhouse": exporter}}))
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["schema", *arguments])
    return code, capsys.readouterr().out


def test_what_show_prints_makes_the_tables(
    made: Client, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fed to a client, statement by statement, it leaves nothing to do."""
    code, text = run(capsys, "show", config)
    for statement in re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).split(";\n"):
        if statement.strip():
            made.command(statement)

    assert code == 0
    assert run(capsys, "diff", config) == (0, "")


def test_apply_creates_and_diff_finds_nothing(
    config: str, store: RunningStore, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the configured TTLs, none where it is 0."""
    before, absent = run(capsys, "diff", config)
    applied = run(capsys, "apply", config)
    after = run(capsys, "diff", config)
    query = "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
    rows = store.client(database).query(query).result_rows
    engines = {str(name): str(engine) for name, engine in rows}

    assert (before, absent) == (5, f"-- error: there is no database {database}\n")
    assert (applied, after) == ((0, ""), (0, ""))
    assert "toIntervalHour(36)" in engines["llm_calls"]
    assert "TTL" not in engines["trace_totals_parts"]
    assert "toIntervalDay(7)" in engines["otel_traces"]


def test_diff_prints_the_alters_and_apply_asks_before_it_touches_what_others_made(
    made: Client, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Collector's table and TTLs change only with --yes; then nothing is left."""
    made.command(of_collector())
    run(capsys, "apply", config)
    made.command("ALTER TABLE llm_calls RESET SETTING non_replicated_deduplication_window")
    made.command("ALTER TABLE llm_calls MODIFY TTL toDateTime(Timestamp) + INTERVAL 9 DAY")
    code, text = run(capsys, "diff", config)
    applied, left = run(capsys, "apply", config)
    all_applied = run(capsys, "apply", config, "--yes")

    assert (code, applied) == (5, 0)
    assert (
        f"ALTER TABLE llm_calls MODIFY SETTING non_replicated_deduplication_window = {WINDOW};"
        in text
    )
    assert (
        "ALTER TABLE otel_traces ADD COLUMN CostUsd Nullable(Decimal(38, 18)) MATERIALIZED" in text
    )
    assert "llm_calls MODIFY SETTING" not in left
    assert "ALTER TABLE otel_traces MODIFY SETTING" in left
    assert "ALTER TABLE llm_calls MODIFY TTL toDateTime(Timestamp) + INTERVAL 36 HOUR;" in left
    assert all_applied == (0, "")
    assert run(capsys, "diff", config) == (0, "")


def test_a_missing_column_has_its_alter(
    made: Client, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of any depth: what is added takes our rows."""
    run(capsys, "apply", config)
    for column in ("StatusMessage", "`Links.TraceState`"):
        made.command(f"ALTER TABLE otel_traces DROP COLUMN {column}")
    for column in ("Flags", "`Transactions.Usage`"):
        made.command(f"ALTER TABLE trace_totals_parts DROP COLUMN {column}")
    code, text = run(capsys, "diff", config)
    run(capsys, "apply", config, "--yes")

    assert code == 5
    assert "ADD COLUMN `StatusMessage` String, ADD COLUMN `Links.TraceState` Array(String);" in text
    assert "ADD COLUMN `Transactions.Usage` Array(Map(String, UInt64))" in text
    assert "ADD COLUMN `Flags` Array(LowCardinality(String))" in text
    assert run(capsys, "diff", config) == (0, "")


def test_diff_as_json_and_without_a_server(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A schema of its own; 4 for nobody there, 2 for nothing to compare."""
    code, text = run(capsys, "diff", config, "--json")
    answer = json.loads(text)
    dead = tmp_path / "dead.yaml"
    dead.write_text('exporters: {clickhouse: {endpoint: "clickhouse://u@127.0.0.1:1/x"}}')
    none = tmp_path / "none.yaml"
    none.write_text('exporters: {otlp: {endpoint: "127.0.0.1:1", tls: {insecure: true}}}')

    assert (code, answer["schema"]) == (5, "costspan.schema.diff/v1")
    assert answer["findings"][0]["level"] == "error"
    assert run(capsys, "diff", str(dead))[0] == 4
    assert run(capsys, "diff", str(none))[0] == 2
    assert run(capsys, "diff", config, "--exporter", "clickhouse/x")[0] == 2
