"""What comes back of an insert: whole, broken, from somebody else. Each has one verdict."""

from __future__ import annotations

import gzip
import itertools
import logging
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from costspan.errors import CostspanError, Refused, Retryable, TooLarge, Unreachable
from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.model import Frame
from costspan.telemetry import Telemetry
from costspan.testing import request, span
from integration.running_store import RunningStore, count, spans_frame
from integration.scripted_proxy import Scene, ScriptedProxy, scripted_proxy
from records import NOW, call

DATABASE = "answers"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def proxy(store: RunningStore) -> Iterator[ScriptedProxy]:
    with scripted_proxy(store) as running:
        yield running


@pytest.fixture(scope="module")
def through(proxy: ScriptedProxy, store: RunningStore) -> Iterator[ClickHouse]:
    """A destination behind the proxy, with its tables in place."""
    made = ClickHouse("clickhouse", proxy.dsn(store, DATABASE), Telemetry(), writer="w", timeout=5)
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def tables(store: RunningStore) -> Client:
    return store.client(DATABASE)


def one_more() -> tuple[Frame, str]:
    """A frame with a span of its own and its call, and the span's id."""
    number = next(numbers)
    span_id = number.to_bytes(8, "big")
    made = span(start_ns=NOW, span_id=span_id)
    return spans_frame(request(made), seq=number, calls=[call(span_id=span_id)]), span_id.hex()


def rows_of(tables: Client, span_id: str) -> list[int]:
    """In otel_traces and in llm_calls."""
    condition = f"WHERE SpanId = '{span_id}'"
    return [count(tables, f"{table} {condition}") for table in ("otel_traces", "llm_calls")]


def answer(status: str, *headers: str, body: bytes = b"", length: int | None = None) -> bytes:
    """An HTTP answer; `length` may promise more than there is."""
    headers = (*headers, "Connection: close")
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) + (length or 0)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def exception(code: int, text: str, status: str = "500 Internal Server Error") -> bytes:
    body = f"Code: {code}. DB::Exception: {text}".encode()
    return answer(status, f"X-ClickHouse-Exception-Code: {code}", body=body)


GZIPPED = gzip.compress(b"Code: 241. DB::Exception: Memory limit exceeded. (MEMORY)", mtime=0)
PROGRESS = 'X-ClickHouse-Progress: {"read_rows":"1"}'
SUMMARY = 'X-ClickHouse-Summary: {"written_rows":"1"}'
PAGE = b"<html>We are down for maintenance</html>"
AGAIN = [
    ("closed at once", b"", "unreachable"),
    ("half a status line", b"HTTP/1.1 2", "unreachable"),
    ("no HTTP", b"\x15\x03\x01\x00\x02\x02\x28", "unreachable"),
    ("progress and no end", f"HTTP/1.1 200 OK\r\n{PROGRESS}\r\n".encode(), "unreachable"),
    ("less than promised", answer("200 OK", SUMMARY, body=b"x", length=9), "unreachable"),
    ("somebody else's page", answer("200 OK", body=PAGE), "unreachable"),
    ("a proxy without a server", answer("502 Bad Gateway", body=PAGE), "unreachable"),
    ("a burst of 503", answer("503 Service Unavailable", body=b"later"), "unreachable"),
    ("too many requests", answer("429 Too Many Requests"), "busy"),
    ("a gateway's time is up", answer("504 Gateway Timeout"), "timeout"),
    ("a gateway that wants a login", answer("401 Unauthorized"), "login"),
    ("an error behind a 200", exception(241, "memory", "200 OK"), "memory"),
    ("a gzipped error", answer("500 Oops", "X-ClickHouse-Exception-Code: 241",
                               "Content-Encoding: gzip", body=GZIPPED), "memory"),
    ("an error that is no gzip", answer("500 Oops", "Content-Encoding: gzip", body=b"no gzip"),
     "unreachable"),
    ("a code that is no number", answer("500 Oops", "X-ClickHouse-Exception-Code: x"),
     "unreachable"),
    ("too many parts", exception(252, "Too many parts (300)"), "too_many_parts"),
    ("a server that stops", exception(236, "Query is cancelled: ABORTED"), "server_error"),
    ("read only", exception(242, "Table is in readonly mode"), "read_only"),
    ("no Keeper", exception(999, "Session expired"), "keeper"),
    ("a full disk", exception(243, "Cannot reserve 1.00 MiB"), "disk_full"),
    ("a profile that forbids", exception(452, "Setting async_insert should not be changed"),
     "settings"),
    ("no right to insert", exception(497, "Not enough privileges"), "login"),
    ("somebody's view", exception(6, "Cannot parse string 'x': while pushing to view o.theirs"
                                  " (uuid): while pushing to view o.otel_traces_otlp_mv"), "view"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "reason"), [row[1:] for row in AGAIN], ids=[row[0] for row in AGAIN]
)
@pytest.mark.parametrize("stored", [False, True], ids=["lost", "stored"])
def test_what_is_not_the_datas_fault_is_sent_again_and_ends_as_one_row(
    proxy: ScriptedProxy,
    through: ClickHouse,
    tables: Client,
    raw: bytes,
    reason: str,
    stored: bool,  # noqa: FBT001  a parameter of pytest's
) -> None:
    """Whether or not ClickHouse had written it."""
    proxy.script.append(Scene(raw, stored))
    before = proxy.inserts
    frame, span_id = one_more()
    outcomes = [attempt(through, [frame]) for _ in range(2)]

    assert isinstance(outcomes[0], Unreachable)
    assert outcomes[0].reason == reason
    assert outcomes[0].after == 0
    assert outcomes[1] is None
    assert proxy.inserts == before + 2  # the client library sends nothing again by itself
    assert rows_of(tables, span_id) == [1, 1]


