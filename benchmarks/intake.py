"""CPU of the intake, bytes in and bytes out, and of each of its stages. No network, no processes.

Every round takes requests that no earlier round has seen: what the stages remember of earlier
spans helps them here as little as it does in production.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

from workloads import SIZES, WORKLOADS, Request, Workload

from costspan import wire
from costspan.clock import SystemClock
from costspan.dialect import recognise
from costspan.journal.memory import MemoryJournal
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.model import TRACES, Frame, Hit, LlmCall, encode_calls
from costspan.pipeline import MAX_PIECE, Meter, Pipeline
from costspan.processor.enrich import attributes
from costspan.processor.price import price
from costspan.telemetry import Telemetry
from costspan_pricing import Pricer, load_book

_ROUND_BYTES = 24 << 20  # of requests per round: half a second of work, and no swapping
_SECOND = 1_000_000_000
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class StageCost(NamedTuple):
    """Process CPU per span of one stage; `intake` is the whole of what leads to the journal."""

    workload: str
    spans: int  # per request
    stage: str
    us_per_span: float  # the best round
    us_per_span_median: float
    us_per_call: float  # the same seconds over the spans that carry usage


class _Round:
    """One pass over distinct requests; `seconds` per stage."""

    def __init__(self, meter: Meter) -> None:
        self.seconds: dict[str, float] = {}
        self.spans = self.calls = 0
        self._meter = meter

    def whole(self, requests: Sequence[Request]) -> None:
        """The stages as the pipeline calls them: what is made is let go, as after an export."""
        line = pipeline(self._meter)

        def intake(body: bytes) -> None:
            for piece in wire.cut(body, MAX_PIECE):
                if line.intake(piece).faults:
                    raise RuntimeError("the intake failed on a span: see the log")

        self.spans = sum(request.spans for request in requests)
        self.calls = sum(request.calls for request in requests)
        self._discard("intake", intake, [request.body for request in requests])

    def stages(self, requests: Sequence[Request]) -> None:
        """The same work stage by stage; each takes what the one before has made."""
        bodies = [request.body for request in requests]
        pieces = [piece for cut in self._keep("cut", _cut, bodies) for piece in cut]
        self._discard("count", wire.count, pieces)
        self._discard("readable", wire.readable, pieces)
        meter = self._meter
        hits = self._keep("scan", lambda piece: wire.scan(piece, meter.wanted), pieces)
        calls = self._keep("recognise", self._recognise, hits)
        self._discard("price", self._price, calls)
        extra = self._keep("enrich", _enrich, list(zip(hits, calls, strict=True)))
        pairs = list(zip(pieces, extra, strict=True))
        self._discard("splice", lambda pair: wire.splice(*pair), pairs)
        records = self._keep("encode_calls", encode_calls, calls)
        heads = self._keep("heads", wire.heads, pieces)
        self._ledger(pieces, records, heads)

    def _recognise(self, hits: Sequence[Hit]) -> list[LlmCall]:
        found = (recognise(hit, self._meter.dimensions) for hit in hits)
        return [call for call in found if call is not None]

    def _price(self, calls: Iterable[LlmCall]) -> None:
        for call in calls:
            price(call, self._meter.pricer)

    def _ledger(
        self, pieces: Sequence[bytes], records: Sequence[bytes], heads: Sequence[bytes]
    ) -> None:
        """Add every frame, then let the traces' time pass: roll-up and rows."""
        ledger = TraceLedger(LedgerSettings(), "benchmark", Telemetry())
        frames = [
            Frame(1 + index, 0, TRACES, 0, (), piece, calls, len(head) // wire.HEAD_SIZE)
            for index, (piece, calls, head) in enumerate(zip(pieces, records, heads, strict=True))
        ]
        arrivals = list(zip(frames, heads, strict=True))
        self._discard("ledger add", lambda one: ledger.add(*one, 0), arrivals)
        self._discard("ledger close", ledger.expire, [3600 * _SECOND])

    def _keep(self, stage: str, work: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out]:
        begin = time.process_time()
        made = [work(item) for item in items]
        self.seconds[stage] = time.process_time() - begin
        return made

    def _discard(self, stage: str, work: Callable[[_In], object], items: Sequence[_In]) -> None:
        begin = time.process_time()
        for item in items:
            work(item)
        self.seconds[stage] = time.process_time() - begin


def _cut(body: bytes) -> list[bytes]:
    return wire.cut(body, MAX_PIECE)


def _enrich(pair: tuple[list[Hit], list[LlmCall]]) -> dict[int, bytes]:
    hits, calls = pair
    own = {hit.ordinal: hit.own for hit in hits}
    return {call.ordinal: attributes(call, own[call.ordinal], frozenset()) for call in calls}


def meter() -> Meter:
    """What `costspan run` meters with by default."""
    return Meter.by(Pricer(load_book(None)))


def pipeline(metering: Meter) -> Pipeline:
    """A pipeline whose journal has no readers."""
    telemetry = Telemetry()
    journal = MemoryJournal([], 1 << 20, telemetry, SystemClock())
    return Pipeline(journal, metering, telemetry, SystemClock())


def measure(workload: str, spans: int, rounds: int, round_bytes: int) -> list[StageCost]:
    """One workload at one request size."""
    supply, metering, done = Workload(workload, seed=spans), meter(), list[_Round]()
    for _ in range(rounds + 1):
        this = _Round(metering)
        this.whole(supply.requests(spans, round_bytes))
        this.stages(supply.requests(spans, round_bytes))
        done.append(this)
    del done[0]  # it warms up: imports, compiled price cards, the allocator
    return [_cost(workload, spans, stage, done) for stage in done[0].seconds]


def _cost(workload: str, spans: int, stage: str, done: Sequence[_Round]) -> StageCost:
    per_span = [each.seconds[stage] * 1e6 / each.spans for each in done]
    per_call = [each.seconds[stage] * 1e6 / each.calls for each in done]
    return StageCost(workload, spans, stage, min(per_span), median(per_span), min(per_call))


def run(*, quick: bool) -> list[StageCost]:
    """Every workload and size."""
    rounds, round_bytes = (1, 2 << 20) if quick else (5, _ROUND_BYTES)
    return [
        cost
        for workload in WORKLOADS
        for spans in SIZES
        for cost in measure(workload, spans, rounds, round_bytes)
    ]
