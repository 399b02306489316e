"""The ways in which one call is told of twice, each as one small trace worked out by hand.

Times are seconds; a token in costs 1 and a token out 10 where a test looks at money.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from billing_samples import (
    ANTHROPIC,
    LANGCHAIN,
    OPENAI,
    SPRING,
    agent,
    call,
    reasons,
    roll,
    usage,
)
from costspan.ledger.billing import bill
from costspan.ledger.forest import plant
from costspan.model import (
    AGGREGATE,
    CUMULATIVE,
    TOKEN_COUNTER,
    WITNESS,
    Charge,
    LlmCall,
    Value,
)
from hits import call_of
from ledger_samples import Span, calls, ident, span

# --- T1 to T3: what repeats its children ---------------------------------------------------------


def test_t1_agents_above_agents_repeat_the_calls_below_and_never_bill() -> None:
    """langchain-azure-ai: every agent above carries the sum, 2 calls are 300 in and 30 out."""
    rolled = roll(
        span(1, end=9, call=agent(300, 30)),
        span(2, 1, end=9, call=agent(300, 30)),
        span(3, 2, end=2, call=call(100, 10)),
        span(4, 2, start=3, end=5, call=call(200, 20)),
    )
    assert reasons(rolled) == ["not_inference", "not_inference", "leaf", "leaf"]
    assert usage(rolled) == {"input": 300, "output": 30}
    assert rolled.flags == ()


def test_t2_a_root_that_repeats_its_last_step_is_no_double_of_it() -> None:
    """Vercel 4 and 5: `ai.generateText` is an agent above two requests with ids of their own."""
    rolled = roll(
        span(1, end=9, call=agent(200, 20, response_id="chatcmpl-2")),
        span(2, 1, end=2, call=call(100, 10, response_id="chatcmpl-1")),
        span(3, 1, start=3, end=5, call=call(200, 20, response_id="chatcmpl-2")),
    )
    assert reasons(rolled) == ["duplicate", "leaf", "leaf"]
    assert usage(rolled) == {"input": 300, "output": 30}


def test_t3_chains_behind_a_call_with_its_message_and_its_id_never_bill() -> None:
    """LangSmith: a chain above and a parser beside the model's run return the same message."""
    chain = agent(100, 10, operation="chain", response_id="lc_run--1")
    parser = agent(100, 10, operation="chain", response_id="lc_run--1")
    rolled = roll(
        span(1, end=9, call=chain),
        span(2, 1, end=2, call=call(100, 10, response_id="lc_run--1")),
        span(3, 1, start=3, end=4, call=parser),
    )
    assert reasons(rolled) == ["duplicate", "leaf", "duplicate"]


def test_nested_agents_with_one_response_id_and_no_call_below_bill_the_innermost() -> None:
    rolled = roll(
        span(1, end=9, call=agent(200, 20, response_id="r")),
        span(2, 1, end=8, call=agent(100, 10, response_id="r")),
    )
    assert reasons(rolled) == ["not_inference", "fallback"]


def test_agents_beside_each_other_with_one_response_id_are_one_call() -> None:
    rolled = roll(
        span(1, end=2, call=agent(100, 10, response_id="r")),
        span(2, start=3, end=4, call=agent(100, 10, response_id="r")),
    )
    assert reasons(rolled) == ["duplicate", "fallback"]


# --- T4: two instrumentations, one call ----------------------------------------------------------

CACHED = {"input": 20, "cache_read": 80, "output": 10}  # what an inclusive 100 and 10 contain


