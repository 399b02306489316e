"""Calls that name no model, below a turn that does: Codex, each as one small trace."""

from __future__ import annotations

from costspan.ledger.rollup import Rollup, rollup
from costspan.model import AGGREGATE, Charge, LlmCall
from ledger_samples import Span, calls, record, span


def answer(tokens_in: int, tokens_out: int) -> LlmCall:
    call = record(tokens_in, tokens_out, model="")
    call.charge = Charge(reason="no_model")
    return call


def turn(tokens_in: int, tokens_out: int) -> LlmCall:
    return record(tokens_in, tokens_out, role=AGGREGATE)


def roll(*spans: Span) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans])


def reasons(rolled: Rollup) -> list[str]:
    return [held.reason for held in rolled.decisions.values()]


def test_a_turn_that_is_the_sum_of_its_nameless_answers_bills_for_them() -> None:
    rolled = roll(
        span(1, end=9, call=turn(300, 30)),
        span(2, 1, end=2, call=answer(100, 10)),
        span(3, 1, start=3, end=5, call=answer(200, 20)),
    )
    assert reasons(rolled) == ["fallback", "covered", "covered"]
    assert dict(rolled.total.usage) == {"input": 300, "output": 30}
    assert rolled.total.unpriced == 0


def test_a_turn_that_counts_anything_else_leaves_its_answers_billed_without_a_price() -> None:
    rolled = roll(
        span(1, end=9, call=turn(301, 30)),
        span(2, 1, end=2, call=answer(100, 10)),
        span(3, 1, start=3, end=5, call=answer(200, 20)),
    )
    assert reasons(rolled) == ["not_inference", "leaf", "leaf"]
    assert rolled.total.unpriced == 2


def test_a_turn_above_a_call_with_a_price_does_not_bill_for_the_one_without() -> None:
    rolled = roll(
        span(1, end=9, call=turn(300, 30)),
        span(2, 1, end=2, call=answer(100, 10)),
        span(3, 1, start=3, end=5, call=record(200, 20)),
    )
    assert reasons(rolled) == ["not_inference", "leaf", "leaf"]


def test_each_of_several_turns_bills_for_its_own_answers() -> None:
    rolled = roll(
        span(1, end=9),
        span(2, 1, end=4, call=turn(100, 10)),
        span(3, 2, end=2, call=answer(100, 10)),
        span(4, 1, start=5, end=9, call=turn(200, 20)),
        span(5, 4, start=5, end=8, call=answer(200, 20)),
    )
    assert reasons(rolled) == ["fallback", "covered", "fallback", "covered"]
