"""A trace whose spans went through two sidecars: its parts are wrong, the store knows better."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from costspan.cli.commands import main
from costspan.errors import Refused
from costspan.exporter.clickhouse.connection import Connection
from costspan.exporter.clickhouse.dsn import parse_dsn
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.exporter.clickhouse.inserts import Insert
from costspan.finish.reading import read_trace
from costspan.finish.settle import Settled, settle_all
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.model import (
    AGGREGATE,
    CALL_ROWS,
    OWN,
    PENDING,
    TRACE_TOTALS,
    Charge,
    Frame,
    LlmCall,
    encode_calls,
    encode_totals,
)
from costspan.telemetry import Telemetry
from costspan.testing import request, span
from costspan.wire import heads
from integration.running_store import RunningStore, spans_frame
from records import NOW, SECOND, call

TRACE = b"\x01" * 16
ROOT, AGENT, CALL, SHARED = (bytes([number]) * 8 for number in (0xA0, 0xA1, 0x02, 0xB0))
HOUR_AGO = NOW - 3600 * SECOND


def spans(*ids: tuple[bytes, bytes]) -> bytes:
    return request(
        *(
            span(trace_id=TRACE, span_id=one, parent_span_id=parent, name=f"s{one[0]:x}",
                 start_ns=HOUR_AGO, end_ns=HOUR_AGO + SECOND)
            for one, parent in ids
        )
    )  # fmt: skip


class Sidecar:
    """A ledger and its destination: what it saw, it writes."""

    def __init__(self, name: str, destination: ClickHouse) -> None:
        self._ledger = TraceLedger(LedgerSettings(), name, Telemetry())
        self._destination = destination
        self._seq = 0

    def see(self, body: bytes, calls: list[LlmCall], items: int) -> None:
        self._seq += 1
        frame = spans_frame(body, seq=self._seq, calls=calls, items=items)
        self._destination.deliver([frame])
        self._ledger.add(frame, heads(body), 0)

    def close(self) -> None:
        for closing in self._ledger.shutdown(10**12):
            body = encode_totals([closing.totals])
            self._destination.deliver([Frame(98, NOW, TRACE_TOTALS, OWN, (), body, b"", 1)])
            if closing.corrections:
                body = encode_calls(closing.corrections)
                self._destination.deliver([Frame(99, NOW, CALL_ROWS, OWN, (), body, b"", 1)])


def made(span_id: bytes, parent: bytes, **changes: Any) -> LlmCall:
    return call(
        span_id=span_id, parent_span_id=parent, start_ns=HOUR_AGO, end_ns=HOUR_AGO + SECOND,
        response_id="", **changes,
    )  # fmt: skip


def totals(client: Client) -> list[tuple[Any, ...]]:
    asked = "SELECT LlmCalls, CostUsd, RootName, Parts FROM trace_totals"
    return [tuple(row) for row in client.query(asked).result_rows]


def split_trace(destination: ClickHouse) -> None:
    """An agent in one process repeats what its call in another one used; one span went to both."""
    repeated = made(
        AGENT, ROOT, role=AGGREGATE, operation="invoke_agent",
        charge=Charge("priced", "", "3500000000000000", "3500000000000000"),
    )  # fmt: skip
    both = made(SHARED, ROOT, usage={"input": 7})
    one, other = Sidecar("one", destination), Sidecar("other", destination)
    one.see(spans((ROOT, b""), (AGENT, ROOT), (SHARED, ROOT)), [repeated, both], 3)
    other.see(spans((CALL, AGENT), (SHARED, ROOT)), [made(CALL, AGENT), both], 2)
    one.close()
    other.close()


def test_what_two_sidecars_counted_twice_is_settled_from_the_store(
    destination: ClickHouse, store: RunningStore, database: str, client: Client
) -> None:
    """The agent's fallback is withdrawn, the span that both saw counts once."""
    split_trace(destination)
    cent = Decimal("0.0035")
    assert totals(client) == [(4, 4 * cent, "", 2)]
    command = ["finish", "--dsn", store.dsn_of(database)]
    assert main(command) == 0
    assert totals(client) == [(2, 2 * cent, "sa0", 1)]
    billed = "SELECT SpanId, Billed FROM llm_calls_latest ORDER BY SpanId"
    assert [tuple(row) for row in client.query(billed).result_rows] == [
        (CALL.hex(), True), (AGENT.hex(), False), (SHARED.hex(), True),
    ]  # fmt: skip
    named = client.query("SELECT Name, CostUsd FROM transaction_totals").result_rows
    assert [tuple(row) for row in named] == [("sa0", 2 * cent)]


class OneAtATime:
    """A store that refuses inserts of several rows."""

    def __init__(self, store: Connection) -> None:
        self.rows = store.rows
        self._insert = store.insert

    def insert(self, insert: Insert) -> None:
        if insert.rows > 1:
            raise Refused("too many partitions", "too_many_partitions")
        self._insert(insert)