@pytest.mark.parametrize(
    ("outer", "inner", "why"),
    [
        ({"input": 100, "output": 10}, CACHED, ["covered", "leaf"]),
        (CACHED, {"input": 100, "output": 10}, ["leaf", "covered"]),
        # the one that lost the cached tokens counts the rest alone: an exclusive count
        (CACHED, {"input": 20, "output": 10}, ["leaf", "covered"]),
        ({"input": 20, "output": 10}, CACHED, ["covered", "leaf"]),
        # one took an exclusive 100 for an inclusive one: 180 in truth
        ({"input": 100, "cache_read": 80, "output": 10}, CACHED, ["covered", "leaf"]),
        # a write by lifetime says more than a read
        (
            {"input": 10, "cache_read": 80, "cache_write_1h": 10, "output": 10},
            CACHED | {"input": 20},
            ["leaf", "covered"],
        ),
        # output without its reasoning
        (
            {"input": 100, "output": 10},
            {"input": 100, "output": 30, "reasoning": 20},
            ["covered", "leaf"],
        ),
    ],
    ids=["inner", "outer", "exclusive below", "exclusive above", "misread", "write", "reasoning"],
)
def test_t4_a_framework_around_an_sdk_is_one_call_told_best_by_the_finer_breakdown(
    outer: dict[str, int], inner: dict[str, int], why: list[str]
) -> None:
    rolled = roll(
        span(1, end=9, call=call(usage=outer, scope_name=LANGCHAIN)),
        span(2, 1, start=1, end=8),
        span(3, 2, start=2, end=7, call=call(usage=inner, scope_name=OPENAI)),
    )
    assert reasons(rolled) == why


def test_t4_of_three_around_each_other_the_one_in_the_middle_may_know_most() -> None:
    rolled = roll(
        span(1, end=9, call=call(100, 10, scope_name=LANGCHAIN, user="ann")),
        span(2, 1, start=1, end=8, call=call(usage=CACHED, scope_name=OPENAI)),
        span(3, 2, start=2, end=7, call=call(100, 10, service="gateway", kind=2, agent="proxy")),
    )  # fmt: skip
    assert reasons(rolled) == ["covered", "leaf", "covered"]
    best = rolled.decisions[ident(2)]
    assert (best.identity.user, best.identity.agent) == ("ann", "proxy")


def test_t4_with_equal_counts_the_provider_s_own_sdk_goes_before_a_framework() -> None:
    """Neither which is around the other nor an id in common decides."""
    rolled = roll(
        span(1, end=9, call=call(response_id="msg_1", scope_name=ANTHROPIC)),
        span(2, 1, end=8, call=call(response_id="msg_1", scope_name=LANGCHAIN)),
    )
    assert reasons(rolled) == ["leaf", "duplicate"]


def test_t4_a_known_price_goes_before_a_finer_breakdown() -> None:
    unpriced = call(usage=CACHED, scope_name=LANGCHAIN)
    unpriced.charge = Charge("unpriced", "unknown_model")
    rolled = roll(span(1, end=9, call=unpriced), span(2, 1, end=8, call=call(scope_name=OPENAI)))
    assert reasons(rolled) == ["covered", "leaf"]


def test_t4_editions_and_places_of_a_model_are_one_model() -> None:
    outer = call(provider="anthropic", model="claude-sonnet-4-5", scope_name=LANGCHAIN)
    inner = call(provider="aws.bedrock", model="us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    assert reasons(roll(span(1, end=9, call=outer), span(2, 1, end=8, call=inner))) == [
        "covered",
        "leaf",
    ]


def test_t4_another_model_inside_is_another_call() -> None:
    rolled = roll(
        span(1, end=9, call=call(100, 10, model="gpt-4o")),
        span(2, 1, end=8),
        span(3, 2, end=7, call=call(100, 10, model="gpt-4o-mini")),
    )
    assert reasons(rolled) == ["leaf", "leaf"]


def test_t4_two_ids_of_one_provider_are_two_calls_though_one_is_inside_the_other() -> None:
    """A stream that stays open while the next call is made."""
    rolled = roll(
        span(1, end=9, call=call(response_id="chatcmpl-1")),
        span(2, 1, start=1, end=2, call=call(response_id="chatcmpl-2")),
    )
    assert reasons(rolled) == ["leaf", "leaf"]


@pytest.mark.parametrize("other", ["chatcmpl-a", "chatcmpl-ABC"], ids=["prefix", "case"])
def test_t4_ids_are_opaque(other: str) -> None:
    """Neither case nor a common beginning makes two ids one."""
    rolled = roll(
        span(1, end=1, call=call(response_id="chatcmpl-abc")),
        span(2, start=2, end=3, call=call(response_id=other)),
    )
    assert reasons(rolled) == ["leaf", "leaf"]


def test_t4_a_framework_s_own_id_does_not_hide_that_it_is_the_same_call() -> None:
    """LangChain names its messages itself."""
    rolled = roll(
        span(1, end=9, call=call(response_id="lc_run--1", scope_name=LANGCHAIN)),
        span(2, 1, end=8, call=call(response_id="chatcmpl-1", scope_name=OPENAI)),
    )
    assert reasons(rolled) == ["covered", "leaf"]


