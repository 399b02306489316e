"""Answers that refuse an insert, one after the other under load, and OTLP peers with small limits.

What OTLP peers answer beside that is in test_stubborn_destinations.py. ClickHouse knows no partial
success.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from msgspec import structs

from integration.accounting import Account, accounts, at_rest
from integration.both_ends import Stored
from integration.lines import eventually, running
from integration.moody_gateway import Mood, MoodyGateway
from integration.prometheus import value
from integration.running_store import RunningStore
from integration.steady_load import SPANS, Books, SteadyLoad

pytestmark = pytest.mark.slow

OFTEN = 3
RETRY = {"initial_interval": "50ms", "max_interval": "200ms"}
SENT = "costspan_exporter_sent_items_total"
FAILURES = "costspan_exporter_send_failures_total"


def clickhouse_says(code: int, text: str) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers of a server that refuses."""
    body = f"Code: {code}. DB::Exception: {text}".encode()
    return body, {"X-ClickHouse-Exception-Code": str(code), "Content-Type": "text/plain"}


MOODS = (
    Mood("unavailable", 503, b"no healthy upstream", {"Content-Type": "text/plain"}),
    Mood("written_and_lost", 504, b"upstream request timeout", written=True),
    Mood("throttled", 429, b"slow down", {"Retry-After": "1"}),
    Mood("too_many_parts", 500, *clickhouse_says(252, "Too many parts (300). (TOO_MANY_PARTS)")),
    Mood("memory", 500, *clickhouse_says(241, "Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)")),
    Mood(
        "read_only", 500, *clickhouse_says(242, "Table is in readonly mode. (TABLE_IS_READ_ONLY)")
    ),
    Mood("cut_short", 200, b"", missing=9),
    Mood("written_and_cut_short", 200, b"", written=True, missing=9),
    Mood("not_found", 404, b"default backend - 404"),
    Mood("forbidden", 403, b"<html>who are you?</html>"),
)


class Ended(NamedTuple):
    """What is known when everything has settled."""

    books: Books
    refusals: int
    hits: Mapping[str, int]
    failures: Mapping[str, float]  # attempts that costspan saw fail, by mood
    stored: Stored
    account: Account


def play(line_metrics: int, gateway: MoodyGateway, load: SteadyLoad, stored: Stored) -> Ended:
    """Mood after mood; between two of them something gets through."""
    failures: dict[str, float] = {}
    for mood in MOODS:
        before, sent = value(line_metrics, FAILURES), value(line_metrics, SENT)
        gateway.mood = mood
        eventually(lambda mood=mood: gateway.hits[mood.name] >= OFTEN)  # type: ignore[misc]
        gateway.mood = None
        failures[mood.name] = value(line_metrics, FAILURES) - before
        eventually(lambda sent=sent: value(line_metrics, SENT) > sent)  # type: ignore[misc]
    load.stop()
    eventually(lambda: at_rest(line_metrics), 30)
    return Ended(
        books=load.books(),
        refusals=load.refusals,
        hits=gateway.hits,
        failures=failures,
        stored=stored,
        account=accounts(line_metrics)["clickhouse", "traces"],
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, store: RunningStore) -> Iterator[Ended]:
    name = "moods"
    with ExitStack() as stack:
        endpoint = store.embedded.endpoint
        gateway = stack.enter_context(MoodyGateway(endpoint.port))
        dsn = structs.replace(endpoint, port=gateway.port).dsn(name)
        batch = {"batch": {"flush_timeout": "100ms"}}
        ends = {"endpoint": dsn, "retry_on_failure": RETRY, "sending_queue": batch}
        directory = tmp_path_factory.mktemp(name)
        line = stack.enter_context(running(directory, {"clickhouse": ends}))
        load = stack.enter_context(SteadyLoad(line.ports.grpc, name, requests_per_second=20))
        stored = Stored(store.client(name))
        eventually(lambda: value(line.ports.metrics, SENT) >= SPANS)
        yield play(line.ports.metrics, gateway, load, stored)


@pytest.mark.parametrize("name", [mood.name for mood in MOODS])
def test_each_answer_was_given_and_was_no_ack(ended: Ended, name: str) -> None:
    assert ended.hits[name] >= OFTEN
    assert ended.failures[name] >= OFTEN - 1  # the last one may still be on its way


def test_every_span_is_in_the_store_once(ended: Ended) -> None:
    """Those too that were written although the answer said otherwise."""
    assert ended.stored.spans() == dict.fromkeys(ended.books.spans, 1)
    assert ended.refusals == 0


def test_every_call_is_in_the_store_once_with_its_exact_cost(ended: Ended) -> None:
    books, calls = ended.books, ended.stored.calls()
    traces = len(books.spans) // SPANS

    assert len(calls) == len(books.costs)
    assert dict(calls) == books.costs
    assert ended.stored.totals() == (books.cost, len(books.costs), len(books.spans), traces)


def test_the_account_adds_up(ended: Ended) -> None:
    account = ended.account

    assert account.accepted == account.sent == account.settled == len(ended.books.spans)
