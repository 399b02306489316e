"""Accounts that stand beside calls, and running sums: each case one small trace by hand."""

from __future__ import annotations

from typing import Any

import pytest

from billing_samples import (
    ANTHROPIC,
    OPENAI,
    SPRING,
    agent,
    call,
    reasons,
    roll,
    usage,
)
from costspan.model import (
    AGGREGATE,
    LEAF,
    Charge,
    LlmCall,
)
from ledger_samples import Span, ident, span

# --- T6: AG2's accounts, which stand beside the calls ---------------------------------------------

AG2 = "opentelemetry.instrumentation.ag2"


def ag2(tokens_in: int = 100, tokens_out: int = 10, **said: Any) -> LlmCall:
    return call(tokens_in, tokens_out, scope_name=AG2, **said)


def account(operation: str, tokens_in: int = 100, tokens_out: int = 10) -> LlmCall:
    role = LEAF if operation == "compaction" else AGGREGATE
    return ag2(tokens_in, tokens_out, operation=operation, role=role, kind=1)


def test_t6_the_account_of_a_call_repeats_the_call_beside_it() -> None:
    rolled = roll(
        span(1, end=9, call=agent(agent="lead")),
        span(2, 1, end=2, call=ag2()),
        span(3, 1, start=2, end=2, call=account("model_call")),
        span(4, 1, start=3, end=5, call=ag2()),
        span(5, 1, start=5, end=5, call=account("model_call")),
    )
    assert reasons(rolled) == ["leaf", "covered", "leaf", "covered"]


def test_t9_accounts_of_a_live_session_are_all_that_tells_of_its_calls() -> None:
    rolled = roll(
        span(1, end=9, call=agent(agent="lead")),
        span(2, 1, start=2, end=2, call=account("model_call")),
        span(3, 1, start=5, end=5, call=account("model_call")),
    )
    assert reasons(rolled) == ["fallback", "fallback"]


@pytest.mark.parametrize(
    ("spans", "why"),
    [
        ([], "fallback"),
        ([span(5, 4, start=3, end=4, call=ag2(70, 7)), span(6, 4, end=5, call=ag2(30, 3))],
         "covered"),
        ([span(5, 4, start=3, end=4, call=call(100, 10, scope_name=OPENAI))], "covered"),
        ([span(5, 4, start=3, end=4, call=ag2(20, 2))], "fallback"),
    ],
    ids=["no spans", "spans of its own", "spans of an SDK", "less"],
)  # fmt: skip
def test_t9_the_account_of_a_sub_agent_bills_if_nothing_else_tells(
    spans: list[Span], why: str
) -> None:
    """It hangs below the turn that asked for it, beside the tool that runs it."""
    rolled = roll(
        span(1, end=9, call=agent(agent="lead")),
        span(2, 1, end=2, call=ag2(100, 10)),  # the turn's own call is not the sub-agent's
        span(3, 1, start=3, end=6),
        span(4, 3, start=3, end=6, call=agent(agent="worker")),
        span(9, 1, start=6, end=6, call=account("subtask")),
        *spans,
    )
    assert rolled.decisions[ident(9)].reason == why


def test_t9_sub_agents_of_sub_agents_are_told_of_once() -> None:
    """What the innermost, which has no spans, spent is a part of what the one around it did."""
    rolled = roll(
        span(1, end=9, call=agent(agent="lead")),
        span(2, 1, start=1, end=8),
        span(3, 2, start=1, end=8, call=agent(agent="worker")),
        span(4, 3, start=1, end=2, call=ag2(100, 10)),
        span(5, 3, start=2, end=4),
        span(6, 3, start=4, end=4, call=account("subtask", 50, 5)),
        span(7, 1, start=8, end=8, call=account("subtask", 150, 15)),
    )
    assert reasons(rolled) == ["leaf", "fallback", "covered"]
    assert usage(rolled) == {"input": 150, "output": 15}


def test_t9_of_two_sub_agents_one_branch_covers_one() -> None:
    rolled = roll(
        span(1, end=9, call=agent(agent="lead")),
        span(2, 1, start=1, end=4),
        span(3, 2, start=1, end=3, call=ag2(100, 10)),
        span(4, 1, start=1, end=4),
        span(5, 1, start=4, end=4, call=account("subtask")),
        span(6, 1, start=4, end=4, call=account("subtask")),
    )
    assert sorted(reasons(rolled)) == ["covered", "fallback", "leaf"]


def test_t4_upkeep_that_an_sdk_tells_of_too_is_one_call() -> None:
    rolled = roll(
        span(1, end=9, call=agent(agent="lead")),
        span(2, 1, end=2, call=call(100, 10, scope_name=ANTHROPIC)),
        span(3, 1, start=2, end=2, call=account("compaction")),
        span(4, 1, start=4, end=4, call=account("compaction")),
    )
    assert reasons(rolled) == ["leaf", "covered", "leaf"]


