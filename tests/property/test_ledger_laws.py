"""Laws of the ledger: order, repetition, grouping and timing change no total.

What a wrapper repeats can be taken back only while the trace is remembered whole; so the laws about
any timing are stated for calls that nothing repeats, and those about wrappers while it is warm.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costspan.ledger.ledger import Closing, LedgerSettings, TraceLedger
from costspan.ledger.rollup import Rollup, rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.ledger.tree import grow
from costspan.model import (
    ALREADY_METERED,
    WITNESS,
    TraceTotals,
    encode_totals,
)
from costspan.telemetry import Telemetry
from ledger_samples import Span, calls, frame, heads, span_of
from ledger_strategies import traces

SECOND = 1_000_000_000
STAMP = Stamp(b"\x01" * 16, "w", 1, 1, "", "", 0)


def roll(spans: Sequence[Span]) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans])


def content(rolled: Rollup) -> bytes:
    """Everything that a row says, and every decision."""
    decided = [
        (span_id, held.billed, held.reason, held.identity)
        for span_id, held in rolled.decisions.items()
    ]
    places = [(held.transaction, held.root) for held in rolled.decisions.values()]
    return encode_totals([totals(rolled, STAMP)]) + repr((decided, places)).encode()


@given(traces(), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_a_roll_up(
    spans: list[Span], rng: random.Random
) -> None:
    """A roll-up is a function of the set of records."""
    again = spans + rng.choices(spans, k=rng.randrange(2 * len(spans)))
    rng.shuffle(again)
    assert content(roll(again)) == content(roll(spans))


@given(traces())
def test_money_is_conserved(spans: list[Span]) -> None:
    """By model = by agent = total = the billed charges, and at most all charges."""
    rolled = roll(spans)
    charges = [int(held.call.charge.total or 0) for held in rolled.decisions.values()]
    billed = [int(h.call.charge.total or 0) for h in rolled.decisions.values() if h.billed]
    assert rolled.total.cost == sum(billed) <= sum(charges)
    for groups in rolled.by.values():
        assert sum(sums.cost for sums in groups.values()) == rolled.total.cost
        assert sum(sums.calls for sums in groups.values()) == len(billed)
        for unit, quantity in rolled.total.usage.items():
            assert sum(sums.usage.get(unit, 0) for sums in groups.values()) == quantity


def spent_below(spans: Sequence[Span], rolled: Rollup) -> dict[bytes, int]:
    """By hand and recursively: the cost of every span with all below it."""
    parents = {one.head.span_id: one.head.parent_span_id for one in spans}
    for span_id in sorted(parents):  # a circle is cut at its smallest span
        seen, at = {span_id}, parents[span_id]
        while at in parents and at not in seen:
            seen.add(at)
            at = parents[at]
        if at == span_id and span_id == min(seen):
            parents[span_id] = bytes(8)

    def cost(span_id: bytes) -> int:
        held = rolled.decisions.get(span_id)
        own = int(held.call.charge.total or 0) if held and held.billed else 0
        return own + sum(cost(below) for below, above in parents.items() if above == span_id)

    return {span_id: cost(span_id) for span_id in parents}


@given(traces())
def test_what_a_span_costs_with_all_below_it_is_conserved(spans: list[Span]) -> None:
    """Own costs = what the tops cost = what the transactions cost = the total, and none is lost."""
    rolled = roll(spans)
    branches = grow(rolled).branches
    costs = spent_below(spans, rolled)
    for span_id, branch in branches.items():
        assert branch.cost == costs[span_id]
    leaves = {i for i, held in rolled.decisions.items() if held.billed} - branches.keys()
    assert all(not costs[span_id] for span_id in costs.keys() - branches.keys() - leaves)
    tops = [one for one in branches.values() if one.parent not in branches]
    alone = [i for i in leaves if rolled.forest.links[i] not in branches]
    assert sum(one.cost for one in tops) + sum(costs[i] for i in alone) == rolled.total.cost
    assert sum(one.calls for one in tops) + len(alone) == rolled.total.calls
    assert sum(sums.cost for sums in rolled.transactions.values()) == rolled.total.cost
    assert sum(sums.calls for sums in rolled.transactions.values()) == rolled.total.calls


@given(traces())
def test_no_call_is_billed_twice_and_none_is_lost(spans: list[Span]) -> None:
    """Of a response id at most one record bills; what is not billed has a record that says why."""
    rolled = roll(spans)
    billed = [held.call for held in rolled.decisions.values() if held.billed]
    ids = [call.response_id for call in billed if call.response_id]
    assert len(ids) == len(set(ids))
    if any(held.reason == "covered" for held in rolled.decisions.values()):
        assert billed or any(held.reason == ALREADY_METERED for held in rolled.decisions.values())


class Play:
    """Feeds a ledger and keeps what comes out."""

    def __init__(self, limits: LedgerSettings) -> None:
        self.telemetry = Telemetry()
        self.ledger = TraceLedger(limits, "w", self.telemetry)
        self.out: list[Closing] = []
        self.now = 0
        self.seq = 0

    def send(self, spans: Sequence[Span], pause: float) -> None:
        self.now += round(pause * SECOND)
        self.out += self.ledger.expire(self.now)
        self.seq += 1
        self.ledger.add(frame(self.seq, spans), heads(spans), self.now)

    def finish(self) -> list[TraceTotals]:
        """Close all. Return the newest version of every row."""
        self.out += self.ledger.shutdown(self.now)
        newest: dict[tuple[bytes, int], TraceTotals] = {}
        for closing in self.out:
            row = closing.totals
            held = newest.get((row.trace_id, row.generation))
            assert held is None or held.version < row.version
            newest[row.trace_id, row.generation] = row
        return list(newest.values())

    def net(self) -> int:
        return self.telemetry.cost.exact() - self.telemetry.cost_retracted.exact()

    def net_savings(self) -> int:
        return self.telemetry.cache_savings.exact() - self.telemetry.cache_surcharge.exact()


def cost(rows: Iterable[TraceTotals]) -> int:
    return sum(int(row.cost) for row in rows)


def usage_first(spans: Sequence[Span]) -> list[Span]:
    """A trace is remembered from its first usage-bearing span on; one without any is dropped."""
    bearing = [one for one in spans if one.call is not None and one.call.role != WITNESS]
    assume(bearing)
    return bearing[:1]


def schedule(
    spans: Sequence[Span], rng: random.Random, pauses: Sequence[float]
) -> list[tuple[list[Span], float]]:
    """All spans and some again, shuffled and split any way, with pauses."""
    sent = list(spans) + rng.choices(spans, k=rng.randrange(len(spans) // 10, len(spans) + 1))
    rng.shuffle(sent)
    frames = []
    while sent:
        size = rng.randrange(1, len(sent) + 1)
        frames.append((sent[:size], rng.choice(pauses)))
        sent = sent[size:]
    return frames


@given(traces(), st.randoms(use_true_random=False))
def test_a_trace_that_is_remembered_ends_as_the_batch_does(
    spans: list[Span], rng: random.Random
) -> None:
    """Open or warm: after the drain the newest row is the roll-up of all its spans."""
    play = Play(LedgerSettings(late_window=1e6, max_age=1e6))
    play.send(usage_first(spans), 0)
    for sent, pause in schedule(spans, rng, [0.0, 1.0, 5.0, 7.0, 70.0, 400.0]):
        play.send(sent, pause)
    rows = play.finish()
    expected = roll(spans)
    assert play.net() == expected.total.cost == cost(rows)
    assert play.net_savings() == expected.total.savings
    for row in rows:
        assert row == totals(expected, Stamp(*[getattr(row, name) for name in Stamp._fields]))


@given(traces(), st.randoms(use_true_random=False))
def test_the_rows_of_the_calls_end_as_the_batch_decides(
    spans: list[Span], rng: random.Random
) -> None:
    """The newest row of a call says what the roll-up says; without a newer one, what arrived."""
    play = Play(LedgerSettings(late_window=1e6, max_age=1e6))
    play.send(usage_first(spans), 0)
    for sent, pause in schedule(spans, rng, [0.0, 7.0, 70.0]):
        play.send(sent, pause)
    play.finish()
    store = {call.span_id: call for call in calls(spans)}
    for closing in play.out:
        for call in closing.corrections:
            assert call.version > store[call.span_id].version
            store[call.span_id] = call
    rolled = roll(spans)
    for span_id, held in rolled.decisions.items():
        if rolled.counts and held.reason != ALREADY_METERED:
            row = store[span_id]
            assert (row.billed, row.billed_reason) == (held.billed, held.reason)
            assert row.identity == held.identity


@given(traces(wrappers=False), st.randoms(use_true_random=False))
def test_any_timing_and_any_limit_keep_the_money_of_calls(
    spans: list[Span], rng: random.Random
) -> None:
    """Idle, evicted, forgotten, late: generations and metrics add up to the batch."""
    limits = rng.choice(
        [LedgerSettings(), LedgerSettings(max_spans=3), LedgerSettings(quiet=0.5, root_grace=0.1)]
    )
    play = Play(limits)
    for sent, pause in schedule(spans, rng, [0.0, 1.0, 7.0, 30.0, 400.0, 4000.0]):
        play.send(sent, pause)
    rows = play.finish()
    total = roll(spans).total
    assert cost(rows) == total.cost == play.net()
    assert sum(row.llm_calls for row in rows) == total.calls
    assert sum(row.unpriced_calls for row in rows) == total.unpriced
    assert play.telemetry.tokens.exact() == sum(total.usage.values())


@settings(max_examples=30)
@given(st.lists(traces(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_counters_net_to_the_rows_whatever_happens(
    many: list[list[Span]], rng: random.Random
) -> None:
    """Also where a generation was closed too early: metrics and rows never drift apart."""
    play = Play(rng.choice([LedgerSettings(), LedgerSettings(max_traces=2, max_spans=4)]))
    for number, spans in enumerate(many):
        trace = bytes([number]) * 16
        moved = [span_of(one, trace) for one in spans]
        for sent, pause in schedule(moved, rng, [0.0, 1.0, 7.0, 30.0, 400.0]):
            play.send(sent, pause)
    rows = play.finish()
    assert play.net() == cost(rows)


@given(traces(), st.randoms(use_true_random=False))
def test_a_replay_of_the_same_frames_writes_the_same_rows(
    spans: list[Span], rng: random.Random
) -> None:
    """Keys, versions and contents are reproduced: rows that are sent again replace themselves."""
    frames = schedule(spans, rng, [0.0, 7.0, 30.0])
    rows = []
    for _ in range(2):
        play = Play(LedgerSettings())
        for sent, pause in frames:
            play.send(sent, pause)
        rows.append(play.finish())
    assert rows[0] == rows[1]
