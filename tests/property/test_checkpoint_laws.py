"""A checkpoint that is taken piece by piece is the state at the moment at which it began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from costspan.ledger.alarms import Limits
from costspan.ledger.checkpoint_state import Packing, Snapshot
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.telemetry import Telemetry
from ledger_samples import Span, frame, heads, span_of
from ledger_strategies import traces

SECOND = 10**9
QUICK = LedgerSettings(
    root_grace=1.0, quiet=1.0, idle=2.0, late_window=2.0, amend_debounce=0.5, checkpoint=0.5
)
LIMITS = [QUICK, replace(QUICK, max_traces=2), replace(QUICK, max_spans=3), LedgerSettings()]
WATCHED = Limits(cost=1, calls=1, repeats=1, growth_calls=1, growth_factor=1.0)
SPANS = st.lists(st.integers(0, 99), max_size=4)
BEFORE = st.lists(st.tuples(SPANS, st.sampled_from([0.0, 0.3, 1.0])), min_size=2, max_size=6)
MEANWHILE = st.lists(st.tuples(SPANS, st.sampled_from([0.0, 0.3, 1.0, 3.0])), min_size=2)


class Bench:
    """A ledger that is fed by turns."""

    def __init__(self, settings: LedgerSettings, pool: Sequence[Span]) -> None:
        self.ledger = TraceLedger(settings, "w", Telemetry(), limits=WATCHED)
        self.pool = pool
        self.now = 0

    def turn(self, picked: Sequence[int], pause: float) -> None:
        """Some spans come, then time passes."""
        if spans := [self.pool[number % len(self.pool)] for number in picked]:
            one = frame(self.ledger.last_seq + 1, spans)
            self.ledger.add(one, heads(spans), self.now)
        self.now += round(pause * SECOND)
        self.ledger.expire(self.now)


@given(
    st.lists(traces(), min_size=2, max_size=4),
    st.sampled_from(LIMITS),
    BEFORE,
    MEANWHILE,
    st.integers(1, 2),
)
def test_what_changes_while_a_checkpoint_is_taken_is_not_in_it(
    drawn: list[list[Span]],
    settings: LedgerSettings,
    before: list[tuple[list[int], float]],
    meanwhile: list[tuple[list[int], float]],
    at_once: int,
) -> None:
    """Spans that come, closes, amendments, evictions; it begins anywhere, and takes its turns."""
    pool = [span_of(one, bytes([n]) * 16) for n, spans in enumerate(drawn, 1) for one in spans]
    bench = Bench(settings, pool)
    for turn in before:
        bench.turn(*turn)
    snapshot = Snapshot(bench.ledger.state(), [], [])
    whole = [*Packing(snapshot, bench.now, at_once)]
    packing = Packing(snapshot, bench.now, at_once)
    assert len(packing) == len(whole)
    bench.ledger.watch_changes(packing.keep)
    pieces = iter(packing)
    taken = []
    for turn in meanwhile:
        bench.turn(*turn)
        taken += [piece for piece in [next(pieces, None)] if piece is not None]
    assert [*taken, *pieces] == whole
