"""Eight destinations of one line under load, six of them in trouble: each gets its due.

The answers are those of the OTLP specification (opentelemetry-proto, docs/specification.md,
"Failures"). In one point costspan is more patient than it demands: RESOURCE_EXHAUSTED without
RetryInfo may be given up, and is tried again for ever, because a Collector behind a memory limiter
says it without meaning it (Collector issue 15126).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, NamedTuple

import grpc
import pytest

from integration.accounting import Account, accounts, at_rest
from integration.both_ends import Stored
from integration.lines import eventually, otlp, running
from integration.otlp_sink import OtlpSink, spans_of
from integration.running_store import RunningStore
from integration.steady_load import SPANS, Books, SteadyLoad, nth
from integration.stubborn_sink import Attempt, StubbornGrpc, StubbornHttp, StubbornSink
from peers import HANG, OK, UNAVAILABLE, Answer, partial

pytestmark = pytest.mark.slow

BOUND = 15.0  # seconds until the living destinations have what was acked
ENOUGH = 30 * SPANS
HINT = 1.0  # seconds: the RetryInfo of the throttled one
REJECTED = (7, 3, 1)
POISONED = 12  # the request that the fussy one refuses
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
MOODS = {
    "unavailable": UNAVAILABLE,
    "throttled": Answer(EXHAUSTED, 429, "slow down", HINT),
    "exhausted": Answer(EXHAUSTED, 429, "no room"),
    "hanging": HANG,
    "partial": OK,
    "fussy": OK,
}
PATIENT = ("unavailable", "throttled", "exhausted", "hanging")
Sinks = Mapping[str, StubbornSink]


class Ended(NamedTuple):
    """What is known when everything has settled."""

    books: Books
    refusals: int
    taken_too_early: Mapping[str, int]  # requests, while it should have refused
    attempts: Mapping[str, Sequence[Attempt]]
    taken: Mapping[str, set[str]]  # span ids
    living: set[str]
    stored: Stored
    accounts: Mapping[str, Account]  # of spans, by the sink's name


def ids(bodies: Sequence[bytes]) -> set[str]:
    return {span.span_id.hex() for span in spans_of(bodies)}


def exporters(kind: str, sinks: Sinks, living: OtlpSink, dsn: str) -> dict[str, Any]:
    """The living OTLP one first: it may hold clients back."""
    troubled = {f"{kind}/{n}": {**otlp(s.endpoint), "timeout": "1s"} for n, s in sinks.items()}
    return {"otlp": otlp(living.endpoint), **troubled, "clickhouse": {"endpoint": dsn}}


def play(load: SteadyLoad, port: int, sinks: Sinks, living: OtlpSink, stored: Stored) -> Ended:
    """Under load: trouble, until the living ones have enough; then everybody gives in."""
    eventually(lambda: len(load.books().spans) >= ENOUGH)
    eventually(lambda: all(len(sinks[name].attempts()) >= 3 for name in PATIENT))
    books = load.books()
    eventually(lambda: books.spans.keys() <= ids(living.bodies("traces")), BOUND)
    eventually(lambda: books.spans.keys() <= stored.spans().keys(), BOUND)
    too_early = {name: len(sinks[name].taken()) for name in PATIENT}
    for sink in sinks.values():
        sink.give_in()
    load.stop()
    eventually(lambda: at_rest(port), 30)
    by_name = {
        e.rpartition("/")[2]: a for (e, signal), a in accounts(port).items() if signal == "traces"
    }
    return Ended(
        books=load.books(),
        refusals=load.refusals,
        taken_too_early=too_early,
        attempts={name: sink.attempts() for name, sink in sinks.items()},
        taken={name: ids(sink.taken()) for name, sink in sinks.items()},
        living=ids(living.bodies("traces")),
        stored=stored,
        accounts=by_name,
    )


@pytest.fixture(scope="module", params=["otlp", "otlphttp"])
def ended(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, store: RunningStore
) -> Iterator[Ended]:
    kind: str = request.param
    directory, database = tmp_path_factory.mktemp(kind), f"stubborn_{kind}"
    make = StubbornGrpc if kind == "otlp" else StubbornHttp
    with ExitStack() as stack:
        sinks: dict[str, StubbornSink] = {
            name: stack.enter_context(make(mood)) for name, mood in MOODS.items()
        }
        sinks["partial"].script = [partial(count) for count in REJECTED]
        sinks["fussy"].poison = nth(kind, POISONED, 0).trace_id
        living = stack.enter_context(OtlpSink())
        all_of_them = exporters(kind, sinks, living, store.dsn_of(database))
        line = stack.enter_context(running(directory, all_of_them))
        load = stack.enter_context(SteadyLoad(line.ports.grpc, kind))
        stored = Stored(store.client(database))
        yield play(load, line.ports.metrics, sinks, living, stored)


def test_the_living_ones_got_everything_while_the_others_refused(ended: Ended) -> None:
    """In that order: nobody in trouble had taken anything yet, and no client was sent away."""
    assert ended.taken_too_early == dict.fromkeys(PATIENT, 0)
    assert ended.living == ended.books.spans.keys() == ended.stored.spans().keys()
    assert ended.refusals == 0


@pytest.mark.parametrize("name", [*PATIENT, "partial"])
def test_who_gives_in_has_missed_nothing(ended: Ended, name: str) -> None:
    assert ended.taken[name] == ended.books.spans.keys()


def test_the_asked_delay_is_kept(ended: Ended) -> None:
    """RetryInfo or Retry-After: never earlier."""
    refused = [each.at for each in ended.attempts["throttled"] if each.answer is not OK]

    assert len(refused) >= 3
    assert all(after - before >= HINT for before, after in pairwise(refused))


def test_who_refuses_one_request_for_good_gets_all_others(ended: Ended) -> None:
    missing = ended.books.spans.keys() - ended.taken["fussy"]

    assert missing == nth("", POISONED, 0).spans.keys()
    assert ended.accounts["fussy"].dead_lettered == len(missing) == SPANS


def test_what_a_partial_success_rejects_is_counted_and_not_sent_again(ended: Ended) -> None:
    bodies = [each.body for each in ended.attempts["partial"]]

    assert ended.accounts["partial"].rejected == sum(REJECTED)
    assert len(spans_of(bodies)) == len(ended.books.spans)


def test_each_account_adds_up(ended: Ended) -> None:
    """Accepted = sent + rejected + dead-lettered + dropped + queued, and nothing was dropped."""
    spans = len(ended.books.spans)
    lost = {"partial": sum(REJECTED), "fussy": SPANS}

    assert ended.accounts.keys() == {*MOODS, "otlp", "clickhouse"}
    for name, account in ended.accounts.items():
        assert account.accepted == account.settled == spans, (name, account)
        assert account.sent == spans - lost.get(name, 0), (name, account)
        assert account.dropped == account.queued == 0, (name, account)


def test_every_call_is_in_the_store_once_with_its_exact_cost(ended: Ended) -> None:
    calls = ended.stored.calls()

    assert len(calls) == len(ended.books.costs)
    assert dict(calls) == ended.books.costs
