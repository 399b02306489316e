"""costspan dies by SIGKILL, round after round, on one journal directory and under load. No claims.

The load's own books are the truth; both ends outlive every round.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from costspan.demo.line import configuration, free_ports
from integration.accounting import Account, accounts, at_rest
from integration.both_ends import Arrivals, Stored, Totals
from integration.crash_launcher import MUTATION, POINTS
from integration.crash_line import CrashLine
from integration.lines import eventually, otlp
from integration.otlp_sink import OtlpSink
from integration.running_store import RunningStore
from integration.steady_load import SPANS, Books, SteadyLoad

PER_TRACE = 3  # requests
_AT_START = frozenset({"in recovery", "in replay"})  # passed once
_RARE = frozenset({"new segment", "before checkpoint", "after checkpoint", "before release"})
_PATIENCE = 30.0  # seconds until a point is passed so often
_RETRY = {"initial_interval": "50ms", "max_interval": "200ms"}


class Round(NamedTuple):
    """One life."""

    point: str
    passages: int  # it died at this one
    ready: float  # seconds from its start; NaN if it died before
    acked: int  # spans that the client held for safe when it died


class Outcome(NamedTuple):
    """What is where when the last life has delivered all it had."""

    rounds: Sequence[Round]
    books: Books
    doubtful: set[str]  # spans (hex) of requests whose ack may have been lost
    downstream: Mapping[str, int]
    rows: Mapping[str, int]
    calls: Sequence[tuple[str, Decimal | None]]
    totals: Totals
    accounts: Mapping[tuple[str, str], Account]  # of the last life
    exit_code: int

    def missing(self) -> dict[str, int]:
        """Acked spans that a destination does not have."""
        acked = self.books.spans.keys()
        return {
            "otlp": len(acked - self.downstream.keys()),
            "clickhouse": len(acked - self.rows.keys()),
        }

    def doubled_rows(self) -> set[str]:
        """Spans (hex) that `otel_traces` has more than once."""
        return {id_ for id_, times in self.rows.items() if times > 1}

    def exact_totals(self) -> Totals:
        """What `trace_totals` must say by the client's own books."""
        books = self.books
        traces = -(-len(books.spans) // (SPANS * PER_TRACE))
        return Totals(books.cost, len(books.costs), len(books.spans), traces)

    def deaths(self) -> Counter[str]:
        return Counter(each.point for each in self.rounds)


class Rounds:
    """The line, its load and its ends."""

    def __init__(self, line: CrashLine, load: SteadyLoad, sink: OtlpSink, stored: Stored) -> None:
        self._line = line
        self._load = load
        self._arrivals = Arrivals(lambda: sink.bodies("traces"))
        self._stored = stored
        self._played: list[Round] = []

    def play(self, point: str, passages: int) -> None:
        """One life, from its start to its death."""
        ready = self._line.start_to_die(point, passages)
        code = self._line.ended(within=_PATIENCE)
        assert code == -signal.SIGKILL, f"{point!r} was not passed {passages} times: {code}"
        acked = len(self._load.books().spans)
        self._played.append(Round(point, passages, ready, acked))

    def end(self, patience: float = 60.0) -> Outcome:
        """Live on, stop the load, let everything settle; how all this ended."""
        self._line.start_to_live()
        self._load.stop()
        port = self._line.ports.metrics
        eventually(lambda: at_rest(port), patience)
        settled = accounts(port)
        return Outcome(
            rounds=self._played,
            books=self._load.books(),
            doubtful=self._load.doubtful,
            downstream=dict(self._arrivals.counts()),
            rows=self._stored.spans(),
            calls=self._stored.calls(),
            totals=self._stored.totals(),
            accounts=settled,
            exit_code=self._line.stop(),
        )


@contextmanager
def crashing(
    directory: Path, store: RunningStore, name: str, mutation: str = "", *, waits: bool = False
) -> Iterator[Rounds]:
    """Everything but costspan itself runs inside; the journal is in `directory`.

    `waits`: roots and agents' runs wait for totals.
    """
    ports = free_ports()
    with (
        OtlpSink() as sink,
        SteadyLoad(ports.grpc, name, requests_per_second=40, requests_per_trace=PER_TRACE) as load,
    ):
        ends: dict[str, Any] = {
            "otlp": {**otlp(sink.endpoint), "retry_on_failure": _RETRY},
            "clickhouse": {"endpoint": store.dsn_of(name), "retry_on_failure": _RETRY},
        }
        for each in ends.values():
            each["sending_queue"] = {"batch": {"flush_timeout": "100ms"}}
        journal = {"directory": str(directory / "journal"), "segment_size": "1MiB"}
        emit = ["clickhouse", "metrics", *(["root_span"] if waits else [])]
        timers = {"root_grace": "1s", "quiet": "1s", "idle": "3s"}
        totals = {"trace_totals": {"emit": emit, **timers}}
        config = configuration(ports, ends, processors=totals, journal=journal)
        line = CrashLine(config, ports, directory / "costspan.log", {MUTATION: mutation})
        try:
            yield Rounds(line, load, sink, Stored(store.client(name)))
        finally:
            line.kill()


def plan(rounds: int, seed: int, points: Iterable[str] = POINTS) -> list[tuple[str, int]]:
    """Every point in turn, at a passage that is drawn; the order is drawn too."""
    draw = random.Random(seed)  # noqa: S311  (no secret)
    names = [name for _ in range(rounds) for name in points][:rounds]
    draw.shuffle(names)
    return [(name, _passages(name, draw)) for name in names]


def _passages(point: str, draw: random.Random) -> int:
    if point in _AT_START:
        return 1
    return draw.randint(1, 2 if point in _RARE else 12)