def test_t4_a_call_that_begins_after_the_one_above_it_ended_is_another() -> None:
    """A context that is not put away: every call of a loop is a child of the one before."""
    rolled = roll(
        span(1, end=1, call=call(100, 10)),
        span(2, 1, start=2, end=3, call=call(100, 10)),
        span(3, 2, start=4, end=5, call=call(200, 20)),
    )
    assert reasons(rolled) == ["leaf", "leaf", "leaf"]


def test_t4_a_client_around_a_client_of_the_same_operation_is_one_call_whatever_it_counts() -> None:
    """CrewAI's `.llm` span states the usage of the call before if the provider is silent."""
    rolled = roll(
        span(1, end=9, call=call(90, 7, scope_name="opentelemetry.instrumentation.crewai")),
        span(2, 1, end=8, call=call(100, 10, scope_name=OPENAI)),
    )
    assert reasons(rolled) == ["covered", "leaf"]


def test_t4_a_framework_beside_the_sdk_s_span_is_one_call() -> None:
    """OpenLLMetry's LangChain 0.62 around the Responses API: siblings without a common id."""
    rolled = roll(
        span(1, end=20, call=agent()),
        span(2, 1, start=1, end=5, call=call(scope_name=LANGCHAIN)),
        span(3, 1, start=2, end=4, call=call(scope_name=OPENAI)),
        span(4, 1, start=6, end=10, call=call(scope_name=LANGCHAIN)),
        # a stream is closed after the framework's span has ended
        span(5, 1, start=7, end=12, call=call(usage=CACHED, scope_name=OPENAI)),
    )
    assert reasons(rolled) == ["covered", "leaf", "covered", "leaf"]


def test_t4_the_sdk_s_span_may_hang_above_the_framework_s_chain() -> None:
    """OpenInference's LangChain makes no span the current one; another branch is another call."""
    rolled = roll(
        span(1, end=20),
        span(2, 1, start=1, end=9, call=agent(operation="chain")),
        span(3, 2, start=2, end=8, call=call(scope_name=LANGCHAIN)),
        span(4, 1, start=3, end=7, call=call(scope_name=OPENAI)),
        span(5, 1, start=3, end=9),
        span(6, 5, start=4, end=6, call=call(scope_name=OPENAI)),
    )
    assert reasons(rolled) == ["covered", "leaf", "leaf"]


def test_t4_parallel_calls_told_beside_each_other_are_paired_one_to_one() -> None:
    """Three calls at once with equal tokens, each told by both: three, not one and not six."""
    spans = [span(1, end=20)]
    for number, (start, end) in enumerate([(1, 9), (2, 8), (3, 10)]):
        spans.append(span(10 + number, 1, start=start, end=end, call=call(scope_name=LANGCHAIN)))
        inner = call(scope_name=OPENAI)
        spans.append(span(20 + number, 1, start=start + 0.1, end=end - 0.1, call=inner))
    rolled = roll(*spans)
    assert reasons(rolled) == ["covered"] * 3 + ["leaf"] * 3


def test_two_calls_of_one_library_with_equal_tokens_are_two() -> None:
    """Samples taken in parallel, and a retry."""
    rolled = roll(
        span(1, end=9, call=agent(200, 20)),
        span(2, 1, start=1, end=5, call=call(scope_name=OPENAI)),
        span(3, 1, start=2, end=4, call=call(scope_name=OPENAI)),
    )
    assert reasons(rolled) == ["not_inference", "leaf", "leaf"]


def test_a_record_around_two_calls_is_covered_by_both() -> None:
    """.NET's chat client around its function loop: the sum, and the last answer's id."""
    rolled = roll(
        span(1, end=9, call=call(300, 30, response_id="chatcmpl-2")),
        span(2, 1, end=2, call=call(100, 10, response_id="chatcmpl-1")),
        span(3, 1, start=3, end=5, call=call(200, 20, response_id="chatcmpl-2")),
    )
    assert reasons(rolled) == ["duplicate", "leaf", "leaf"]
    assert usage(rolled) == {"input": 300, "output": 30}
    without = roll(
        span(1, end=9, call=call(300, 30)),
        span(2, 1, end=2, call=call(100, 10, response_id="chatcmpl-1")),
        span(3, 1, start=3, end=5, call=call(200, 20, response_id="chatcmpl-2")),
    )
    assert reasons(without) == ["covered", "leaf", "leaf"]


