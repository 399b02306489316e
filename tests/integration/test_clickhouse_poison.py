"""Values that could fail a block, each with a neighbour, against a real engine: both are rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.errors import Refused
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.exporter.clickhouse.inserts import NATIVE, OTLP
from costspan.model import SOLO, Charge, LlmCall
from costspan.telemetry import Telemetry
from costspan.testing import key_values, request, span
from costspan.wire.request import readable
from costspan.wire.splice import splice
from costspan.wire.values import varint
from integration.running_store import RunningStore, count, spans_frame
from records import NOW, call

DATABASE = "poison"
DAY = 86_400 * 10**9
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def destinations(store: RunningStore) -> Iterator[dict[str, ClickHouse]]:
    """One for each way that spans travel, on the same tables; spans of 1970 are kept there."""
    made = {
        strategy: ClickHouse(strategy, store.dsn_of(DATABASE), Telemetry(), strategy=strategy)
        for strategy in (OTLP, NATIVE)
    }
    made[NATIVE].open()
    store.client(DATABASE).command("ALTER TABLE otel_traces REMOVE TTL")
    yield made
    for each in made.values():
        each.close()


@pytest.fixture(scope="module")
def tables(store: RunningStore) -> Client:
    return store.client(DATABASE)


def odd(**changes: Any) -> Span:
    values: dict[str, Any] = {"start_ns": NOW, "end_ns": NOW + 1, "name": "odd", **changes}
    return span({"k": "v"}, **values)


def with_twice() -> Span:
    made = odd()
    made.attributes.extend(key_values({"k": "second"}))
    return made


def with_odd_event() -> Span:
    made = odd()
    made.events.add(time_unix_nano=2**64 - 1).attributes.extend(key_values({"": "\0"}))
    made.links.add(trace_id=b"\x01" * 3, span_id=b"")
    return made


MANY = {f"key {number}": "v" for number in range(20_000)}
SPANS: dict[str, tuple[Span, str, Any]] = {
    "end before start": (odd(end_ns=NOW - 9), "Duration", 0),
    "no times": (odd(start_ns=0, end_ns=0), "Duration", 0),
    "a start beyond Int64": (odd(start_ns=2**63), "toYear(Timestamp)", 2100),
    "the last start": (odd(start_ns=2**64 - 1, end_ns=2**64 - 1), "toYear(Timestamp)", 2100),
    "the longest duration": (odd(start_ns=0, end_ns=2**64 - 1), "Duration", 2**64 - 1),
    "a short id": (odd(trace_id=b"\xab" * 5), "TraceId", "ab" * 5),
    "a long id": (odd(span_id=b"\xab" * 40), "SpanId", "ab" * 40),
    "no ids": (odd(trace_id=b"", span_id=b""), "TraceId || SpanId", ""),
    "no name": (odd(name=""), "SpanName", ""),
    "NUL in a name": (odd(name="a\0b"), "SpanName", "a\0b"),
    "NUL in a value": (span({"k": "\0" * 3}, start_ns=NOW), "SpanAttributes['k']", "\0" * 3),
    "an empty key": (span({"": "v"}, start_ns=NOW), "SpanAttributes['']", "v"),
    "a key twice": (with_twice(), "SpanAttributes['k']", "second"),
    "a huge value": (span({"k": "x" * 3_000_000}, start_ns=NOW), "length(SpanAttributes['k'])",
                     3_000_000),
    "a huge key": (span({"k" * 100_000: 1}, start_ns=NOW), "length(mapKeys(SpanAttributes)[1])",
                   100_000),
    "20 000 keys": (span(MANY, start_ns=NOW), "length(SpanAttributes)", 20_000),
    "a kind from the future": (odd(kind=99), "SpanKind", ""),
    "a status from the future": (odd(status=9), "StatusCode", ""),
    "odd events and links": (with_odd_event(), "`Links.TraceId`[1]", "010101"),
    "a cost that is no number": (
        span({"window.financial.total_cost_exact": "1e99"}, start_ns=NOW), "CostUsd", None),
    "a cost of 60 digits": (
        span({"window.financial.total_cost_exact": "9" * 60}, start_ns=NOW), "CostUsd", None),
    "structure and NUL": (span({"k": {"a\0": [1, {}]}}, start_ns=NOW), "SpanAttributes['k']",
                          '{"a\\u0000":[1,{}]}'),
}  # fmt: skip


@pytest.mark.parametrize("strategy", [OTLP, NATIVE])
@pytest.mark.parametrize("case", SPANS)
def test_an_odd_span_is_a_row_and_so_is_its_neighbour(
    destinations: dict[str, ClickHouse], tables: Client, strategy: str, case: str
) -> None:
    """Whatever a span holds, the block goes in, and the value is the one that is promised."""
    made, column, expected = SPANS[case]
    service = f"poison {next(numbers)}"
    body = request(span(start_ns=NOW, name="neighbour"), made, service=service)
    destinations[strategy].deliver([spans_frame(body, seq=next(numbers), items=2)])
    query = (
        f"SELECT {column} FROM otel_traces WHERE ServiceName = '{service}'"  # noqa: S608  ours
        " AND SpanName != 'neighbour'"
    )

    assert tables.query(query).result_rows == [(expected,)]
    assert count(tables, f"otel_traces WHERE ServiceName = '{service}'") == 2


# --- requests that a full decode refuses ---------------------------------------------------------

BAD = b"\xff\xfe"
PLACEHOLDER = "@@"


def deep_attribute(levels: int) -> bytes:
    """`k`: arrays in arrays, as bytes of a span: the library builds none that it would not read."""
    value = AnyValue(string_value="x").SerializeToString()
    for _ in range(levels):
        array = b"\x0a" + varint(len(value)) + value
        value = b"\x2a" + varint(len(array)) + array
    pair = b"\x0a\x01k\x12" + varint(len(value)) + value
    return b"\x4a" + varint(len(pair)) + pair


SOLO_SPANS: dict[str, tuple[Span, str, Any]] = {
    "a value": (span({"k": PLACEHOLDER}, start_ns=NOW), "hex(SpanAttributes['k'])", "FFFE"),
    "a key": (span({PLACEHOLDER: "v"}, start_ns=NOW), "hex(mapKeys(SpanAttributes)[1])", "FFFE"),
    "a long value": (span({"k": PLACEHOLDER + "x" * 70_000}, start_ns=NOW),
                     "length(SpanAttributes['k'])", 70_002),
    "a name": (span(name=PLACEHOLDER, start_ns=NOW), "hex(SpanName)", "FFFE"),
    "structure": (span({"k": {"a": PLACEHOLDER}}, start_ns=NOW),
                  "position(base64Decode(SpanAttributes['k']), unhex('FFFE')) > 0", 1),
    "depth": (odd(), "length(SpanAttributes['k']) > 60", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", SOLO_SPANS)
def test_a_request_that_no_full_decode_takes_is_rows_all_the_same(
    destinations: dict[str, ClickHouse], tables: Client, case: str
) -> None:
    """A byte that is no UTF-8 stays as it came; what can't be decoded at all is kept as base64."""
    made, column, expected = SOLO_SPANS[case]
    service = f"solo {next(numbers)}"
    body = request(span(start_ns=NOW, name="neighbour"), made, service=service)
    body = body.replace(PLACEHOLDER.encode(), BAD)
    if case == "depth":
        body = splice(body, {1: deep_attribute(60)})
    assert not readable(body)
    frame = spans_frame(body, seq=next(numbers), items=2)._replace(flags=SOLO)
    destinations[OTLP].deliver([frame])
    query = (
        f"SELECT {column} FROM otel_traces WHERE ServiceName = '{service}'"  # noqa: S608  ours
        " AND SpanName != 'neighbour'"
    )

    assert tables.query(query).result_rows == [(expected,)]
    assert count(tables, f"otel_traces WHERE ServiceName = '{service}'") == 2


