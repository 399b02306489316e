"""A Collector with a queue on disk in front of costspan, which ends three times under load.

What the Collector acked must be downstream, in the sink and in ClickHouse. With a journal in memory
costspan is stopped: each stop has to hand over what it holds, and what it no longer takes the
Collector keeps. With a journal on disk it is killed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from costspan.demo.line import Line, free_ports
from integration.accounting import at_rest
from integration.both_ends import Arrivals, Stored
from integration.collector import Collector
from integration.lines import eventually, otlp, running
from integration.otlp_sink import OtlpSink
from integration.prometheus import value
from integration.running_store import RunningStore
from integration.steady_load import SPANS, Books, SteadyLoad

pytestmark = [pytest.mark.slow, pytest.mark.collector]

CONFIG = Path(__file__).parent / "configs" / "collector-persistent.yaml"
EXPORTERS = ("otlp_grpc", "otlp_http")
MORE = 20 * SPANS  # acked by the Collector before each stop, and again while costspan is away
CATCH_UP = 30.0  # seconds


class Scene(NamedTuple):
    """Load, Collector, costspan, and one of the two ends."""

    load: SteadyLoad
    collector: Collector
    line: Line
    arrivals: Arrivals
    killed: bool  # or else stopped

    def more(self) -> None:
        """Wait until the Collector has acked a good deal more."""
        enough = len(self.load.books().spans) + MORE
        eventually(lambda: len(self.load.books().spans) >= enough)

    def end(self) -> int | None:
        """Costspan ends, in its way: exit code."""
        if self.killed:
            os.kill(self.line.pid, signal.SIGKILL)
            return self.line.ended(within=10)
        return self.line.stop()

    def restart(self, meanwhile: Callable[[], None] = lambda: None) -> int | None:
        """End costspan under load, let the queue grow, start it on the same ports: exit code."""
        self.more()
        code = self.end()
        meanwhile()
        self.more()
        self.line.start()
        return code

    def crash_collector(self) -> None:
        """SIGKILL; its queue is on disk."""
        self.collector.kill()
        self.collector.start()

    def settle(self, stored: Stored) -> Books:
        """End the load; wait until both ends have all of it."""
        self.load.stop()
        books = self.load.books()
        eventually(lambda: books.spans.keys() <= self.arrivals.counts().keys(), CATCH_UP)
        eventually(lambda: books.spans.keys() <= stored.spans().keys(), CATCH_UP)
        eventually(lambda: at_rest(self.line.ports.metrics))
        return books


class Ended(NamedTuple):
    """What is known when everything has settled."""

    killed: bool
    books: Books
    exit_codes: Sequence[int | None]
    log: str
    downstream: Mapping[str, int]
    rows: Mapping[str, int]
    calls: Sequence[tuple[str, Decimal | None]]


def collector_to(
    line: Line, exporter: str, otelcol: Path, directory: Path
) -> tuple[Collector, int]:
    """A Collector that sends to the line, and its own port."""
    ports, queue = free_ports(), directory / "queue"
    queue.mkdir()
    environment = {
        "COLLECTOR_IN": str(ports.grpc),
        "COLLECTOR_HEALTH": str(ports.health),
        "COSTSPAN_GRPC": str(line.ports.grpc),
        "COSTSPAN_HTTP": str(line.ports.http),
        "EXPORTER": exporter,
        "QUEUE": str(queue),
    }
    log = directory / "collector.log"
    made = Collector(otelcol, CONFIG, health=ports.health, log=log, environment=environment)
    return made, ports.grpc


@contextmanager
def scene(
    exporter: str, otelcol: Path, directory: Path, dsn: str, *, killed: bool
) -> Iterator[Scene]:
    """Everything runs inside."""
    with ExitStack() as stack:
        sink = stack.enter_context(OtlpSink())
        ends = {"otlp": otlp(sink.endpoint), "clickhouse": {"endpoint": dsn}}
        journal = {"directory": str(directory / "journal")} if killed else None
        line = stack.enter_context(running(directory, ends, journal=journal, drain="10s"))
        collector, port = collector_to(line, exporter, otelcol, directory)
        stack.enter_context(collector)
        load = stack.enter_context(SteadyLoad(port, exporter, requests_per_second=20))
        yield Scene(load, collector, line, Arrivals(lambda: sink.bodies("traces")), killed)


@pytest.fixture(
    scope="module",
    params=[(exporter, killed) for killed in (False, True) for exporter in EXPORTERS],
    ids=lambda param: f"{param[0]}-{'killed' if param[1] else 'stopped'}",
)
def ended(
    request: pytest.FixtureRequest,
    otelcol: Path,
    tmp_path_factory: pytest.TempPathFactory,
    store: RunningStore,
) -> Ended:
    """Three restarts: plain, with a crash of the Collector meanwhile, and after one under load."""
    exporter, killed = request.param
    directory, database = tmp_path_factory.mktemp("client"), f"client_{exporter}_{killed}"
    stored = Stored(store.client(database))
    dsn = store.dsn_of(database)
    with scene(exporter, otelcol, directory, dsn, killed=killed) as played:
        codes = [played.restart(), played.restart(played.crash_collector)]
        played.crash_collector()
        codes.append(played.restart())
        books = played.settle(stored)
        codes.append(played.line.stop())
        return Ended(
            killed=killed,
            books=books,
            exit_codes=codes,
            log=played.line.log.read_text(),
            downstream=played.arrivals.counts(),
            rows=stored.spans(),
            calls=stored.calls(),
        )


def test_nothing_that_the_collector_acked_is_missing(ended: Ended) -> None:
    """And nothing is there that was never sent."""
    assert len(ended.books.spans) >= 6 * MORE
    assert ended.downstream.keys() == ended.books.spans.keys()
    assert ended.rows.keys() == ended.books.spans.keys()


def test_every_call_is_in_the_store_once_with_its_exact_cost(ended: Ended) -> None:
    """Whatever was sent again, by whom and how often."""
    assert len(ended.calls) == len(ended.books.costs)
    assert dict(ended.calls) == ended.books.costs


def test_every_stop_hands_over_what_it_holds_and_ends_with_0(ended: Ended) -> None:
    ends = [-signal.SIGKILL] * 3 if ended.killed else [0] * 3

    assert ended.exit_codes == [*ends, 0]
    assert ended.log.count("stopped; 0 items were left") == (1 if ended.killed else 4)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_what_costspan_has_no_room_for_the_collector_keeps(
    otelcol: Path, tmp_path: Path, exporter: str
) -> None:
    """Its refusals are such that the Collector asks again, and does not throw away."""
    port = free_ports().grpc
    ends = {"otlp": otlp(f"127.0.0.1:{port}")}
    with ExitStack() as stack:
        line = stack.enter_context(running(tmp_path, ends, journal={"max_size": "1MiB"}))
        collector, entry = collector_to(line, exporter, otelcol, tmp_path)
        stack.enter_context(collector)
        load = stack.enter_context(SteadyLoad(entry, exporter, requests_per_second=50))
        refused = "costspan_receiver_refused_items_total"
        eventually(lambda: value(line.ports.metrics, refused, reason="full"))
        sink = stack.enter_context(OtlpSink(port))
        load.stop()
        arrivals = Arrivals(lambda: sink.bodies("traces"))
        acked = load.books().spans.keys()
        eventually(lambda: acked <= arrivals.counts().keys(), CATCH_UP)
