"""The whole process under load, with each kind of store, and alone. Every span is counted."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from ends import far_ends
from load import Generator
from measure import Case, Cost, measure, warm
from process import children, cpu_seconds, memory, wait_until_idle
from sidecar import EMBEDDED, STAND_IN, accounts, sidecar


class Result(NamedTuple):
    """What one case cost with one store."""

    case: Case
    store: str
    cost: Cost
    lost: int  # items dropped or dead-lettered by any destination
    store_us_per_span: float  # of the embedded store's own process
    store_resident: float

    def row(self) -> dict[str, Any]:
        """Flat, for the record."""
        own = self._asdict()
        return {**own.pop("case")._asdict(), **own.pop("cost")._asdict(), **own}


class Start(NamedTuple):
    """A start with OTLP and a DSN, and the rest that follows it."""

    cpu_seconds: float
    wall_seconds: float
    resident: float
    private: float
    idle_cpu_percent: float


def run(case: Case, store: str) -> Result:
    """Run one case from start to stop."""
    with (
        far_ends() as ends,
        sidecar(ends, store) as (line, running, _),
        Generator(case.supply) as generator,
    ):
        load = generator.load(running.address)
        sinks = [ends.spans, ends.inserts] if store == STAND_IN else [ends.spans]
        warmed = warm(sinks, load, case)
        stores = children(running.pid)
        before = sum(map(cpu_seconds, stores))
        cost = measure(running, sinks, load, case)
        stores_cpu = sum(map(cpu_seconds, stores)) - before
        sent, lost = accounts(line)
        if store == EMBEDDED:  # by what its exporter says was confirmed
            cost = cost._replace(inserted=max(0, sent["clickhouse"] - warmed))
        return Result(
            case,
            store,
            cost,
            lost=lost,
            store_us_per_span=stores_cpu * 1e6 / cost.sent,
            store_resident=sum(memory(store).resident for store in stores),
        )


def start() -> Start:
    """Start with OTLP and a DSN and leave it alone for a while."""
    with far_ends() as ends, sidecar(ends, STAND_IN) as (_, running, ready_seconds):
        pid = running.pid
        cpu = cpu_seconds(pid)
        wait_until_idle(pid, 1.0)
        at_rest, pause = cpu_seconds(pid), 4.0
        threading.Event().wait(pause)
        idle = (cpu_seconds(pid) - at_rest) / pause
        return Start(cpu, ready_seconds, *memory(pid), idle_cpu_percent=100 * idle)
