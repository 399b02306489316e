"""Which of several records of the same call is billed, and whose it is."""

from __future__ import annotations

import time

import pytest

from costspan.ledger.billing import Known
from costspan.ledger.rollup import Rollup, rollup
from costspan.model import (
    AGGREGATE,
    ALREADY_METERED,
    CUMULATIVE,
    TOKEN_COUNTER,
    WITNESS,
    Charge,
    LlmCall,
)
from ledger_samples import DOLLAR, Span, calls, ident, record, span


def roll(*spans: Span, known: Known | None = None) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans], known or Known())


def tokens(rolled: Rollup) -> int:
    usage = rolled.total.usage
    return usage.get("input", 0) + usage.get("output", 0)


def reasons(rolled: Rollup) -> list[str]:
    """By span id."""
    return [held.reason for held in rolled.decisions.values()]


AGENT = AGGREGATE
# (case, spans, tokens billed, reasons): the table of wrappers, as real instrumentations emit them
WRAPPERS = [
    (
        "an agent span that is the sum of its children",
        [
            span(1, call=record(104, 20, role=AGENT)),
            span(2, 1, call=record(50, 10)),
            span(3, 1, call=record(54, 10)),
        ],
        124,
        ["not_inference", "leaf", "leaf"],
    ),
    (
        "an agent span that repeats its last call only",
        [
            span(1, call=record(2600, 68, role=AGENT)),
            span(2, 1, call=record(2400, 31)),
            span(3, 1, call=record(2600, 68)),
        ],
        5099,
        ["not_inference", "leaf", "leaf"],
    ),
    (
        "an agent span that carries the conversation so far",
        [span(1, call=record(93, 10, role=AGENT)), span(2, 1, call=record(47, 5))],
        52,
        ["not_inference", "leaf"],
    ),
    (
        "embeddings inside embeddings",
        [span(1, call=record(28, 0)), span(2, 1, call=record(28, 0))],
        28,
        ["covered", "leaf"],
    ),
    (
        "a framework's call around an SDK's, steps between them",
        [span(1, call=record(20, 1)), span(2, 1), span(3, 2), span(4, 3, call=record(20, 1))],
        21,
        ["covered", "leaf"],
    ),
    (
        "a call whose tool makes an independent call",
        [span(1, call=record(50, 9)), span(2, 1), span(3, 2, call=record(5, 2))],
        66,
        ["leaf", "leaf"],
    ),
    (
        "only the wrapper reports: a remote agent",
        [span(1, call=record(104, 20, role=AGENT)), span(2, 1)],
        124,
        ["fallback"],
    ),
    (
        "of nested aggregates without calls the innermost bills",
        [
            span(1, call=record(200, 20, role=AGENT)),
            span(2, 1, call=record(100, 10, role=AGENT)),
            span(3, 1, call=record(100, 10, role=AGENT)),
        ],
        220,
        ["not_inference", "fallback", "fallback"],
    ),
    (
        "a wrapper of 200, one of two children instrumented",
        [span(1, call=record(180, 20, role=AGENT)), span(2, 1, call=record(70, 10))],
        80,
        ["not_inference", "leaf"],
    ),
    (
        "client and gateway with the same response id, the gateway below",
        [
            span(1, call=record(8, 2, response_id="r")),
            span(
                2, 1, call=record(usage={"input": 5, "cache_read": 3, "output": 2}, response_id="r")
            ),
        ],
        7,
        ["duplicate", "leaf"],
    ),
    (
        "an SDK that is read twice: siblings with the same response id under an agent",
        [
            span(1, call=record(8, 2, role=AGENT)),
            span(2, 1, call=record(8, 2, response_id="r")),
            span(3, 1, start=0.5, call=record(8, 2, response_id="r")),
        ],
        10,
        ["not_inference", "duplicate", "leaf"],
    ),
    (
        "an agent over a call that a gateway of another branch bills",
        [
            span(1, call=record(8, 2, role=AGENT)),
            span(2, 1, call=record(8, 2, response_id="r")),
            span(3, 99, start=0.5, call=record(8, 2, response_id="r")),
        ],
        10,
        ["not_inference", "duplicate", "leaf"],
    ),
    (
        "a double below an independent call covers it once",
        [
            span(1, call=record(150, 20)),
            span(4, 1),
            span(2, 4, call=record(100, 10, response_id="r")),
            span(3, 4, start=0.5, call=record(100, 10, response_id="r")),
        ],
        280,
        ["leaf", "duplicate", "leaf"],
    ),
    (
        "a richer record is not covered by its own double below, whatever else is there",
        [
            span(
                1,
                call=record(usage={"input": 60, "cache_read": 40, "output": 10}, response_id="r"),
            ),
            span(2, 1, call=record(100, 10, response_id="r")),
            span(3, 1, call=record(5, 1)),
        ],
        76,
        ["leaf", "duplicate", "leaf"],
    ),
    (
        "an agent whose call another costspan billed",
        [
            span(1, call=record(8, 2, role=AGENT)),
            span(2, 1, call=record(8, 2, role=ALREADY_METERED)),
        ],
        0,
        ["not_inference", "already_metered"],
    ),
    (
        "counters and running sums never bill",
        [
            span(1, call=record(8, 2, role=TOKEN_COUNTER)),
            span(2, call=record(8, 2, role=CUMULATIVE)),
            span(3, call=record(None)),
        ],
        0,
        ["token_counter", "cumulative", "no_usage"],
    ),
    (
        "an agent bills where its only call says nothing of its usage",
        [span(1, call=record(8, 2, role=AGENT)), span(2, 1, call=record(None))],
        10,
        ["fallback", "no_usage"],
    ),
]