def test_what_a_tool_spends_does_not_cover_the_call_that_is_open_around_it() -> None:
    rolled = roll(
        span(1, end=9, call=call(100, 10)),
        span(2, 1, start=1, end=8, call=agent(operation="execute_tool", agent="search")),
        span(3, 2, start=2, end=7, call=call(500, 50)),
    )
    assert reasons(rolled) == ["leaf", "leaf"]


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        ((7, 1), ["leaf", "leaf", "leaf"]),
        ((500, 50), ["leaf", "leaf", "leaf"]),
        ((300, 30), ["covered", "leaf", "leaf"]),  # the second attempt
        ((400, 40), ["covered", "leaf", "leaf"]),  # both
    ],
)
def test_spans_without_a_record_between_a_call_and_those_below_may_be_tools(
    amount: tuple[int, int], why: list[str]
) -> None:
    """Most spans of tools are not opened. A framework's call repeats one of those below, or all."""
    rolled = roll(
        span(1, end=9, call=call(*amount)),
        span(2, 1, end=8),
        span(3, 2, start=1, end=3, call=call(100, 10)),
        span(4, 2, start=4, end=7, call=call(300, 30)),
    )
    assert reasons(rolled) == why


@pytest.mark.parametrize("operation", ["", "answer_question"])
def test_a_span_of_no_known_operation_is_covered_by_whatever_it_is_around(operation: str) -> None:
    """An application's own span with the usage of all that it did."""
    rolled = roll(
        span(1, end=9, call=call(590, 60, operation=operation, model="total")),
        span(2, 1, end=8, call=agent()),
        span(3, 2, end=2, call=call(100, 10, model="a")),
        span(4, 2, start=3, end=5, call=call(500, 50, model="b")),
    )
    assert reasons(rolled) == ["covered", "leaf", "leaf"]


# --- T5 and T6: gateways, and two spans by design ------------------------------------------------


def test_t5_a_client_its_gateway_and_its_framework_are_one_call_and_pool_what_they_know() -> None:
    rolled = roll(
        span(1, end=9, call=call(100, 10, scope_name=LANGCHAIN, agent="planner")),
        span(2, 1, end=8, call=call(100, 10, response_id="chatcmpl-1", scope_name=OPENAI)),
        span(3, 2, end=7),
        span(4, 3, end=6, call=call(usage=CACHED, response_id="chatcmpl-1", scope_name="litellm",
                                    service="proxy", user="key-7")),
    )  # fmt: skip
    assert reasons(rolled) == ["covered", "duplicate", "leaf"]
    assert usage(rolled) == CACHED
    gateway = rolled.decisions[ident(4)].identity
    assert (gateway.agent, gateway.user) == ("planner", "key-7")


def test_t6_google_adk_tells_of_a_call_and_again_inside_of_it_without_its_thoughts() -> None:
    known = {"input": 60, "cache_read": 40, "output": 70, "reasoning": 50}
    rolled = roll(
        span(1, end=9, call=call(usage=known, scope_name="gcp.vertex.agent")),
        span(2, 1, end=8, call=call(100, 20, scope_name="gcp.vertex.agent")),
    )
    assert reasons(rolled) == ["leaf", "covered"]
    assert usage(rolled) == known


def test_t5_a_gateway_s_clock_may_be_wrong() -> None:
    rolled = roll(
        span(1, end=1, call=call(scope_name=OPENAI)),
        span(2, 1, start=60, end=61, call=call(scope_name="litellm", service="proxy")),
    )
    assert reasons(rolled) == ["leaf", "covered"]


def test_t5_an_alias_without_a_price_is_no_other_model() -> None:
    alias = call(100, 10, model="prod-chat")
    alias.charge = Charge("unpriced", "unknown_model")
    gateway = call(100, 10, model="gpt-4o", scope_name="litellm", service="proxy")
    rolled = roll(span(1, end=9, call=alias), span(2, 1, end=8, call=gateway))
    assert reasons(rolled) == ["covered", "leaf"]