@pytest.mark.parametrize(
    ("provider", "priced"),
    [
        ("", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("aws.bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
    ],
)
def test_t4_a_model_of_bedrock_is_one_whoever_says_that_it_is_there(
    provider: str, priced: str
) -> None:
    """Strands (1.62) says that it is the provider; botocore below it says Bedrock."""
    model = "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"
    outer = call(100, 10, kind=1, provider=provider, charge=Charge(priced_model=priced))
    inner = call(100, 10, provider="aws.bedrock", charge=Charge(priced_model=model))
    rolled = roll(span(1, end=9, call=outer), span(2, 1, start=1, end=8, call=inner))
    assert reasons(rolled) == ["covered", "leaf"]


# --- T7: running sums ----------------------------------------------------------------------------


def spring(tokens_in: int, tokens_out: int) -> LlmCall:
    return call(tokens_in, tokens_out, scope_name=SPRING, cumulative=True)


def test_t7_of_a_tool_loop_that_adds_up_the_last_call_bills() -> None:
    """Spring AI 1.1: calls of 100/10, 130/20 and 170/30 report 100/10, 230/30 and 400/60."""
    rolled = roll(
        span(1, end=9),
        span(2, 1, start=0, end=1, call=spring(100, 10)),
        span(3, 1, start=2, end=3, call=spring(230, 30)),
        span(4, 1, start=4, end=5, call=spring(400, 60)),
    )
    assert reasons(rolled) == ["cumulative", "cumulative", "leaf"]
    assert usage(rolled) == {"input": 400, "output": 60}
    assert rolled.flags == ("cumulative",)


def test_t7_a_running_sum_is_one_also_by_a_clock_that_stands_still() -> None:
    rolled = roll(
        span(1),
        span(2, 1, call=spring(400, 60)),
        span(3, 1, call=spring(100, 10)),
        span(4, 1, call=spring(230, 30)),
    )
    assert reasons(rolled) == ["leaf", "cumulative", "cumulative"]


def test_t7_the_next_conversation_begins_a_sum_of_its_own() -> None:
    """120/10 after 100/10 is no sum: what is new would be a prompt of 20, and a loop adds."""
    rolled = roll(
        span(1, end=9),
        span(2, 1, start=0, end=1, call=spring(100, 10)),
        span(3, 1, start=2, end=3, call=spring(120, 10)),
        span(4, 1, start=4, end=5, call=spring(90, 60)),
    )
    assert reasons(rolled) == ["leaf", "leaf", "leaf"]


def test_t7_a_growing_conversation_of_any_other_emitter_is_no_sum() -> None:
    rolled = roll(
        span(1, end=9),
        span(2, 1, start=0, end=1, call=call(100, 10)),
        span(3, 1, start=2, end=3, call=call(230, 30)),
    )
    assert reasons(rolled) == ["leaf", "leaf"]


def test_t7_below_different_spans_are_different_sums() -> None:
    rolled = roll(
        span(1, end=9, call=agent(agent="a")),
        span(2, start=1, end=9, call=agent(agent="b")),
        span(3, 1, start=2, end=3, call=spring(100, 10)),
        span(4, 2, start=4, end=5, call=spring(230, 30)),
    )
    assert reasons(rolled) == ["leaf", "leaf"]


def test_t7_two_loops_below_spans_of_their_own_are_different_sums() -> None:
    """Spring AI's chat clients (4, 5) have no record: two questions of one request."""
    rolled = roll(
        span(1, end=9),
        span(4, 1, start=0, end=2),
        span(5, 1, start=3, end=6),
        span(2, 4, start=0, end=1, call=spring(100, 10)),
        span(3, 5, start=4, end=5, call=spring(230, 30)),
    )
    assert reasons(rolled) == ["leaf", "leaf"]


def test_t7_a_stream_s_call_around_the_next_of_its_loop_is_one_sum_with_it() -> None:
    rolled = roll(
        span(1, end=9, call=spring(230, 30)),
        span(2, 1, start=2, end=8, call=spring(100, 10)),
    )
    assert reasons(rolled) == ["leaf", "cumulative"]


def test_t7_an_agent_that_is_asked_twice_and_adds_up_bills_its_last_span() -> None:
    """CrewAI without provider spans: 100/10, then 150/20 with the first in it."""
    first, second = (agent(*u, cumulative=True, agent="a") for u in ((100, 10), (150, 20)))
    rolled = roll(
        span(1, end=9),
        span(2, 1, end=1, call=first),
        span(3, 1, start=2, end=3, call=second),
    )
    assert reasons(rolled) == ["cumulative", "fallback"]


def test_t7_a_sum_whose_last_span_has_its_calls_below_it_does_not_swallow_the_first() -> None:
    first, second = (agent(*u, cumulative=True, agent="a") for u in ((100, 10), (150, 20)))
    rolled = roll(
        span(1, end=9),
        span(2, 1, end=1, call=first),
        span(3, 1, start=2, end=4, call=second),
        span(4, 3, start=3, end=4, call=call(50, 10)),
    )
    assert reasons(rolled) == ["fallback", "not_inference", "leaf"]
