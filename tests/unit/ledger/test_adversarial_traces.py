"""Traces that no SDK should make, and somebody does: no call is lost, none counts twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan import wire
from costspan.journal.memory import MemoryJournal
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.model import TRACES, Frame
from costspan.pipeline import Meter, Pipeline
from costspan.telemetry import Telemetry
from costspan.testing import SECOND, START, ManualClock, request, span, usage
from hits import small_pricer

ONE, TWO, THREE = (number.to_bytes(8) for number in (1, 2, 3))
NOBODY = bytes(8)
LAST = (1 << 63) - 1


def called(span_id: bytes, parent: bytes = b"", **said: object) -> Span:
    """A model call of 1000 and 100 tokens."""
    return span(usage(), span_id=span_id, parent_span_id=parent, **said)  # type: ignore[arg-type]


def step(span_id: bytes, parent: bytes = b"", **said: object) -> Span:
    return span({}, span_id=span_id, parent_span_id=parent, **said)  # type: ignore[arg-type]


def counted(*bodies: Sequence[Span], pause: float = 0.0) -> tuple[int, set[str]]:
    """(billed calls, what they cost) by the newest rows; each body is a request."""
    clock, telemetry = ManualClock(), Telemetry()
    journal = MemoryJournal([], 0, telemetry, clock)
    pipeline = Pipeline(journal, Meter.by(small_pricer()), telemetry, clock)
    ledger = TraceLedger(LedgerSettings(), "w", telemetry)
    out, now = [], 0
    for seq, spans in enumerate(bodies, 1):
        done = pipeline.intake(request(*spans))
        assert not done.faults
        frame = Frame(seq, START, TRACES, 0, (), done.body, done.calls, len(spans))
        ledger.add(frame, wire.heads(done.body), now)
        now += round(pause * SECOND)
        out += ledger.expire(now)
    out += ledger.shutdown(now)
    rows = {(each.totals.trace_id, each.totals.generation): each.totals for each in out}
    return (
        sum(row.llm_calls for row in rows.values()),
        {tally.cost for row in rows.values() for tally in row.by_model.values()},
    )


CASES = {
    "client and server share an id": ([called(ONE, kind=3), step(ONE, kind=2)], 1),
    "the server ends last": ([called(ONE), step(ONE, kind=2, end_ns=START + 9 * SECOND)], 1),
    "an id in two traces": ([called(ONE), called(ONE, trace_id=b"\x02" * 16)], 2),
    "no id at all": ([called(b""), called(ONE)], 2),
    "an id of zeros": ([called(NOBODY), called(ONE)], 2),
    "a step without an id above everything": ([step(NOBODY), called(ONE), called(TWO)], 2),
    "zeros below themselves": ([step(NOBODY, NOBODY), called(ONE, NOBODY)], 1),
    "a trace of zeros": ([called(ONE, trace_id=bytes(16)), called(TWO, trace_id=bytes(16))], 2),
    "short ids": ([called(b"\x01", trace_id=b"\x05"), called(b"\x02", b"\x01")], 2),
    "long ids": ([called(b"\x01" * 20, trace_id=b"\x05" * 40)], 1),
    "no times": ([called(ONE, start_ns=0, end_ns=0), called(TWO, ONE, start_ns=0, end_ns=0)], 1),
    "the end of time": ([step(ONE), called(TWO, ONE, start_ns=LAST, end_ns=LAST)], 1),
    "beyond it": ([step(ONE), called(TWO, ONE, start_ns=LAST + 1, end_ns=2 * LAST + 1)], 1),
    "ends before it begins": ([step(ONE), called(TWO, ONE, end_ns=START - SECOND)], 1),
    "below itself": ([called(ONE, ONE), step(TWO, ONE)], 1),
    "a circle of three": ([step(ONE, THREE), step(TWO, ONE), called(THREE, TWO)], 1),
    "two roots": ([step(ONE), step(TWO), called(THREE, TWO)], 1),
    "nobody's": ([called(ONE, THREE), called(TWO, THREE)], 2),
}


@pytest.mark.parametrize(("spans", "calls"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_every_call_counts_once(spans: list[Span], calls: int, *, again: bool) -> None:
    """In one request or each in its own, in every order."""
    assert counted([*spans, *spans] if again else spans)[0] == calls
    for order in permutations(spans):
        assert counted(*([one] for one in order), *([[*order]] * again))[0] == calls


@pytest.mark.parametrize("pause", [0, 6, 40, 400, 4000])
@pytest.mark.parametrize("order", ["rcc", "ccr", "crc", "rcrc", "cc", "ccrr"])
def test_the_root_may_come_first_last_twice_or_never(order: str, pause: float) -> None:
    """Before or after its calls, while the trace is open, warm or forgotten."""
    calls = iter((ONE, TWO))
    bodies = [[step(THREE)] if each == "r" else [called(next(calls), THREE)] for each in order]
    assert counted(*bodies, pause=pause)[0] == 2


def test_a_million_million_tokens_cost_what_they_cost() -> None:
    """2.5 USD a million, and 10 USD a million for the hundred of the answer."""
    assert counted([span(usage(10**12), span_id=ONE)]) == (1, {"2500000001000000000000000"})


def test_a_negative_count_is_a_call_without_a_known_cost() -> None:
    assert counted([span(usage(-5), span_id=ONE)]) == (1, {"0"})
