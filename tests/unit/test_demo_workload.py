"""The demo's workload and its own books: repeatable, well formed, honest about prices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from costspan.demo.books import Entry, total, total_by, unpriced, wasted
from costspan.demo.cast import Cast
from costspan.demo.models import GPT, IN_HOUSE, MODELS, SONNET, Model, Tokens
from costspan.demo.span import Call, Plan
from costspan.demo.stories import LOOP_ROUNDS, market_report, runaway_loop, stories


def flat(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.children:
        yield from flat(child)


def entry(model: Model, tokens: Tokens, *, agent: str = "a", failed: bool = False) -> Entry:
    return Entry("t", "s", "service", "team", agent, Call(model, tokens), failed)


def test_the_same_seed_plans_the_same_workload() -> None:
    assert stories(7) == stories(7)
    assert stories(7) != stories(8)


def test_the_workload_is_a_few_hundred_spans_in_about_fifty_traces() -> None:
    told = stories()
    spans = [span for story in told for span in flat(story.root)]

    assert 40 <= len(told) <= 60
    assert 300 <= len(spans) <= 900
    assert len({story.user for story in told}) > 10
    assert len({span.call.model for span in spans if span.call}) == len(MODELS)


def test_children_lie_inside_their_parents_in_time() -> None:
    for story in stories():
        story.root.starting(1_000)
        for parent in flat(story.root):
            for child in parent.children:
                assert parent.start_ns <= child.start_ns <= child.end_ns <= parent.end_ns


def test_only_model_calls_are_billed_and_an_agent_that_repeats_usage_is_not() -> None:
    report = list(flat(market_report(Cast(1), 0).root))
    repeating = [p for p in report if p.agent and "gen_ai.usage.input_tokens" in p.attributes]

    assert {plan.agent for plan in repeating} == {"coder", "reviewer"}
    assert all(plan.call is None for plan in repeating)
    assert all(plan.client for plan in report if plan.call)


def test_the_loop_sends_a_longer_prompt_every_time() -> None:
    loop = [
        p.call.tokens.prompt
        for p in flat(runaway_loop(Cast(1)).root)
        if p.call and p.call.model == SONNET
    ]

    assert len(loop) == LOOP_ROUNDS
    assert loop == sorted(set(loop))
    assert loop[-1] < 200_000  # below the long-context price, which the demo's list does not have


def test_cost_and_savings_are_exact_decimals() -> None:
    tokens = Tokens(1_000, 10, cache_read=2_000, cache_write=400)

    assert SONNET.price is not None
    assert SONNET.price.cost(tokens) == Decimal("0.005250")
    assert SONNET.price.savings(tokens) == Decimal("0.0051")


def test_an_unknown_price_is_counted_and_never_a_zero() -> None:
    entries = [entry(IN_HOUSE, Tokens(5, 5)), entry(GPT, Tokens(1_000_000), failed=True)]

    assert entries[0].cost is None
    assert unpriced(entries) == 1
    assert total(entries) == wasted(entries) == Decimal("1.25")
    assert total_by(entries, lambda e: e.model) == {"gpt-5": Decimal("1.25")}
