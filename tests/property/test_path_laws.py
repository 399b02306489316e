"""Laws of the critical path: it has no gaps, and no order of arrival changes it."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from costspan.ledger.path import critical_path, heaviest_chain
from costspan.ledger.rollup import Rollup, rollup
from costspan.ledger.tree import grow
from ledger_samples import TRACE, Span, calls
from ledger_strategies import drawn_traces
from trace_answers import spans_of
from trace_drawing import Told

RANDOMS = st.randoms(use_true_random=False)


def rolled_up(spans: list[Span]) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans])


@given(drawn_traces())
def test_the_sections_tile_the_root(told: list[Told]) -> None:
    """Or, without one, the whole trace; and what is on the path cost no more than the trace."""
    rolled = rolled_up(spans_of(told, TRACE))
    path, forest = critical_path(rolled), rolled.forest
    start, end = (
        (forest.root.start_ns, max(forest.root.start_ns, forest.root.end_ns))
        if forest.root
        else (forest.start_ns, forest.end_ns)
    )
    at = start
    for section in path.sections:
        assert (section.start, section.end > section.start) == (at, True)
        at = section.end
    assert at == end
    assert 0 <= path.cost <= rolled.total.cost


@given(drawn_traces(), RANDOMS)
def test_the_order_of_arrival_changes_no_path(told: list[Told], rng: random.Random) -> None:
    spans = spans_of(told, TRACE)
    one, other = rolled_up(spans), rolled_up(rng.sample(spans, len(spans)))
    assert critical_path(one) == critical_path(other)
    assert heaviest_chain(one, grow(one)) == heaviest_chain(other, grow(other))


@given(drawn_traces())
def test_the_heaviest_chain_leads_down(told: list[Told]) -> None:
    """From the root: to a span directly below, or to one whose parent is missing."""
    rolled = rolled_up(spans_of(told, TRACE))
    chain = heaviest_chain(rolled, grow(rolled))
    links, root = rolled.forest.links, rolled.forest.root
    for above, one in pairwise(chain):
        assert links[one] == above or (root and above == root.span_id and links[one] not in links)
    assert len(set(chain)) == len(chain)
