"""What a trace waited for, second by second, and where most of its money went."""

from __future__ import annotations

from costspan.ledger.forest import ROOT
from costspan.ledger.path import critical_path, heaviest_chain
from costspan.ledger.rollup import Rollup, rollup
from costspan.ledger.tree import grow
from ledger_samples import SECOND, START, Span, calls, ident, record, span

SERVER, CONSUMER, REMOTE = 2, 5, 0x300


def roll(*spans: Span) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans])


def waited(*spans: Span) -> list[tuple[int, float, float]]:
    """(span, from, to) in seconds, in order of time."""
    return [
        (
            int.from_bytes(one.span_id),
            (one.start - START) / SECOND,
            (one.end - START) / SECOND,
        )
        for one in critical_path(roll(*spans)).sections
    ]


def chain(*spans: Span) -> list[int]:
    rolled = roll(*spans)
    return [int.from_bytes(one) for one in heaviest_chain(rolled, grow(rolled))]


def entered(one: Span, kind: int = 1, flags: int = 0) -> Span:
    return one._replace(head=one.head._replace(kind=kind, flags=flags))


def test_a_trace_waits_for_the_children_and_between_them_for_the_parent() -> None:
    assert waited(
        span(1, start=0, end=10), span(2, 1, start=1, end=4), span(3, 1, start=5, end=9)
    ) == [(1, 0, 1), (2, 1, 4), (1, 4, 5), (3, 5, 9), (1, 9, 10)]


def test_what_runs_beside_a_longer_one_is_not_waited_for() -> None:
    """Nor is what is below it."""
    assert waited(
        span(1, start=0, end=10),
        span(2, 1, start=0, end=10),
        span(3, 1, start=2, end=6),
        span(4, 3, start=3, end=5),
        span(5, 2, start=8, end=9),
    ) == [(2, 0, 8), (5, 8, 9), (2, 9, 10)]


def test_siblings_that_touch_are_both_waited_for() -> None:
    assert waited(
        span(1, start=0, end=2), span(2, 1, start=0, end=1), span(3, 1, start=1, end=2)
    ) == [(2, 0, 1), (3, 1, 2)]


def test_a_child_counts_only_in_the_time_of_its_parent() -> None:
    """A clock that is off, or work that nobody waits for: the root is tiled all the same."""
    assert waited(
        span(1, start=0, end=4),
        span(2, 1, start=3, end=9),
        span(3, 1, start=5, end=6),
        span(4, 1, start=2, end=2),
        span(5, 1, start=2, end=1),
    ) == [(1, 0, 3), (2, 3, 4)]


def test_a_span_of_another_host_that_does_not_fit_goes_to_the_middle_of_its_parent() -> None:
    """And what is below it goes with it; one that waited in a queue stays where it was."""
    behind = [span(2, 1, start=100, end=104), span(3, 2, start=101, end=102)]
    assert waited(span(1, start=0, end=10), entered(behind[0], SERVER), behind[1]) == [
        (1, 0, 3), (2, 3, 4), (3, 4, 5), (2, 5, 7), (1, 7, 10),
    ]  # fmt: skip
    assert waited(span(1, start=0, end=10), entered(behind[0], flags=REMOTE))[1] == (2, 3, 7)
    assert waited(span(1, start=0, end=10), entered(behind[0], CONSUMER)) == [(1, 0, 10)]


def test_a_span_whose_parent_is_missing_is_below_the_root() -> None:
    assert waited(span(1, start=0, end=3), span(2, 77, start=1, end=2)) == [
        (1, 0, 1), (2, 1, 2), (1, 2, 3),
    ]  # fmt: skip


def test_a_second_root_is_not_on_the_path() -> None:
    assert waited(span(1, start=0, end=3), span(2, start=1, end=9)) == [(1, 0, 3)]


def test_without_a_root_the_path_leads_through_the_whole_trace() -> None:
    """What runs between the spans nobody knows."""
    nobody = int.from_bytes(ROOT)
    assert waited(span(2, 77, start=0, end=1), span(3, 77, start=2, end=3)) == [
        (2, 0, 1), (nobody, 1, 2), (3, 2, 3),
    ]  # fmt: skip


def test_the_cost_of_the_path_is_that_of_the_calls_on_it() -> None:
    path = critical_path(
        roll(
            span(1, start=0, end=4),
            span(2, 1, start=0, end=3, call=record(cost=5)),
            span(3, 1, start=1, end=2, call=record(7, cost=100)),
            span(4, 1, start=3, end=4, call=record(8, cost=30)),
        )
    )
    assert path.cost == 35
    assert path.spent == {ident(2): 3 * SECOND, ident(4): SECOND}


def test_the_heaviest_chain_goes_down_where_most_was_spent() -> None:
    spans = (
        span(1),
        span(2, 1),
        span(3, 2, call=record(cost=4)),
        span(4, 2, call=record(7, cost=4)),
        span(5, 1, call=record(8, cost=7)),
        span(6, 1),
    )
    assert chain(*spans) == [1, 2, 3]
    assert chain(span(1), span(5, 77, call=record(cost=7))) == [1, 5]
    assert chain(span(1), span(6, 1)) == []


def test_a_chain_of_50_000_spans_is_no_trouble() -> None:
    size = 50_000
    deep = [span(n, n - 1, start=0, end=1 + size - n) for n in range(1, size)]
    spans = [*deep, span(size, size - 1, start=0, end=1, call=record(cost=3))]
    rolled = roll(*spans)
    assert len(critical_path(rolled).sections) == size
    assert len(heaviest_chain(rolled, grow(rolled))) == size