def test_broken_wire_is_refused_alone(destinations: dict[str, ClickHouse]) -> None:
    """A SOLO frame travels alone; what not even its outline shows ends as `unreadable`."""
    good = spans_frame(request(span(start_ns=NOW)), seq=next(numbers))
    solo = good._replace(seq=next(numbers), flags=SOLO, body=b"\x0a\x05\x12\x03\x12\x01\xff")
    groups = destinations[OTLP].group([good, solo])

    assert [len(group) for group in groups] == [1, 1]
    with pytest.raises(Refused) as refusal:
        destinations[OTLP].deliver([solo])
    assert refusal.value.reason == "unreadable"


# --- calls ---------------------------------------------------------------------------------------

HUGE = Charge("priced", total=str(10**40))
CALLS: dict[str, tuple[LlmCall, str, Any, str]] = {
    "end before start": (call(end_ns=NOW - 1), "Duration", 0, "end_before_start"),
    "a far clock": (call(start_ns=2**64 - 1, end_ns=2**64 - 1), "toYear(Timestamp)", 2100,
                    "clock_beyond_2100"),
    "a negative count": (call(usage={"input": -7}), "InputTokens", 0, "count_out_of_range"),
    "the largest count": (call(usage={"input": 2**64 - 1}), "InputTokens", 2**64 - 1, ""),
    "a cost of 41 digits": (call(charge=HUGE), "CostUsd", None, "amount_out_of_range"),
    "odd ids": (call(trace_id=b"\xab" * 3, parent_span_id=b"\1" * 40), "TraceId", "ababab", ""),
    "NUL": (call(name="\0", request_model="m\0"), "RequestModel", "m\0", ""),
    "no names": (call(name="", provider="", request_model=""), "SpanName", "", ""),
    "a huge dimension": (call(response_id="x" * 1_000_000), "length(ResponseId)", 1_000_000, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_an_odd_call_is_a_row_and_is_flagged(
    destinations: dict[str, ClickHouse], tables: Client, case: str
) -> None:
    """The counter has one more of its reason, or none if the column holds the value."""
    made, column, expected, reason = CALLS[case]
    number = next(numbers)
    made.span_id = number.to_bytes(8, "big")
    destination = destinations[NATIVE]
    counter = destination._telemetry.clickhouse_adjusted
    before = counter.exact(NATIVE, "llm_calls"), counter.exact(NATIVE, "llm_calls", reason)
    frame = spans_frame(request(span(start_ns=NOW)), seq=number, calls=[call(), made])
    destination.deliver([frame])
    query = f"SELECT {column} FROM llm_calls WHERE SpanId = '{made.span_id.hex()}'"  # noqa: S608  ours
    after = counter.exact(NATIVE, "llm_calls"), counter.exact(NATIVE, "llm_calls", reason)

    assert tables.query(query).result_rows == [(expected,)]
    assert after == tuple(n + bool(reason) for n in before) if reason else after[0] == before[0]


def test_a_call_that_is_older_than_the_table_keeps_is_counted(
    destinations: dict[str, ClickHouse],
) -> None:
    """ClickHouse takes it and drops it at the next merge, without an error."""
    destination = destinations[NATIVE]
    calls = [call(start_ns=NOW - days * DAY) for days in (0, 29, 31, 400)]
    frame = spans_frame(request(span(start_ns=NOW)), seq=next(numbers), calls=calls)
    destination.deliver([frame])

    assert destination._telemetry.clickhouse_expired.exact(NATIVE, "llm_calls") == 2