def attempt(destination: ClickHouse, frames: list[Frame]) -> CostspanError | None:
    try:
        destination.deliver(frames)
    except Retryable as fault:
        return fault
    return None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (exception(469, "Constraint `c` is violated at row 1"), "constraint"),
        (exception(33, "Cannot read all data"), "cannot_parse"),
        (exception(6, "while pushing to view o.otel_traces_otlp_mv"), "cannot_parse"),
    ],
)
def test_the_datas_fault_is_final(
    proxy: ScriptedProxy, through: ClickHouse, raw: bytes, reason: str
) -> None:
    """The runner halves what it was; nothing is tried again as it is."""
    proxy.script.append(Scene(raw))
    with pytest.raises(Refused) as refusal:
        through.deliver([one_more()[0]])

    assert refusal.value.reason == reason


def test_a_body_that_a_proxy_finds_too_large_may_come_in_halves(
    proxy: ScriptedProxy, through: ClickHouse
) -> None:
    """413 comes from a gateway (nginx takes 1 MiB): the same bytes would be refused for ever."""
    proxy.script.append(Scene(answer("413 Request Entity Too Large", body=PAGE)))
    with pytest.raises(TooLarge, match="HTTP status 413"):
        through.deliver([one_more()[0]])


def test_an_operator_is_called_once(
    proxy: ScriptedProxy, through: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what is to be mended, and not at every attempt; a success ends it."""
    forbidden = Scene(exception(452, "Setting async_insert should not be changed"))
    proxy.script += [forbidden, forbidden]
    frame, _ = one_more()
    with caplog.at_level(logging.ERROR):
        outcomes = [attempt(through, [frame]) for _ in range(3)]
        proxy.script.append(forbidden)
        attempt(through, [frame])
    attempt(through, [frame])

    assert [outcome is None for outcome in outcomes] == [False, False, True]
    assert caplog.text.count("refuses a setting that it needs") == 2


def test_a_view_of_others_that_fails_doubles_nothing(
    destination: ClickHouse, client: Client
) -> None:
    """ClickHouse has written the spans before it fails: they wait for the view to be mended."""
    destination.open()
    client.command("CREATE TABLE theirs (n UInt64) ENGINE = MergeTree ORDER BY n")
    client.command(
        "CREATE MATERIALIZED VIEW theirs_mv TO theirs AS"
        " SELECT toUInt64(SpanAttributes['n']) AS n FROM otel_traces"
    )
    frames = [
        spans_frame(request(span({"n": text}, start_ns=NOW)), seq=seq)
        for seq, text in enumerate(["1", "no number"], 1)
    ]
    with pytest.raises(Unreachable) as fault:
        destination.deliver(frames)
    client.command("DROP VIEW theirs_mv SYNC")
    destination.deliver(frames)

    assert fault.value.reason == "view"
    assert count(client, "otel_traces") == 2
