"""What the store holds of a trace is enough to roll it up again, to the same totals."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

from costspan.cli.commands import main
from costspan.exporter.clickhouse.connection import Connection
from costspan.exporter.clickhouse.dsn import parse_dsn
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.finish import reading
from costspan.finish.reading import read_trace
from costspan.ledger.tree import grow
from costspan.model import PROVISIONAL, WITNESS, Charge, Identity, Line
from costspan.testing import request, span
from integration.running_store import RunningStore, spans_frame
from records import NOW, SECOND, call

TRACE = b"\x01" * 16
AGENT, CALL, PLAIN = b"\xa0" * 8, b"\x02" * 8, b"\xb0" * 8


def tables(store: RunningStore, database: str) -> Connection:
    connection = Connection(parse_dsn(store.dsn_of(database)), 30.0)
    connection.use_database()
    return connection


def test_a_record_comes_back_as_it_was_written(
    destination: ClickHouse, store: RunningStore, database: str
) -> None:
    """Field by field, money to the last digit, unknown as unknown."""
    rich = call(
        parent_span_id=AGENT,
        status=2,
        error_type="timeout",
        missing=("gen_ai.response.model",),
        reported_cost="123456789012345678901234567890",
        identity=Identity("a", "w", "t", "u", "s", "c", {"team": "search"}),
        charge=Charge(
            *("priced", "", "99999999999999999999000000000000000001", "7", "-12"),
            lines=(Line("input", 1000, "2500000000000", "2500000000000000"),),
            price_ref="book;sku",
            priced_model="gpt-4o",
            modifiers=("batch",),
            assumed=("tier",),
            effective_total="5",
            showback_total="6",
        ),
        version=9,
        gateway="litellm",
        cumulative=True,
        transaction=AGENT,
        root=PLAIN,
    )  # fmt: skip
    unknown = call(
        span_id=b"\x03" * 8, usage=None, charge=Charge("unpriced", "unknown_model"), billed=True
    )
    provisioned = call(span_id=b"\x04" * 8, charge=Charge("provisioned", "", "0", "5"))
    elsewhere = request(span(trace_id=TRACE, span_id=b"\x77" * 8))
    frame = spans_frame(elsewhere, calls=[rich, unknown, provisioned])
    destination.deliver([frame])
    found = {one.span_id: one for one in read_trace(tables(store, database), TRACE).records}
    assert found[rich.span_id] == rich
    for one in (unknown, provisioned):  # nobody said where they are
        assert found[one.span_id] == replace(one, version=PROVISIONAL)


@pytest.mark.parametrize("most", [reading.MOST_SPANS, 3])
def test_traces_are_read_together_as_each_alone(
    destination: ClickHouse,
    store: RunningStore,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    """Also where not all of them are read at once, and one of them is not there."""
    monkeypatch.setattr(reading, "MOST_SPANS", most)
    traces = [bytes([number]) * 16 for number in range(1, 6)]
    made = [call(trace_id=trace_id, identity=Identity()) for trace_id in traces]
    chats = [span(trace_id=trace_id, span_id=CALL, start_ns=NOW) for trace_id in traces]
    roots = [span(trace_id=trace_id, span_id=PLAIN, start_ns=NOW) for trace_id in traces]
    frame = spans_frame(request(*chats, *roots), calls=made, items=len(traces) * 2)
    destination.deliver([frame])
    connection, asked = tables(store, database), [*traces, b"\xff" * 16]
    together = reading.read_traces(connection, asked)
    assert together == {trace_id: read_trace(connection, trace_id) for trace_id in asked}
    assert [len(together[trace_id].spans) for trace_id in asked] == [2] * len(traces) + [0]
    assert [len(together[trace_id].records) for trace_id in asked] == [1] * len(traces) + [0]


def test_an_agent_that_is_a_witness_is_found_again(
    destination: ClickHouse, store: RunningStore, database: str
) -> None:
    """The record of a witness is in no table: the span's attributes say whose the calls are."""
    agent = span(
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"},
        trace_id=TRACE, span_id=AGENT, start_ns=NOW, end_ns=NOW + SECOND,
    )  # fmt: skip
    plain = span(trace_id=TRACE, span_id=PLAIN, parent_span_id=AGENT, start_ns=NOW)
    made = call(parent_span_id=PLAIN, identity=Identity())
    chat = span(trace_id=TRACE, span_id=CALL, parent_span_id=PLAIN, start_ns=NOW)
    destination.deliver([spans_frame(request(agent, plain, chat), calls=[made], items=3)])
    found = read_trace(tables(store, database), TRACE)
    assert [one.role for one in found.records] == ["leaf", WITNESS]
    rolled = found.rollup()
    assert rolled.spans == 3
    assert {name: sums.cost for name, sums in rolled.by["agent"].items()} == {
        "planner": 3500000000000000
    }