def test_t6_a_fetched_response_is_the_call_that_made_it() -> None:
    """OpenLLMetry writes `openai.response` for create and for retrieve."""
    rolled = roll(
        span(1, end=1, call=call(response_id="resp_1")),
        span(2, start=5, end=6, call=call(response_id="resp_1")),
    )
    assert sorted(reasons(rolled)) == ["duplicate", "leaf"]


def test_t6_in_the_background_only_the_fetched_response_has_usage() -> None:
    rolled = roll(
        span(1, end=1, call=call(None, response_id="resp_1")),
        span(2, start=5, end=6, call=call(response_id="resp_1")),
    )
    assert reasons(rolled) == ["duplicate", "leaf"]


@pytest.mark.parametrize(
    ("outer", "why"),
    [
        (call(None, scope_name=LANGCHAIN), "covered"),
        (call(None, scope_name=LANGCHAIN, response_id="chatcmpl-1"), "duplicate"),
        (call(None, scope_name=LANGCHAIN, response_id="lc_run--1"), "covered"),
        (call(None, scope_name=OPENAI, response_id="chatcmpl-2"), "no_usage"),
        (agent(None), "no_usage"),
    ],
    ids=["no id", "its id", "an id of the framework's own", "another id", "witness"],
)
def test_t4_a_framework_that_states_no_usage_around_an_sdk_that_does(
    outer: LlmCall, why: str
) -> None:
    """Streams of Haystack, DSPy and LlamaIndex: the span is of a call, and the counts are below."""
    rolled = roll(
        span(1, end=9, call=outer),
        span(2, 1, start=1, end=8, call=call(response_id="chatcmpl-1", scope_name=OPENAI)),
    )
    assert reasons(rolled) == ([why, "leaf"] if outer.role != WITNESS else ["leaf"])


def test_a_silent_call_is_not_what_a_tool_below_it_spends() -> None:
    """.NET's chat client is open around the tools that it runs; its own usage never came."""
    rolled = roll(
        span(1, end=9, call=call(None)),
        span(2, 1, start=1, end=8, call=agent(operation="execute_tool", agent="search")),
        span(3, 2, start=2, end=7, call=call(500, 50)),
    )
    assert reasons(rolled) == ["no_usage", "leaf"]


# --- T9 to T12 -----------------------------------------------------------------------------------


def test_t9_an_agent_that_is_the_only_one_to_tell_bills_once() -> None:
    rolled = roll(span(1, end=9, call=agent(100, 10)), span(2, 1, end=8, call=agent(100, 10)))
    assert reasons(rolled) == ["not_inference", "fallback"]
    assert rolled.flags == ("fallback",)


@pytest.mark.parametrize(
    ("below", "expected"), [(("m", "m"), "m"), (("m", "n"), ""), (("", ""), "")]
)
def test_t9_an_agent_that_names_no_model_bills_under_that_of_its_silent_calls(
    below: tuple[str, str], expected: str
) -> None:
    """Claude's agents under Logfire: partial counts on the chats, the sum on the root."""
    nameless = agent(100, 10, model="")
    nameless.charge = Charge("provider_reported", "", "7")
    rolled = roll(
        span(1, end=9, call=nameless),
        span(2, 1, end=2, call=call(None, model=below[0])),
        span(3, 1, start=3, end=4, call=call(None, model=below[1])),
    )
    assert reasons(rolled) == ["fallback", "no_usage", "no_usage"]
    assert rolled.decisions[ident(1)].call.response_model == expected


def test_t9_an_agent_that_counts_more_than_its_calls_is_flagged_and_not_billed() -> None:
    """One of two calls has no span. The difference may as well be another run's."""
    rolled = roll(span(1, end=9, call=agent(200, 20)), span(2, 1, end=8, call=call(70, 10)))
    assert reasons(rolled) == ["not_inference", "leaf"]
    assert rolled.flags == ("uncovered_usage",)


def test_t9_a_few_tokens_more_are_rounding() -> None:
    rolled = roll(span(1, end=9, call=agent(1010, 18)), span(2, 1, end=8, call=call(1000, 10)))
    assert rolled.flags == ()


