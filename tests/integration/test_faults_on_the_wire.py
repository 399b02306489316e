"""Connections that break under load, in front of OTLP over gRPC, OTLP over HTTP and ClickHouse.

All three suffer the same fault at the same time, through a proxy each; then they recover.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec import structs

from integration.accounting import Account, accounts, at_rest
from integration.both_ends import Arrivals, Stored
from integration.fault_proxy import Fault, FaultProxy
from integration.lines import eventually, otlp, running
from integration.otlp_sink import OtlpSink
from integration.prometheus import value
from integration.running_store import RunningStore
from integration.steady_load import SPANS, Books, SteadyLoad
from peers import HttpPeer

pytestmark = pytest.mark.slow

FAULTS = (Fault.REFUSE, Fault.RESET, Fault.CUT, Fault.HANG, Fault.SLOW)
NAMES = ("otlp", "otlphttp", "clickhouse")
SILENT = (Fault.REFUSE, Fault.HANG)
OFTEN = 2
WARM = 10 * SPANS
RETRY = {"initial_interval": "100ms", "max_interval": "300ms"}
FAILURES = "costspan_exporter_send_failures_total"


class Ended(NamedTuple):
    """What is known when everything has settled."""

    fault: Fault
    books: Books
    refusals: int
    hits: Mapping[str, int]
    failures: Mapping[str, float]  # attempts that costspan saw fail
    arrived: Mapping[str, Mapping[str, int]]  # how often each span did, by destination
    stored: Stored
    accounts: Mapping[tuple[str, str], Account]


class Scene:
    """The line, its load and its three ends, each behind a proxy."""

    def __init__(self, stack: ExitStack, directory: Path, store: RunningStore, name: str) -> None:
        self._sink = stack.enter_context(OtlpSink())
        self._peer = stack.enter_context(HttpPeer())
        endpoint = store.embedded.endpoint
        servers = (self._sink.port, self._peer.port, endpoint.port)
        self._proxies = {
            name: stack.enter_context(FaultProxy(port))
            for name, port in zip(NAMES, servers, strict=True)
        }
        dsn = structs.replace(endpoint, port=self._proxies["clickhouse"].port).dsn(name)
        ends = {
            "otlp": otlp(self._proxies["otlp"].endpoint),
            "otlphttp": otlp(f"http://{self._proxies['otlphttp'].endpoint}"),
            "clickhouse": {"endpoint": dsn, "retry_on_failure": RETRY},
        }
        line = stack.enter_context(
            running(directory, {n: e | {"timeout": "1s"} for n, e in ends.items()})
        )
        self._metrics = line.ports.metrics
        self._load = stack.enter_context(SteadyLoad(line.ports.grpc, name, requests_per_second=40))
        self._stored = Stored(store.client(name))

    def play(self, fault: Fault) -> Ended:
        """Warm up, the fault, health, rest."""
        eventually(lambda: self._sent() >= WARM)
        for proxy in self._proxies.values():
            proxy.ail(fault)
        eventually(lambda: self._happened(fault))
        for proxy in self._proxies.values():
            proxy.heal()
        self._load.stop()
        eventually(lambda: at_rest(self._metrics), 30)
        return Ended(
            fault=fault,
            books=self._load.books(),
            refusals=self._load.refusals,
            hits={name: proxy.hits[fault] for name, proxy in self._proxies.items()},
            failures=self._failures(),
            arrived={
                "otlp": Arrivals(lambda: self._sink.bodies("traces")).counts(),
                "otlphttp": Arrivals(lambda: [each.body for each in self._peer.received]).counts(),
                "clickhouse": self._stored.spans(),
            },
            stored=self._stored,
            accounts=accounts(self._metrics),
        )

    def _sent(self) -> float:
        """Spans that have reached the slowest destination."""
        name = "costspan_exporter_sent_items_total"
        return min(value(self._metrics, name, exporter=n, signal="traces") for n in NAMES)

    def _failures(self) -> dict[str, float]:
        return {name: value(self._metrics, FAILURES, exporter=name) for name in NAMES}

    def _happened(self, fault: Fault) -> bool:
        """Often, to each of them. What only an attempt's end shows, costspan has to count."""
        if fault in SILENT:
            return min(self._failures().values()) >= OFTEN
        return all(proxy.hits[fault] >= OFTEN for proxy in self._proxies.values())


@pytest.fixture(scope="module", params=FAULTS, ids=lambda fault: fault.value)
def ended(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    store: RunningStore,
) -> Iterator[Ended]:
    fault: Fault = request.param
    with ExitStack() as stack:
        name = f"wire_{fault.value}"
        yield Scene(stack, tmp_path_factory.mktemp(name), store, name).play(fault)


def test_the_fault_really_happened(ended: Ended) -> None:
    assert min(ended.hits.values()) >= (1 if ended.fault is Fault.REFUSE else OFTEN), ended.hits


def test_it_was_noticed(ended: Ended) -> None:
    """What is slow still arrives, within its time or after it."""
    if ended.fault is not Fault.SLOW:
        assert min(ended.failures.values()) >= 1, ended.failures


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_was_acked_is_missing(ended: Ended, name: str) -> None:
    """And nothing is there that was never sent; no client was held up."""
    assert ended.arrived[name].keys() == ended.books.spans.keys()
    assert ended.refusals == 0


def test_only_otlp_may_see_a_request_twice(ended: Ended) -> None:
    """And does, where the answer was lost: the server had done its work."""
    assert set(ended.arrived["clickhouse"].values()) == {1}
    for name in ("otlp", "otlphttp"):
        twice = max(ended.arrived[name].values()) > 1
        assert twice or ended.fault not in (Fault.RESET, Fault.CUT), name


def test_every_call_is_in_the_store_once_with_its_exact_cost(ended: Ended) -> None:
    books, calls = ended.books, ended.stored.calls()
    traces = len(books.spans) // SPANS

    assert len(calls) == len(books.costs)
    assert dict(calls) == books.costs
    assert ended.stored.totals() == (books.cost, len(books.costs), len(books.spans), traces)


def test_each_account_adds_up(ended: Ended) -> None:
    """Nothing was rejected, dead-lettered or dropped, and nothing waits any more."""
    assert {exporter for exporter, _ in ended.accounts} == set(NAMES)
    for (exporter, signal), account in ended.accounts.items():
        assert account.accepted == account.sent == account.settled, (exporter, account)
        assert signal != "traces" or account.sent == len(ended.books.spans)