def test_a_loop_of_a_tool_is_found_again(
    destination: ClickHouse, store: RunningStore, database: str
) -> None:
    """By what the spans were called with, as long as the store has it."""
    root = span(trace_id=TRACE, span_id=PLAIN, start_ns=NOW)
    said = {"openinference.span.kind": "TOOL", "tool.name": "search", "input.value": "again"}
    searches = [
        span(said, trace_id=TRACE, span_id=bytes([n] * 8), parent_span_id=PLAIN, start_ns=NOW + n)
        for n in range(1, 5)
    ]
    other = span(
        {**said, "input.value": "other"}, trace_id=TRACE, span_id=AGENT, parent_span_id=PLAIN,
        start_ns=NOW,
    )  # fmt: skip
    destination.deliver([spans_frame(request(root, *searches, other), items=6)])
    assert grow(read_trace(tables(store, database), TRACE).rollup()).repeated_tools == 3


def test_a_trace_that_is_not_there_is_empty(
    destination: ClickHouse, store: RunningStore, database: str
) -> None:
    destination.open()
    found = read_trace(tables(store, database), b"\x09" * 16)
    assert not found.spans
    assert not found.records


SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "trace.schema.json"


def test_trace_prints_a_stored_trace_as_a_tree_and_as_a_document(
    destination: ClickHouse,
    store: RunningStore,
    database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = NOW + SECOND
    root = span(trace_id=TRACE, span_id=PLAIN, name="GET /ask", start_ns=NOW, end_ns=end, kind=2)
    chat = span(trace_id=TRACE, span_id=CALL, parent_span_id=PLAIN, start_ns=NOW, end_ns=end)
    made = call(parent_span_id=PLAIN)
    destination.deliver([spans_frame(request(root, chat), calls=[made], items=2)])
    asked = ["trace", TRACE.hex(), "--dsn", store.dsn_of(database)]
    assert main(asked) == 0
    printed = capsys.readouterr().out
    assert "GET /ask" in printed
    assert "1 model call in 2 spans cost $0.0035." in printed
    assert "Most was spent along GET /ask > chat gpt-4o." in printed
    assert main([*asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert [one["cost_usd"] for one in document["spans"]] == ["0.0035", "0.0035"]
    assert document["critical_path"]["cost_usd"] == "0.0035"
    assert document["heaviest_chain"] == [PLAIN.hex(), CALL.hex()]
    assert [one["span_id"] for one in document["transactions"]] == [PLAIN.hex()]


def test_trace_says_what_is_wrong(
    destination: ClickHouse,
    store: RunningStore,
    database: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """No such trace: 1. No tables: 1. No store: 4. No trace id: 2."""
    destination.open()
    dsn = store.dsn_of(database)
    assert main(["trace", "09" * 16, "--dsn", dsn]) == 1
    assert "no trace 0909" in capsys.readouterr().err
    assert main(["trace", "09" * 16, "--dsn", store.dsn_of("nobodys")]) == 1
    assert "lacks tables" in capsys.readouterr().err
    assert main(["trace", "09" * 16, "--directory", str(tmp_path)]) == 4
    assert main(["trace", "09" * 16, "--dsn", "clickhouse://x@127.0.0.1:1/otel"]) == 4
    assert main(["trace", "xyz", "--dsn", dsn]) == 2
