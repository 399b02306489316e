"""Laws of the critical path: it has no gaps, and no order of arrival changes it."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from costspan.ledger.path import Section, critical_path, heaviest_chain
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


def naive(rolled: Rollup, one: bytes, low: int, high: int) -> list[Section]:
    """By recursion, latest first: the child that ended last before, and what was before it."""
    nodes, links, root = rolled.forest.nodes, rolled.forest.links, rolled.forest.root
    assert root is not None
    below = {each for each, above in links.items() if above == one}
    if one == root.span_id:
        below |= {each for each, above in links.items() if above not in links and any(above)}
    times = {each: (max(nodes[each][2], low), min(nodes[each][3], high)) for each in below}
    found, until = [], high
    while ended := [each for each, (start, end) in times.items() if start < end <= until]:
        last = min(ended, key=lambda each: (-times[each][1], times[each][0], each))
        start, end = times.pop(last)
        found += [Section(one, end, until), *naive(rolled, last, start, end)]
        until = start
    return [each for each in [*found, Section(one, low, until)] if each.start < each.end]


@given(drawn_traces())
def test_the_path_is_what_the_naive_way_finds(told: list[Told]) -> None:
    """Where no clock is mended: within one process."""
    rolled = rolled_up(spans_of([one._replace(entry=False) for one in told], TRACE))
    root = rolled.forest.root
    if root is not None:
        found = naive(rolled, root.span_id, root.start_ns, max(root.start_ns, root.end_ns))
        assert critical_path(rolled).sections == found[::-1]


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
