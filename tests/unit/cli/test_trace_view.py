"""How a trace is drawn: guides that fit, and long runs of siblings folded with their cost."""

from __future__ import annotations

import pytest

from costspan.cli.trace_document import Traced
from costspan.cli.trace_view import lines, show
from costspan.finish.outline import Step, outline
from costspan.finish.reading import StoredSpan, StoredTrace
from costspan.ledger.path import critical_path, heaviest_chain
from costspan.ledger.tree import grow
from costspan.model import WITNESS
from ledger_samples import DOLLAR, TRACE, Span, calls, record, span


def traced(*spans: Span) -> Traced:
    stored = {
        one.head.span_id: StoredSpan(one.head[1:], f"s{int.from_bytes(one.head.span_id)}", "app")
        for one in spans
    }
    trace = StoredTrace(stored, calls(spans))
    rolled = trace.rollup()
    tree = grow(rolled)
    steps = list(outline(trace, rolled, tree))
    path, chain = critical_path(rolled), heaviest_chain(rolled, tree)
    return Traced(TRACE, rolled, tree, steps, path, chain)


def steps(*spans: Span) -> list[Step]:
    return list(traced(*spans).steps)


def drawn(*spans: Span, every: bool = False) -> list[str]:
    return [
        f"{line.guides}{line.step.span.name if line.step else line.folded} {line.cost}"
        for line in lines(steps(*spans), every=every, ascii_only=True)
    ]


def test_siblings_stand_below_their_parent_by_start() -> None:
    assert drawn(
        span(1), span(2, 1, start=2), span(3, 1, start=1), span(4, 3, call=record(cost=7))
    ) == ["s1 7", "|- s3 7", "|  `- s4 7", "`- s2 0"]


def test_a_long_run_of_siblings_is_one_line_with_its_cost() -> None:
    many = [span(n, 1, start=n, call=record(n, cost=n)) for n in range(2, 12)]
    below = span(99, 7)
    assert drawn(span(1), *many, below) == [
        "s1 65", "|- s2 2", "|- s3 3", "|- s4 4", "|- s5 5", "|- ...4 30", "|- s10 10", "`- s11 11",
    ]  # fmt: skip
    assert len(drawn(span(1), *many, below, every=True)) == 12


def test_a_span_whose_parent_is_missing_stands_at_the_top() -> None:
    assert drawn(span(1), span(2, 77, call=record(cost=3)), span(3, 2)) == [
        "s1 0", "s2 3", "`- s3 0",
    ]  # fmt: skip


def test_a_call_whose_span_is_not_stored_is_told_by_its_record() -> None:
    """Calls are kept longer than spans."""
    alone = span(5, 1, call=record(cost=4))
    trace = StoredTrace({}, calls([alone]))
    rolled = trace.rollup()
    (step,) = outline(trace, rolled, grow(rolled))
    assert (step.span.name, step.cost, step.calls) == ("chat m", 4, 1)


def test_a_deep_chain_is_drawn() -> None:
    chain = [span(n, n - 1) for n in range(1, 3000)]
    assert len(drawn(*chain, span(3000, 2999, call=record(cost=1)))) == 3000


def test_below_the_tree_stands_what_was_wasted_and_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    spans = [
        span(1, start=0, end=4),
        span(2, 1, start=0, end=3, call=record(None, role=WITNESS, agent="lead")),
        span(3, 2, start=0, end=2, call=record(1, cost=3 * DOLLAR)),
        span(4, 2, start=1, end=3, status=2, call=record(None, role=WITNESS, agent="worker")),
        span(5, 4, start=1, end=3, call=record(2, cost=2 * DOLLAR)),
    ]
    show(traced(*spans), every=False)
    printed = capsys.readouterr().out
    for sentence in (
        "At or below spans that failed: $2.",
        "Agents that have other agents below them spent $3 themselves.",
        "The critical path leads through 3 spans in 4,000 ms; calls on it cost $2.",
        "Model calls took 4,000 ms altogether, within 3,000 ms.",
        "Most was spent along s1 > s2 > s3.",
    ):
        assert sentence in printed


def test_of_a_long_way_down_the_middle_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    chain = [span(n, n - 1) for n in range(1, 10)]
    show(traced(*chain, span(10, 9, call=record(cost=1))), every=False)
    assert "along s1 > s2 > s3 > s4 > 4 more > s9 > s10." in capsys.readouterr().out