def test_what_is_refused_together_is_written_alone(
    destination: ClickHouse, store: RunningStore, database: str, client: Client
) -> None:
    traces = [TRACE, b"\x02" * 16]
    for name, own in (("one", CALL), ("other", SHARED)):
        sidecar = Sidecar(name, destination)
        body = request(*(span(trace_id=each, span_id=own, start_ns=HOUR_AGO) for each in traces))
        sidecar.see(body, [made(own, b"", trace_id=each) for each in traces], len(traces))
        sidecar.close()
    connection = Connection(parse_dsn(store.dsn_of(database)), 30.0)
    connection.use_database()
    told: list[Settled] = []
    picky = OneAtATime(connection)
    looked = settle_all(picky, since=86_400, quiet=0, write=True, tell=told.append)
    assert looked == len(told) == len(traces)
    assert {parts for *_, parts in totals(client)} == {1}


def test_a_settled_trace_is_left_alone_until_a_part_changes(
    destination: ClickHouse,
    store: RunningStore,
    database: str,
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    split_trace(destination)
    command = ["finish", "--dsn", store.dsn_of(database), "--json"]
    assert main([*command, "--dry-run"]) == 0
    (told,) = capsys.readouterr().out.splitlines()
    assert json.loads(told)["llm_calls"] == 2
    assert totals(client)[0][0] == 4
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out == ""
    third = Sidecar("third", destination)
    third.see(spans((b"\xc0" * 8, ROOT)), [made(b"\xc0" * 8, ROOT, usage={"input": 3})], 1)
    third.close()
    assert totals(client)[0][0] == 5
    assert main(command) == 0
    assert totals(client)[0][0] == 3


def test_a_trace_of_which_the_store_lost_spans_is_left_as_it_is(
    destination: ClickHouse,
    store: RunningStore,
    database: str,
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Spans live shorter than totals: less than one writer saw is no better knowledge."""
    split_trace(destination)
    client.command(f"TRUNCATE TABLE {database}.otel_traces")
    assert main(["finish", "--dsn", store.dsn_of(database)]) == 0
    assert "left as it is" in capsys.readouterr().out
    assert totals(client)[0][0] == 4


def test_a_part_without_usage_is_looked_for_where_parents_are_missing(
    destination: ClickHouse, store: RunningStore, database: str, client: Client
) -> None:
    """A call told twice in one sidecar; the step between the two tellings went to the other."""
    one, other = Sidecar("one", destination), Sidecar("other", destination)
    step = b"\xd0" * 8
    told = [made(AGENT, ROOT, name="outer"), made(CALL, step)]
    one.see(spans((ROOT, b""), (AGENT, ROOT), (CALL, step)), told, 3)
    other.see(spans((step, AGENT)), [], 1)
    one.close()
    other.close()
    assert totals(client) == [(2, Decimal("0.007"), "", 1)]
    assert main(["finish", "--dsn", store.dsn_of(database)]) == 0
    assert totals(client) == [(1, Decimal("0.0035"), "sa0", 1)]


def test_a_trace_may_have_fewer_calls_than_one_part_counted(
    destination: ClickHouse, store: RunningStore, database: str, client: Client
) -> None:
    """Two agents that nothing was below, in one sidecar; in the other, the step and the call."""
    one, other = Sidecar("one", destination), Sidecar("other", destination)
    step = b"\xd0" * 8
    agents = [
        made(SHARED, ROOT, role=AGGREGATE, operation="invoke_agent"),
        made(AGENT, step, role=AGGREGATE, operation="invoke_agent"),
    ]
    one.see(spans((SHARED, ROOT), (AGENT, step)), agents, 2)
    other.see(spans((ROOT, b""), (step, SHARED), (CALL, AGENT)), [made(CALL, AGENT)], 3)
    one.close()
    other.close()
    assert totals(client)[0][0] == 3
    assert main(["finish", "--dsn", store.dsn_of(database)]) == 0
    assert totals(client)[0][0] == 1


def test_what_announced_a_span_is_no_part_of_what_is_stored(
    destination: ClickHouse,
    store: RunningStore,
    database: str,
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A row of it is in `otel_traces`, and makes no trace one of which a part is missing."""
    begun = b"\xe0" * 8
    announcing = {"logfire.pending_parent_id": bytes(8).hex(), "gen_ai.request.model": "gpt-4o"}
    body = request(
        span(trace_id=TRACE, span_id=CALL, parent_span_id=ROOT, start_ns=HOUR_AGO),
        span(announcing, trace_id=TRACE, span_id=begun, parent_span_id=ROOT, start_ns=HOUR_AGO),
    )
    one = Sidecar("one", destination)
    one.see(body, [made(CALL, ROOT), made(begun, ROOT, role=PENDING)], 2)
    one.close()
    assert main(["finish", "--dsn", store.dsn_of(database), "--json"]) == 0
    assert capsys.readouterr().out == ""
    assert totals(client) == [(1, Decimal("0.0035"), "", 1)]
    connection = Connection(parse_dsn(store.dsn_of(database)), 30.0)
    connection.use_database()
    found = read_trace(connection, TRACE)
    assert (set(found.spans), len(found.records), found.awaited) == ({CALL}, 1, True)