def test_t10_counters_never_bill_and_cover_nothing() -> None:
    rolled = roll(
        span(1, end=9, call=call(100, 10)),
        span(2, 1, end=8, call=call(100, 0, role=TOKEN_COUNTER)),
        span(3, end=8, call=call(100, 10, role=CUMULATIVE)),
    )
    assert reasons(rolled) == ["leaf", "token_counter", "cumulative"]


def test_t11_every_attempt_with_usage_was_paid_for() -> None:
    """A stream that broke off, its retry with an id of its own, one that failed at once."""
    rolled = roll(
        span(1, end=9, call=agent()),
        span(2, 1, end=1, status=2, call=call(None)),
        span(3, 1, start=2, end=3, status=2, call=call(100, 4, response_id="chatcmpl-1")),
        span(4, 1, start=4, end=5, call=call(100, 10, response_id="chatcmpl-2")),
    )
    assert reasons(rolled) == ["no_usage", "leaf", "leaf"]
    assert usage(rolled) == {"input": 200, "output": 14}


def test_t11_a_framework_around_attempts_repeats_the_one_that_succeeded() -> None:
    rolled = roll(
        span(1, end=9, call=call(100, 10, scope_name=LANGCHAIN)),
        span(2, 1, start=1, end=2, status=2, call=call(100, 4, response_id="chatcmpl-1")),
        span(3, 1, start=3, end=4, call=call(100, 10, response_id="chatcmpl-2")),
    )
    assert reasons(rolled) == ["covered", "leaf", "leaf"]


def test_t12_an_application_s_span_that_a_gateway_wrote_its_last_call_on_bills_that_call() -> None:
    """LiteLLM 1 without spans of its own: the calls before are gone, and no span proves them."""
    rolled = roll(span(1, end=9, call=call(100, 10, name="app", kind=1)), span(2, 1, end=8))
    assert reasons(rolled) == ["leaf"]


# --- who is believed to add up, and what large traces cost ---------------------------------------


@pytest.mark.parametrize(
    ("scope", "kind", "expected"),
    [
        ((SPRING, "3.5.4"), "", True),  # Spring AI 1.0 and 1.1
        ((SPRING, "4.0.0"), "", False),  # 2.0 reports each call by itself
        (("opentelemetry.instrumentation.crewai.instrumentation", "0.62.4"), "agent", True),
        (("opentelemetry.instrumentation.crewai.instrumentation", "0.62.4"), "", False),
        (("app", "3.5.4"), "", False),
    ],
)
def test_only_emitters_that_add_up_are_read_so(
    scope: tuple[str, str], kind: str, *, expected: bool
) -> None:
    values: dict[str, Value] = {
        "gen_ai.operation.name": "invoke_agent" if kind else "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": "10",
    }
    assert call_of(values, scope=scope).cumulative is expected


def _leaked(size: int) -> list[Span]:
    """Each call is a child of the one before, and every one of another model."""
    return [
        span(n, n - 1, start=n, end=n + 0.5, call=call(100, 10, model=f"m{n}"))
        for n in range(1, size)
    ]


def _around(size: int) -> list[Span]:
    """Each call is around the one before, and says more than all below it."""
    return [
        span(n, n - 1, end=9, call=call(2**20 - n, 10, model=f"m{n % 40}", operation=f"o{n}"))
        for n in range(1, size)
    ]


def _parallel(size: int) -> list[Span]:
    """Frameworks and SDKs beside each other, all at once, none of them agreeing."""
    return [
        span(n, end=9, call=call(n, 10, scope_name=LANGCHAIN if n % 2 else OPENAI))
        for n in range(1, size)
    ]


@pytest.mark.parametrize("shape", [_leaked, _around, _parallel])
def test_no_shape_of_a_trace_makes_billing_quadratic(shape: Callable[[int], list[Span]]) -> None:
    """Far below what comparing each with each would take."""
    spans = shape(4000)
    forest = plant(calls(spans), [one.head[1:] for one in spans])
    began = time.process_time()
    bill(forest)
    assert time.process_time() - began < 2


def test_the_price_of_a_tool_is_no_model_call() -> None:
    """LiteLLM 2 puts `litellm.cost.total` on the spans of MCP tools, which count no tokens."""
    tool = call(None, 0, role=AGGREGATE, operation="execute_tool", cost=7)
    rolled = roll(span(1, end=9), span(2, 1, call=tool))

    assert (rolled.total.calls, rolled.total.cost) == (0, 0)
