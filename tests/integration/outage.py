"""Lines under steady load whose destinations can be killed: real processes. No claims here."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from costspan.demo.line import Line, free_ports
from integration.accounting import Account, accounts, at_rest
from integration.both_ends import Arrivals, Stored, Totals
from integration.collector import Collector
from integration.lines import eventually, otlp, running
from integration.mortal_store import MortalStore
from integration.otlp_sink import OtlpSink
from integration.prometheus import samples, value
from integration.running_store import RunningStore
from integration.steady_load import SPANS, Books, SteadyLoad

BOUND = 15.0  # seconds until a living destination has what was acked: half of the outage
RECOVERY = 60.0  # the same for one that was dead, and is back
COLLECTOR, STORE, BOTH = "collector", "store", "both"  # a line's name says what it loses
LINES = (COLLECTOR, STORE, BOTH)
# no queue: one in memory would ack what a kill then loses, and test the Collector instead of us
CONFIG = Path(__file__).parent / "configs" / "collector-transparent.yaml"
_RETRY = {"initial_interval": "100ms", "max_interval": "1s"}
_WARM = 10 * SPANS
_PAUSE = 0.5  # seconds between two looks


class Health(NamedTuple):
    """What `/healthz/ready?verbose` said."""

    status: int
    dead: list[str]


class Ended(NamedTuple):
    """All that is known of one line when everything has settled."""

    name: str
    books: Books
    refusals: int  # answers to the load that were no ack
    slowest_ack: float  # seconds
    pids: set[int]
    healths: Sequence[Health]  # during the outage
    lags: Sequence[float]  # seconds until the living destination had what was acked
    downstream: Mapping[str, int]
    rows: Mapping[str, int]
    calls: Sequence[tuple[str, Decimal | None]]
    totals: Totals
    accounts: Mapping[tuple[str, str], Account]
    costs: Mapping[tuple[str, str], float]  # by model and bucket, as Prometheus has them
    accepted: float


class Rig:
    """One line between its load and its two destinations."""

    def __init__(self, name: str, line: Line, load: SteadyLoad, sink: OtlpSink) -> None:
        self.name = name
        self.load = load
        self.stored: Stored | None = None  # while its store lives
        self._line = line
        self._arrivals = Arrivals(lambda: sink.bodies("traces"))
        self._pids = {line.pid}
        self._healths: list[Health] = []
        self._lags: list[float] = []

    def warm_up(self) -> None:
        eventually(lambda: len(self.load.books().spans) >= _WARM)

    def crash(self) -> None:
        """SIGKILL, and a start on what is in its journal."""
        os.kill(self._line.pid, signal.SIGKILL)
        self._line.ended(within=10)
        self._line.start()

    def look(self) -> None:
        """One look during the outage: does the living destination keep up, what says the health."""
        if self.name == COLLECTOR:
            self._lags.append(self.catch_up(BOUND, downstream=False))
        if self.name == STORE:
            self._lags.append(self.catch_up(BOUND, stored=False))
        self._pids.add(self._line.pid)
        self._healths.append(_health(self._line))

    def catch_up(
        self, within: float = RECOVERY, *, downstream: bool = True, stored: bool = True
    ) -> float:
        """Wait until the destinations have every span that is acked now; how long that took."""
        spans, began = self.load.books().spans.keys(), time.monotonic()
        if downstream:
            eventually(lambda: spans <= self._arrivals.counts().keys(), within)
        if stored:
            tables = self._tables()
            eventually(lambda: spans <= tables.spans().keys(), within)
        return time.monotonic() - began

    def end(self) -> Ended:
        """Stop the load, let everything settle, and write down what is where."""
        self.load.stop()
        self.catch_up()
        port, tables = self._line.ports.metrics, self._tables()
        eventually(lambda: at_rest(port))
        series = samples(port, "costspan_cost_usd_total", service_name=self.name)
        return Ended(
            name=self.name,
            books=self.load.books(),
            refusals=self.load.refusals,
            slowest_ack=self.load.slowest,
            pids=self._pids,
            healths=self._healths,
            lags=self._lags,
            downstream=dict(self._arrivals.counts()),
            rows=tables.spans(),
            calls=tables.calls(),
            totals=tables.totals(),
            accounts=accounts(port),
            costs={(s.labels["model"], s.labels["token_type"]): s.value for s in series if s.value},
            accepted=value(port, "costspan_receiver_accepted_items_total"),
        )

    def _tables(self) -> Stored:
        assert self.stored is not None, "the store is dead: nobody can ask it"
        return self.stored


class Place:
    """Where the three lines run side by side, so that one outage serves them all."""

    def __init__(
        self,
        otelcol: Path,
        directory: Path,
        living: RunningStore,
        mortal: MortalStore,
        *,
        on_disk: bool = False,
    ) -> None:
        self._otelcol = otelcol
        self._directory = directory
        self._living = living
        self._mortal = mortal
        self._on_disk = on_disk
        self._collectors: list[Collector] = []  # those that are killed

    def database(self, name: str) -> str:
        """Where a line's rows are."""
        return f"outage_{name}_{'disk' if self._on_disk else 'memory'}"

    @contextmanager
    def rigs(self) -> Iterator[list[Rig]]:
        """The three lines, under load."""
        with ExitStack() as stack:
            yield [self._rig(name, stack) for name in LINES]

    @contextmanager
    def readers(self, rigs: Sequence[Rig]) -> Iterator[None]:
        """Inside, every store can be asked."""
        with ExitStack() as stack:
            for rig in rigs:
                if rig.name == COLLECTOR:
                    client = self._living.client(self.database(rig.name))
                else:
                    client = stack.enter_context(self._mortal.client(self.database(rig.name)))
                rig.stored = Stored(client)
            yield

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Inside, what can be killed is dead."""
        for collector in self._collectors:
            collector.kill()
        self._mortal.kill()
        yield
        for collector in self._collectors:
            collector.start()
        self._mortal.start()

    def _rig(self, name: str, stack: ExitStack) -> Rig:
        sink = stack.enter_context(OtlpSink())
        port = self._collector(name, sink, stack)
        store = self._living.embedded if name == COLLECTOR else self._mortal
        dsn = store.endpoint.dsn(self.database(name))
        exporters = {
            "otlp": {**otlp(f"127.0.0.1:{port}"), "retry_on_failure": _RETRY},
            "clickhouse": {"endpoint": dsn, "retry_on_failure": _RETRY},
        }
        directory = self._directory / name
        directory.mkdir()
        journal = {"directory": str(directory / "journal")} if self._on_disk else None
        line = stack.enter_context(running(directory, exporters, journal=journal))
        load = stack.enter_context(SteadyLoad(line.ports.grpc, name))
        return Rig(name, line, load, sink)

    def _collector(self, name: str, sink: OtlpSink, stack: ExitStack) -> int:
        """A Collector in front of the sink; its port."""
        ports = free_ports()
        environment = {
            "COLLECTOR_IN": str(ports.grpc),
            "COLLECTOR_OUT": str(sink.port),
            "COLLECTOR_HEALTH": str(ports.health),
        }
        log = self._directory / f"collector-{name}.log"
        collector = stack.enter_context(
            Collector(self._otelcol, CONFIG, health=ports.health, log=log, environment=environment)
        )
        if name != STORE:
            self._collectors.append(collector)
        return ports.grpc


def play(
    place: Place, rigs: Sequence[Rig], seconds: float, *, crash: bool = False
) -> dict[str, Ended]:
    """Warm up, the outage, recovery under load, the end of the load.

    `crash`: at the end of the outage costspan dies too, and is started before anybody else.
    """
    for rig in rigs:
        rig.warm_up()
    with place.readers(rigs):
        for rig in rigs:
            rig.catch_up()
    with place.outage():
        over, pause = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < over:
            for rig in rigs:
                rig.look()
            pause.wait(_PAUSE)
        for rig in rigs if crash else ():
            rig.crash()
    with place.readers(rigs):
        for rig in rigs:
            rig.catch_up()
        return {rig.name: rig.end() for rig in rigs}


def _health(line: Line) -> Health:
    url = f"http://127.0.0.1:{line.ports.health}/healthz/ready?verbose"
    with urllib.request.urlopen(url, timeout=5) as answer:
        parts: dict[str, dict[str, Any]] = json.load(answer)["components"]
        return Health(answer.status, [name for name, part in parts.items() if not part["ok"]])
