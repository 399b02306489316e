"""Laws of trace totals: whatever happens on the way, they are what a naive oracle says they are."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from hypothesis import assume, example, given
from hypothesis import strategies as st

from costspan.finish.reading import StoredSpan, StoredTrace, in_own_words
from costspan.ledger.agents import agent_spans
from costspan.ledger.ledger import Closing, LedgerSettings, TraceLedger
from costspan.ledger.rollup import Rollup, rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.model import WITNESS, LlmCall, TraceTotals
from costspan.telemetry import Telemetry
from ledger_samples import SECOND, TRACE, Span, calls, frame, heads
from ledger_strategies import drawn_traces
from trace_answers import answers_of, price, right, right_runs, runs_of, spans_of, summed, sums_of
from trace_drawing import FLAT, Told, announced, copies_of
from trace_oracle import Truth

STAMP = Stamp(TRACE, "w", 1, 1, "", "", 0)
RANDOMS = st.randoms(use_true_random=False)
WITHOUT_DOUBLES = tuple(kind for kind in FLAT if kind != "repeated")
TIGHT = (
    LedgerSettings(),
    LedgerSettings(max_traces=1),
    LedgerSettings(max_spans=2),
    LedgerSettings(root_grace=0.1, quiet=0.1, idle=0.5, late_window=0.1),
    LedgerSettings(local_roots=True, checkpoint=0.5),
)

# One answer: of the span that bills it nobody knows the agent, but the one beside it does.
_ANSWER = Told(1, 0, 10, 10, "call", (1, 0), 10**16, "m", "answer 0", "a")
TOLD_IN_TWO_PLACES = [_ANSWER, _ANSWER._replace(id=2, start=20, end=20, agent="")]


def row_of(rolled: Rollup) -> TraceTotals:
    return totals(rolled, STAMP)


def rolled_up(spans: Sequence[Span]) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans])


def in_disorder(told: Sequence[Told], rng: random.Random) -> list[Told]:
    """All of them, some again."""
    sent = [*told, *rng.choices(told, k=rng.randrange(len(told) + 1))]
    rng.shuffle(sent)
    return sent


def cut(told: Sequence[Told], rng: random.Random) -> Iterator[Sequence[Told]]:
    while told:
        size = rng.randrange(1, len(told) + 1)
        yield told[:size]
        told = told[size:]


class Writer:
    """A ledger, and a store that holds the newest version of its rows."""

    def __init__(self, name: str, limits: LedgerSettings) -> None:
        self.telemetry = Telemetry()
        self.ledger = TraceLedger(limits, name, self.telemetry)
        self.rows: dict[int, TraceTotals] = {}
        self.calls: dict[bytes, LlmCall] = {}
        self.said: list[Closing] = []
        self.now = self.seq = 0

    def send(self, told: Sequence[Told], pause: float = 0.0, trace: bytes = TRACE) -> None:
        self.now += round(pause * SECOND)
        self.store(self.ledger.expire(self.now))
        self.seq += 1
        spans = spans_of(told, trace)
        self.ledger.add(frame(self.seq, spans), heads(spans), self.now)
        for call in calls(spans):
            if call.role != WITNESS:
                self.calls.setdefault(call.span_id, call)

    def store(self, closings: Sequence[Closing]) -> None:
        self.said += closings
        for row, corrections in closings:
            if row.generation not in self.rows or self.rows[row.generation].version < row.version:
                self.rows[row.generation] = row
            for call in corrections:
                if self.calls[call.span_id].version < call.version:
                    self.calls[call.span_id] = call

    def end(self) -> list[TraceTotals]:
        self.store(self.ledger.shutdown(self.now))
        return list(self.rows.values())

    def net(self) -> int:
        return self.telemetry.cost.exact() - self.telemetry.cost_retracted.exact()


@given(drawn_traces(), RANDOMS)
def test_a_roll_up_says_what_the_oracle_says(told: list[Told], rng: random.Random) -> None:
    """In any order, with spans that came twice and with earlier states of some."""
    copies = [copy for one in told for copy in copies_of(one, rng.choice, price)]
    spans = spans_of(in_disorder([*told, *copies], rng), TRACE)
    assert answers_of(row_of(rolled_up(spans))) == right(Truth(told))


@given(drawn_traces(), RANDOMS)
def test_runs_of_agents_come_to_what_the_oracle_says(told: list[Told], rng: random.Random) -> None:
    """With all that is below each, and the part that is its own; in any order."""
    runs = agent_spans(rolled_up(spans_of(in_disorder(told, rng), TRACE)), "quiet")
    assert runs_of(runs) == right_runs(Truth(told))


@given(drawn_traces())
def test_every_way_to_add_up_comes_to_the_total(told: list[Told]) -> None:
    """Own costs = what the tops cost = by model = by agent = by transaction."""
    truth = Truth(told)
    answers = answers_of(row_of(rolled_up(spans_of(told, TRACE))))
    tops = [one for one in truth.up if truth.up[one] not in truth.up]
    assert sum(truth.inclusive(one)[0] for one in tops) == answers.sums.cost
    for groups in (answers.sums.by_model, answers.by_agent, answers.transactions):
        assert sum(cost for cost, _ in groups.values()) == answers.sums.cost
        assert sum(calls for _, calls in groups.values()) == answers.sums.calls


@given(drawn_traces(), RANDOMS)
def test_a_trace_that_is_remembered_ends_as_the_oracle_says(
    told: list[Told], rng: random.Random
) -> None:
    """Cut into requests in any way, late or in time: its one row, and the counters with it.

    What announced spans when they began is in neither.
    """
    writer = Writer("w", LedgerSettings(late_window=1e6, max_age=1e6))
    bearing = [one for one in told if one.kind in ("sum", "call")]
    copies = [copy for one in told for copy in copies_of(one, rng.choice, price)]
    writer.send(bearing[:1])  # from then on it is remembered
    begun = [announced(one) for one in told if rng.random() < 0.3]
    for sent in cut(in_disorder([*told, *copies, *begun], rng), rng):
        writer.send(sent, rng.choice([0, 1, 7, 70, 400]))
    rows = writer.end()
    expected = right(Truth(told))
    assert [answers_of(row) for row in rows] == [expected] * bool(bearing)
    assert writer.net() == expected.sums.cost


@given(drawn_traces(FLAT), st.sampled_from(TIGHT), RANDOMS)
def test_neither_timing_nor_limits_change_a_total(
    told: list[Told], limits: LedgerSettings, rng: random.Random
) -> None:
    """Generations of a trace add up, and all of it again after it was forgotten adds nothing."""
    writer = Writer("w", limits)
    for sent in [*cut(in_disorder(told, rng), rng), *cut(in_disorder(told, rng), rng)]:
        writer.send(sent, rng.choice([0, 1, 7, 30, 400, 4000]))
        if rng.random() < 0.3:
            writer.send([Told(1)], trace=b"\x02" * 16)  # another trace, which may push it out
    rows = writer.end()
    expected = summed(Truth(told))
    assert sums_of(rows) == expected
    assert writer.net() == expected.cost


def as_exported(told: Sequence[Told], rng: random.Random) -> list[Told]:
    """In any order in which no span comes before one below it. Circles have none."""
    left, sent = list(told), list[Told]()
    while left:
        above = {one.parent for one in left}
        ended = [one for one in left if one.id not in above]
        assume(ended)
        sent.append(rng.choice(ended))
        left.remove(sent[-1])
    return sent


@given(drawn_traces(), st.sampled_from(TIGHT), RANDOMS)
def test_limits_change_no_total_of_spans_that_are_sent_as_they_end(
    told: list[Told], limits: LedgerSettings, rng: random.Random
) -> None:
    """Wrappers too: what was billed below them is known when its generation is gone."""
    writer = Writer("w", limits)
    for sent in cut(as_exported(told, rng), rng):
        writer.send(sent, rng.choice([0, 1, 7, 30, 400, 4000]))
    rows = writer.end()
    expected = summed(Truth(told))
    assert sums_of(rows) == expected
    assert writer.net() == expected.cost


@given(drawn_traces(WITHOUT_DOUBLES), st.integers(1, 5), RANDOMS)
def test_parts_of_several_writers_add_up(told: list[Told], count: int, rng: random.Random) -> None:
    """Also if their rows are inserted again, in any order."""
    writers = [Writer(f"w{number}", rng.choice(TIGHT)) for number in range(count)]
    parts: list[list[Told]] = [[] for _ in writers]
    for one in told:
        rng.choice(parts).append(one)
    for writer, part in zip(writers, parts, strict=True):
        for sent in cut(in_disorder(part, rng), rng) if part else ():
            writer.send(sent, rng.choice([0, 7, 400]))
        writer.end()
        writer.store(rng.sample(writer.said, len(writer.said)))
    assert sums_of(row for one in writers for row in one.rows.values()) == summed(Truth(told))


@given(drawn_traces(), st.integers(1, 5), RANDOMS)
@example(TOLD_IN_TWO_PLACES, 1, random.Random(0))  # noqa: S311  (as hypothesis draws it)
def test_what_writers_could_not_know_the_finisher_does(
    told: list[Told], count: int, rng: random.Random
) -> None:
    """From the newest rows of all calls, and the spans: as if one had seen everything."""
    writers = [Writer(f"w{number}", rng.choice(TIGHT)) for number in range(count)]
    for sent in cut(in_disorder(told, rng), rng):
        rng.choice(writers).send(sent, rng.choice([0, 7, 400]))
    stored: dict[bytes, LlmCall] = {}
    for writer in writers:
        writer.end()
        for span_id, call in writer.calls.items():
            if span_id not in stored or stored[span_id].version < call.version:
                stored[span_id] = call
    spans = spans_of(told, TRACE)
    nodes = {one.head.span_id: StoredSpan(one.head[1:], "", "app") for one in spans}
    witnesses = [call for call in calls(spans) if call.role == WITNESS]
    said = {call.span_id: call for call in calls(spans)}
    known = [in_own_words(call, said[span_id]) for span_id, call in stored.items()]
    trace = StoredTrace(nodes, [*known, *witnesses])
    assert answers_of(row_of(trace.rollup())) == right(Truth(told))
