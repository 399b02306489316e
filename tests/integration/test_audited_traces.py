"""Traces that nobody wrote down, through two sidecars that die on the way: no total is wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from costspan.cli.commands import main
from costspan.demo.line import configuration, free_ports
from integration.accounting import at_rest
from integration.crash_line import CrashLine
from integration.drawn_traffic import Stored, as_stored, drawn, read, requests
from integration.lines import eventually
from integration.otlp_client import export
from integration.running_store import RunningStore
from trace_answers import right
from trace_drawing import Told
from trace_oracle import Truth

pytestmark = pytest.mark.slow
TRACES, SEED = 300, 31
AGAIN = 10  # every tenth request
DEATHS = 8
# Traces are closed, amended, forgotten and begun again while their spans still come.
HASTE = {
    "root_grace": "300ms",
    "quiet": "300ms",
    "idle": "1s",
    "late_window": "500ms",
    "tool_loops": True,
}


@contextmanager
def sidecar(directory: Path, name: str, dsn: str) -> Iterator[CrashLine]:
    """One with a journal on disk, which can be killed."""
    journal = {"directory": str(directory / name)}
    ends: dict[str, Any] = {"clickhouse": {"endpoint": dsn}}
    ends["clickhouse"]["sending_queue"] = {"batch": {"flush_timeout": "100ms"}}
    ports = free_ports()
    config = configuration(ports, ends, processors={"trace_totals": HASTE}, journal=journal)
    line = CrashLine(config, ports, directory / f"{name}.log")
    try:
        line.start_to_live()
        yield line
    finally:
        line.kill()


def deliver(line: CrashLine, body: bytes, *, dies: bool) -> None:
    """As a client that sends again until it is acked; the sidecar may die while it is at it."""
    if dies:
        line.kill()
        line.start_to_live()
    while True:
        try:
            export(line.ports.grpc, body)
        except grpc.RpcError:
            continue
        return


def expected(told: list[Told]) -> Stored:
    truth = Truth(told)
    billed = [(said, truth.agent(one, *truth.twins(one))) for one, said in truth.billed.items()]
    return as_stored(right(truth), billed)


def test_no_total_is_wrong(tmp_path: Path, store: RunningStore, database: str) -> None:
    """Shuffled, doubled, split over requests and sidecars, with SIGKILLs between; then finished."""
    rng = random.Random(SEED)  # noqa: S311  (repeatable)
    traces = drawn(SEED, TRACES)
    bodies = list(requests(traces, rng))
    bodies += rng.sample(bodies, len(bodies) // AGAIN)
    rng.shuffle(bodies)
    deaths = set(rng.sample(range(len(bodies)), DEATHS))
    with ExitStack() as stack:
        lines = [
            stack.enter_context(sidecar(tmp_path, name, store.dsn_of(database)))
            for name in ("one", "two")
        ]
        for number, body in enumerate(bodies):
            deliver(rng.choice(lines), body, dies=number in deaths)
        for line in lines:
            eventually(lambda line=line: at_rest(line.ports.metrics), 60)  # type: ignore[misc]
            assert line.stop() == 0
    assert main(["finish", "--dsn", store.dsn_of(database), "--quiet", "0"]) == 0
    found = read(store.client(database))
    right_ones = {trace_id: expected(told) for trace_id, told in traces.items()}
    wanted = {trace_id: one for trace_id, one in right_ones.items() if one.totals[1]}
    wrong = {
        trace_id: (found.get(trace_id), one, traces[trace_id])
        for trace_id, one in wanted.items()
        if found.get(trace_id) != one
    }
    assert not wrong
