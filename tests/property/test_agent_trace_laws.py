"""Laws of traces as agents make them: each model call costs once, whoever tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent_traces import Asked, Drawn, Told, a_trace
from costspan.cli.price_document import evaluate
from costspan.finish.reading import StoredSpan, StoredTrace, in_own_words
from costspan.journal.memory import MemoryJournal
from costspan.ledger.ledger import Closing, LedgerSettings, TraceLedger
from costspan.ledger.rollup import Rollup
from costspan.ledger.sums import AGENT, MODEL
from costspan.model import TRACES, WITNESS, Frame, LlmCall, TraceTotals, decode_calls
from costspan.pipeline import Meter, Pipeline
from costspan.telemetry import Telemetry
from costspan.testing import SECOND, START, ManualClock, request
from costspan.wire import heads, unpack_heads
from costspan_pricing import Pricer, load_book
from trace_answers import Spent

TRACE = b"\x0b" * 16
NUMBERS = st.integers(0, 10**9)
TIGHT = (
    LedgerSettings(max_traces=1),
    LedgerSettings(max_spans=4),
    LedgerSettings(root_grace=0.1, quiet=0.1, idle=0.5, late_window=0.1),
    LedgerSettings(local_roots=True, root_grace=0.1, quiet=0.1, late_window=0.1),
)


class Bill(NamedTuple):
    """What a trace costs, in attos and calls."""

    cost: int
    calls: int
    unpriced: int
    by_model: Mapping[str, Spent]
    by_agent: Mapping[str, Spent]


def right(asked: Sequence[Asked]) -> Bill:
    by_model, by_agent = dict[str, Spent](), dict[str, Spent]()
    for one in asked:
        for group, key in ((by_model, one.model.request), (by_agent, one.agent)):
            cost, calls = group.get(key, (0, 0))
            group[key] = cost + (one.cost or 0), calls + 1
    costs = [one.cost for one in asked]
    return Bill(sum(filter(None, costs)), len(costs), costs.count(None), by_model, by_agent)


def bill_of(rolled: Rollup | None) -> Bill:
    if rolled is None:
        return right([])
    models, agents = (
        {key: (sums.cost, sums.calls) for key, sums in rolled.by[facet].items() if sums.calls}
        for facet in (MODEL, AGENT)
    )
    total = rolled.total
    return Bill(total.cost, total.calls, total.unpriced, models, agents)


@cache
def pipeline() -> Pipeline:
    """The line's own intake, with the prices that ship."""
    telemetry, clock = Telemetry(), ManualClock(START)
    journal = MemoryJournal([], 0, telemetry, clock)
    return Pipeline(journal, Meter.by(Pricer(load_book())), telemetry, clock)


def frame(told: Sequence[Told], seq: int = 1) -> Frame:
    """One request after intake; a message of messages, as protobuf joins them."""
    bodies = [request(one, service=service, scope=scope) for service, scope, one in told]
    done = pipeline().intake(b"".join(bodies))
    assert not done.faults + done.uncounted
    return Frame(seq, START, TRACES, 0, (), done.body, done.calls, done.items)


def in_disorder(drawn: Drawn, rng: Random) -> Iterator[list[Told]]:
    """Requests of all spans, some again."""
    sent = drawn.spans + rng.sample(drawn.spans, len(drawn.spans) // 4)
    rng.shuffle(sent)
    while sent:
        size = rng.choice([1, 2, 5, 20])
        yield sent[:size]
        sent = sent[size:]


class Store:
    """What is stored of one trace, by however many writers."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], TraceTotals] = {}
        self.calls: dict[bytes, LlmCall] = {}
        self.said: dict[bytes, LlmCall] = {}
        self.spans: dict[bytes, StoredSpan] = {}

    def arrive(self, one: Frame) -> None:
        for head in unpack_heads(heads(one.body)):
            self.spans[head.span_id] = StoredSpan(head[1:], "", "")
        for call in decode_calls(one.calls):
            call.ordinal = 0
            self.said.setdefault(call.span_id, replace(call))
            if call.role != WITNESS:
                self.put(call)

    def put(self, call: LlmCall) -> None:
        held = self.calls.get(call.span_id)
        if held is None or held.version <= call.version:
            self.calls[call.span_id] = call

    def write(self, closings: Sequence[Closing]) -> None:
        for row, corrections in closings:
            key = (row.writer, row.generation)
            if key not in self.rows or self.rows[key].version < row.version:
                self.rows[key] = row
            for call in corrections:
                self.put(call)

    def total(self) -> tuple[int, int, int]:
        rows = self.rows.values()
        return (
            sum(int(row.cost) for row in rows),
            sum(row.llm_calls for row in rows),
            sum(row.unpriced_calls for row in rows),
        )

    def finished(self) -> Bill:
        """As `costspan finish` makes it, where the trace is one that it looks at."""
        known = [in_own_words(call, self.said[one]) for one, call in self.calls.items()]
        known += [call for call in self.said.values() if call.role == WITNESS]
        return bill_of(StoredTrace(self.spans, known).rollup())

    def is_looked_at(self) -> bool:
        rows = self.rows.values()
        orphaned = any("orphans" in row.flags for row in rows)
        counted = sum(row.spans for row in rows)
        return len(rows) > 1 or (orphaned and len(self.spans) > counted)


@given(NUMBERS)
def test_every_call_that_was_asked_for_costs_once(number: int) -> None:
    """By model and by agent too, whatever else tells of it."""
    drawn = a_trace(number, TRACE)
    one = frame(drawn.spans)
    calls = decode_calls(one.calls)
    for call in calls:
        call.ordinal = 0
    priced = evaluate(calls, list(unpack_heads(heads(one.body))))
    assert bill_of(priced.traces.get(TRACE)) == right(drawn.asked)


@given(NUMBERS, st.randoms(use_true_random=False))
def test_in_time_neither_order_nor_copies_nor_requests_matter(number: int, rng: Random) -> None:
    """One row says it, and the counters do."""
    drawn, store, telemetry = a_trace(number, TRACE), Store(), Telemetry()
    ledger = TraceLedger(LedgerSettings(), "w", telemetry)
    for seq, sent in enumerate(in_disorder(drawn, rng), 1):
        one = frame(sent, seq)
        ledger.add(one, heads(one.body), seq * SECOND // 100)
    store.write(ledger.shutdown(10**12))
    expected = right(drawn.asked)
    assert store.total() == expected[:3]
    assert telemetry.cost.exact() - telemetry.cost_retracted.exact() == expected.cost


@given(NUMBERS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_what_limits_and_writers_tear_apart_is_finished(
    number: int, count: int, rng: Random
) -> None:
    """Generations and parts of several writers: looked at if they are wrong, and right then."""
    drawn, store = a_trace(number, TRACE), Store()
    writers = [TraceLedger(rng.choice(TIGHT), f"w{at}", Telemetry()) for at in range(count)]
    now = 0
    for seq, sent in enumerate(in_disorder(drawn, rng), 1):
        now += rng.choice([0, SECOND // 20, SECOND, 400 * SECOND])
        writer, one = rng.choice(writers), frame(sent, seq)
        store.write(writer.expire(now))
        store.arrive(one)
        writer.add(one, heads(one.body), now)
    for writer in writers:
        store.write(writer.shutdown(now))
    expected = right(drawn.asked)
    assert store.finished() == expected
    assert store.is_looked_at() or store.total() == expected[:3]