@pytest.mark.parametrize(
    ("spans", "billed", "why"), [case[1:] for case in WRAPPERS], ids=[case[0] for case in WRAPPERS]
)
def test_each_call_is_billed_once(spans: list[Span], billed: int, why: list[str]) -> None:
    rolled = roll(*spans)
    assert reasons(rolled) == why
    assert tokens(rolled) == billed


def test_a_supervisor_costs_its_own_calls_and_those_of_its_agents() -> None:
    """$0.052 = $0.012 of its own + $0.040 of the researcher below it."""
    rolled = roll(
        span(1, call=record(None, role=WITNESS, agent="supervisor", workflow="report", user="ann")),
        span(2, 1, call=record(cost=12 * DOLLAR // 1000)),
        span(3, 1),
        span(4, 3, call=record(None, role=WITNESS, agent="researcher")),
        span(5, 4, call=record(cost=25 * DOLLAR // 1000)),
        span(6, 4, call=record(cost=15 * DOLLAR // 1000)),
    )
    assert rolled.total.cost == 52 * DOLLAR // 1000
    assert {agent: sums.cost for agent, sums in rolled.by["agent"].items()} == {
        "supervisor": 12 * DOLLAR // 1000,
        "researcher": 40 * DOLLAR // 1000,
    }
    assert {held.identity.workflow for held in rolled.decisions.values()} == {"report"}
    assert rolled.identity.user == "ann"
    assert len(rolled.decisions) == 3  # witnesses have no row


def test_identity_is_the_nearest_above_and_ones_own_stands() -> None:
    rolled = roll(
        span(1, call=record(None, role=WITNESS, agent="outer", tool="search", session="s")),
        span(2, 1),
        span(3, 2, call=record(agent="own")),
        span(4, 2, call=record(conversation="c")),
    )
    own, inherited = (held.identity for held in rolled.decisions.values())
    assert (own.agent, own.tool, own.session, own.conversation) == ("own", "search", "s", "")
    assert (inherited.agent, inherited.conversation) == ("outer", "c")


def test_an_orphan_takes_user_and_session_of_the_root_but_no_agent() -> None:
    rolled = roll(
        span(1, call=record(None, role=WITNESS, agent="a", user="ann", session="s")),
        span(2, 99, call=record()),
    )
    (orphan,) = rolled.decisions.values()
    assert (orphan.identity.agent, orphan.identity.user, orphan.identity.session) == (
        "",
        "ann",
        "s",
    )
    assert rolled.flags == ("orphans",)
    assert not rolled.whole


def test_of_two_roots_the_earliest_names_the_trace() -> None:
    rolled = roll(
        span(1, start=1, end=3, call=record(service="late")),
        span(2, start=0, end=2, call=record(service="early")),
    )
    assert rolled.service == "early"
    assert rolled.flags == ("several_roots",)
    assert rolled.total.calls == 2


@pytest.mark.parametrize(
    "spans",
    [
        [span(1, 1, call=record())],
        [span(1, 2, call=record()), span(2, 1)],
        [span(2, 3), span(1, 2, call=record()), span(3, 1), span(4, 3), span(5, 99)],
    ],
    ids=["its own parent", "two", "three and a tail"],
)
def test_a_cycle_is_cut_and_its_money_kept(spans: list[Span]) -> None:
    rolled = roll(*spans)
    assert "cycle" in rolled.flags
    assert rolled.total.cost == 200
    assert not rolled.whole


def test_a_covered_span_in_a_cycle_is_found_from_the_smallest_id() -> None:
    """The cut makes span 1 the top, whatever came first."""
    members = [span(1, 2, call=record(10, 1)), span(2, 1, call=record(10, 1))]
    assert reasons(roll(*members)) == reasons(roll(*members[::-1])) == ["covered", "leaf"]


def test_a_span_that_ends_before_it_starts_keeps_its_money() -> None:
    rolled = roll(span(1, start=5, end=1, call=record()))
    assert rolled.total.cost == 200
    assert rolled.start_ns <= rolled.end_ns


def test_of_two_copies_of_a_span_the_later_then_the_dearer_counts() -> None:
    short, long = span(1, end=1, call=record(cost=5)), span(1, end=2, call=record(cost=1))
    assert roll(short, long).total.cost == roll(long, short).total.cost == 1
    cheap, dear = span(1, call=record(cost=1)), span(1, call=record(cost=5))
    assert roll(cheap, dear, cheap).total.cost == roll(dear, cheap).total.cost == 5


def test_unknown_is_not_zero() -> None:
    """A billed call without a price is counted as such and adds nothing."""
    unpriced = record(service="x")
    unpriced.charge = type(unpriced.charge)("unpriced", "unknown_model")
    total = roll(span(1, call=unpriced), span(2, call=record())).total
    assert (total.cost, total.calls, total.unpriced) == (200, 2, 1)


def test_an_error_costs_and_is_named() -> None:
    rolled = roll(span(1, status=2, call=record()), span(2, status=2), span(3, call=record()))
    assert (rolled.errors, rolled.total.error_cost, rolled.total.cost) == (2, 200, 400)


def test_what_an_earlier_generation_billed_is_known() -> None:
    """The agent ends last: its calls were billed, its own span arrives in a new generation."""
    first = roll(span(3, 2, call=record(8, 2, response_id="r")))
    assert first.left.below[ident(2)][:2] == (8, 2)
    agent, tool = span(1, call=record(8, 2, role=AGENT)), span(2, 1)
    again = span(4, 1, call=record(8, 2, response_id="r"))
    assert tokens(roll(agent, tool, again)) == 10
    later = roll(agent, tool, again, known=first.left)
    assert reasons(later) == ["not_inference", "duplicate"]
    still = roll(tool, known=first.left)
    assert still.left.below[ident(1)][:2] == (8, 2)


@pytest.mark.parametrize(
    ("inner", "outer", "reason"),
    [
        (record(8, 2), record(8, 2), "covered"),
        (record(101, 2), record(100, 2), "covered"),
        (record(9, 2), record(8, 2), "leaf"),
        (record(9, 2, model="other"), record(8, 2), "leaf"),
        (record(8, 2), record(8, 2, model="alias", cost=None), "leaf"),
    ],
    ids=["exactly", "nearly", "more", "of another model", "exactly, of another model"],
)
def test_a_call_around_calls_of_an_earlier_generation_is_judged_as_in_one(
    inner: LlmCall, outer: LlmCall, reason: str
) -> None:
    """What was billed below it is told apart by model, there as here; a step may be a tool."""
    below, above = span(3, 2, start=1, end=2, call=inner), span(1, end=9, call=outer)
    step = span(2, 1, start=1, end=3)
    left = roll(below, step).left
    assert roll(above, known=left).decisions[ident(1)].reason == reason
    assert roll(above, step, below).decisions[ident(1)].reason == reason


def test_what_is_around_calls_of_an_earlier_generation_is_not_the_last_of_them() -> None:
    """It counts all of them, and repeats the id of the one that comes with it."""
    left = roll(span(2, 1, end=2, call=record(100, 10, response_id="chatcmpl-1"))).left
    later = roll(
        span(1, end=9, call=record(300, 30, response_id="chatcmpl-2")),
        span(3, 1, start=3, end=5, call=record(200, 20, response_id="chatcmpl-2")),
        known=left,
    )
    assert reasons(later) == ["duplicate", "leaf"]


def test_an_alias_without_a_price_is_covered_by_exactly_its_tokens() -> None:
    """In one generation the two are known to tell of one call; in two the record is gone."""
    alias = record(8, 2, model="alias")
    alias.charge = Charge("unpriced", "unknown_model")
    left = roll(span(3, 2, call=record(8, 2))).left
    assert roll(span(2, call=alias), known=left).decisions[ident(2)].reason == "covered"


def test_a_chain_of_100_000_spans_is_rolled_up_without_recursion() -> None:
    """Every tenth span carries a record; being quick means that no step is quadratic."""
    depth = 100_000
    spans = [span(n, n - 1, call=None if n % 10 else record(n, 1)) for n in range(1, depth + 1)]
    for call in calls(spans):
        call.operation = "step"
    began = time.process_time()
    rolled = roll(*spans)
    assert time.process_time() - began < 5
    assert rolled.spans == depth
    assert rolled.total.calls == 1  # the innermost has the most tokens: it covers all above


def test_a_deep_chain_of_spans_around_one_call_is_climbed_once() -> None:
    spans = [span(n, n - 1) for n in range(1, 20_000)]
    leaves = [span(50_000 + n, 19_999 - n, call=record(agent="")) for n in range(1000)]
    top = span(1, call=record(None, role=WITNESS, agent="top"))
    rolled = roll(*spans[1:], top, *leaves)
    assert rolled.by["agent"]["top"].calls == 1000


def _cached(response_id: str) -> LlmCall:
    """A gateway's span for an answer from its own cache."""
    call = record(cost=0, response_id=response_id)
    call.gateway = "litellm"
    return call


def test_an_answer_from_a_gateways_cache_costs_the_client_nothing() -> None:
    """The client's span looks like any call and repeats the id of the first answer."""
    rolled = roll(
        span(1, call=record(cost=DOLLAR, response_id="r")),
        span(2, 1),
        span(3, 2, call=_cached("r")),
    )
    assert reasons(rolled) == ["duplicate", "leaf"]
    assert (rolled.total.cost, rolled.total.calls) == (0, 1)


def test_an_answer_and_its_repetition_from_a_gateways_cache_cost_it_once() -> None:
    """Client and gateway, twice: the second time nobody asked the provider."""
    rolled = roll(
        span(1, call=record(cost=DOLLAR, response_id="r")),
        span(2, 1, call=record(cost=DOLLAR - 1, response_id="r")),
        span(3, call=record(cost=DOLLAR, response_id="r", usage={"input": 1, "output": 1, "x": 1})),
        span(4, 3, call=_cached("r")),
    )
    assert reasons(rolled) == ["leaf", "duplicate", "duplicate", "duplicate"]
    assert rolled.total.cost == DOLLAR


def test_without_an_id_the_gateways_word_covers_the_client() -> None:
    rolled = roll(span(1, call=record(cost=DOLLAR)), span(2, 1, call=_cached("")))

    assert reasons(rolled) == ["covered", "leaf"]
    assert rolled.total.cost == 0


def test_what_another_costspan_metered_stays_so_above_a_gateways_cache() -> None:
    metered = record(cost=DOLLAR, response_id="r", role=ALREADY_METERED)
    rolled = roll(span(1, call=metered), span(2, 1, call=_cached("r")))

    assert reasons(rolled) == ["already_metered", "duplicate"]
