"""What it costs that roots and agents' runs wait for totals: intake and ledger, CPU per span.

Run `python benchmarks/waiting.py`. W2, and W2 with a run of an agent in ten spans; rows are made in
all cases. Nothing is sent or stored on disk.
"""

from __future__ import annotations

import time
from random import Random
from typing import NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from shapes import Shape
from workloads import Request, Workload

from costspan.journal.memory import BACKPRESSURE, MemoryJournal
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.reader import READER, LedgerReader
from costspan.ledger.waiting import Waiting
from costspan.ledger.waiting_sender import WaitingSender
from costspan.model import HELD, TRACES, ReaderSpec
from costspan.pipeline import Meter, Pipeline
from costspan.processor.trace_facts import with_totals
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock, key_values
from costspan.wire import encode_attribute
from costspan_pricing import Pricer, load_book

_SIZES, _ROUNDS, _ROUND_BYTES = (50, 512), 6, 4 << 20
_ROOM = 1 << 30
_SETTINGS = LedgerSettings(max_bytes=_ROOM, max_traces=10**9)
_LEDGER = ReaderSpec(READER, frozenset({TRACES, HELD}), BACKPRESSURE, counted=False)
_RUNS = 0.12  # of the spans that are no root


class _Agents(Workload):
    """W2, where every tenth span is a run of an agent, which other spans are below."""

    def __init__(self, seed: int) -> None:
        super().__init__("W2", seed)
        names = ("planner", "researcher", "writer", "reviewer")
        self._shapes = [*self._shapes, *map(_run, names)]
        others = [weight * (1 - _RUNS) for weight in self._weights]
        self._weights = others + [_RUNS / len(names)] * len(names)


def _run(name: str) -> Shape:
    span = Span(name=f"invoke_agent {name}", kind=Span.SPAN_KIND_INTERNAL)
    said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    attributes = Span(attributes=key_values(said)).SerializeToString()
    return Shape(0, 1, span.SerializeToString(), attributes, _fresh, b"")


def _fresh(_random: Random, session: str, user: str) -> bytes:
    return encode_attribute("gen_ai.conversation.id", session) + encode_attribute("user.id", user)


class Costs(NamedTuple):
    """CPU in us per span."""

    intake: float
    ledger: float  # with closes, rows, and what leaves


def main() -> None:
    """Print the best round of each case; the first round warms up."""
    meter = Meter.by(Pricer(load_book()))
    print("intake  ledger  us/span")
    for size in _SIZES:
        for name, kind in (("W2", lambda seed: Workload("W2", seed)), ("W2 with runs", _Agents)):
            rounds = [kind(seed).requests(size, _ROUND_BYTES) for seed in range(_ROUNDS)]
            for hold in (False, True):
                costs = [_measure(meter, requests, hold=hold) for requests in rounds][1:]
                intake, ledger = min(one.intake for one in costs), min(one.ledger for one in costs)
                waits = "roots and runs wait" if hold else "nothing waits"
                print(f"{intake:6.1f} {ledger:7.1f}  {name}, {size} a request, {waits}")


def _measure(meter: Meter, requests: list[Request], *, hold: bool) -> Costs:
    telemetry, clock = Telemetry(), ManualClock()
    journal = MemoryJournal([_LEDGER], _ROOM, telemetry, clock)
    pipeline = Pipeline(journal, meter, telemetry, clock, hold_spans=hold)
    waiting = Waiting(_ROOM, with_totals, telemetry)
    sender = WaitingSender(journal, waiting, telemetry, _ROOM, durable=False)
    ledger = TraceLedger(_SETTINGS, "w", telemetry, ended=waiting.close if hold else None)
    reader = LedgerReader(journal, ledger, clock, telemetry, waiting=sender if hold else None)
    began = time.process_time()
    for request in requests:
        pipeline.accept(TRACES, request.body, (), "grpc")
    taken = time.process_time()
    while reader.step():
        pass
    clock.advance(_SETTINGS.quiesce_max)
    reader.step()
    done = time.process_time()
    spans = sum(request.spans for request in requests)
    return Costs((taken - began) * 1e6 / spans, (done - taken) * 1e6 / spans)


if __name__ == "__main__":
    main()
