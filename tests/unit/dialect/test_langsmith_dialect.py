"""LangSmith: kinds of runs, and one call that every run around it tells of again."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from costspan.ledger.billing import bill
from costspan.ledger.forest import plant
from costspan.model import AGGREGATE, LEAF, LlmCall, Value
from hits import call_of

SCOPE = ("langsmith", "")
DETAILS = {"cache_read": 400, "cache_creation": 0}
USAGE = {"input_tokens": 1000, "output_tokens": 100, "input_token_details": DETAILS}
MESSAGE = {"id": "lc_run--1", "response_metadata": {"id": "msg_1"}, "usage_metadata": USAGE}
RUN: dict[str, Value] = {
    "langsmith.span.kind": "llm",
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
    "gen_ai.usage.total_tokens": 1100,
}


def _model(message: object) -> str:
    return json.dumps({"generations": [[{"message": {"lc": 1, "kwargs": message}}]]})


@pytest.mark.parametrize(
    ("kind", "operation", "role"),
    [
        ("llm", "chat", LEAF),
        ("embedding", "embeddings", LEAF),
        ("chain", "chain", AGGREGATE),
        ("tool", "execute_tool", AGGREGATE),
        ("retriever", "retrieval", AGGREGATE),
        ("prompt", "prompt", AGGREGATE),
        ("parser", "chain", AGGREGATE),
    ],
)
def test_the_kind_goes_before_the_operation(kind: str, operation: str, role: str) -> None:
    """It calls a retriever `embeddings` and a prompt `chat`."""
    call = call_of({**RUN, "langsmith.span.kind": kind}, scope=SCOPE)

    assert (call.operation, call.role, call.billed) == (operation, role, role == LEAF)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.completion", _model(MESSAGE)),
        ("gen_ai.completion", json.dumps({"output": MESSAGE})),
        ("gen_ai.completion", json.dumps({"output": {"lc": 1, "kwargs": MESSAGE}})),
        ("gen_ai.completion", json.dumps({"usage_metadata": USAGE})),
        ("langsmith.metadata.usage_metadata", json.dumps(USAGE)),
        ("gen_ai.usage.input_token_details", str(DETAILS)),
    ],
)
def test_the_cached_tokens_stand_in_what_the_run_returned(key: str, value: str) -> None:
    call = call_of({**RUN, key: value}, scope=SCOPE)

    assert call.usage == {"input": 600, "cache_read": 400, "output": 100}
    assert (call.convention, call.cache_status) == ("inclusive", "hit")


def test_details_of_a_tier_are_details() -> None:
    """langchain-openai 1.7.4 writes priority_cache_read and leaves cache_read out."""
    details = {"priority_cache_read": 400, "priority": 600}
    usage = {**USAGE, "input_token_details": details}
    call = call_of({**RUN, "langsmith.metadata.usage_metadata": json.dumps(usage)}, scope=SCOPE)

    assert call.usage == {"input": 600, "cache_read": 400, "output": 100}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (MESSAGE, "msg_1"),
        ({"id": "lc_run--1", "response_metadata": {}}, "lc_run--1"),  # a stream
        ({"response_metadata": {}}, ""),
    ],
)
def test_the_message_says_which_call_it_is(message: object, expected: str) -> None:
    model = call_of({**RUN, "gen_ai.completion": _model(message)}, scope=SCOPE)
    chain = call_of({**RUN, "gen_ai.completion": json.dumps({"output": message})}, scope=SCOPE)

    assert (model.response_id, chain.response_id) == (expected, expected)


def _run(number: int, parent: int, kind: str, answer: str) -> LlmCall:
    call = call_of({**RUN, "langsmith.span.kind": kind, "gen_ai.completion": answer}, scope=SCOPE)
    call.span_id, call.parent_span_id = bytes([number] * 8), bytes([parent] * 8)
    return call


def test_a_function_behind_the_model_is_no_second_call() -> None:
    """A sequence, its model, and a function that passes the message on: in any order, one call."""
    runs = [
        _run(1, 0, "chain", json.dumps({"output": MESSAGE})),
        _run(2, 1, "llm", _model(MESSAGE)),
        _run(3, 1, "chain", json.dumps({"output": MESSAGE})),
    ]

    for order in permutations(runs):
        reasons = bill(plant(order, ())).reasons
        assert [reasons[bytes([n] * 8)] for n in (1, 2, 3)] == ["duplicate", "leaf", "duplicate"]


def test_a_chain_without_a_run_below_is_billed_for_what_it_tells() -> None:
    chain = _run(1, 0, "chain", json.dumps({"output": MESSAGE}))

    assert bill(plant([chain], ())).reasons == {bytes([1] * 8): "fallback"}


@pytest.mark.parametrize(
    ("known", "expected"),
    [("amazon_bedrock", "aws.bedrock"), ("azure", "azure.ai.openai"), ("", "openai")],
)
def test_the_metadata_knows_the_provider(known: str, expected: str) -> None:
    """gen_ai.system is guessed from the model's name."""
    call = call_of({**RUN, "langsmith.metadata.ls_provider": known}, scope=SCOPE)

    assert call.provider == expected


def test_a_session_of_langsmith_is_a_project() -> None:
    call = call_of(
        {
            **RUN,
            "langsmith.trace.session_name": "prod",
            "langsmith.metadata.session_id": "s1",
            "langsmith.metadata.thread_id": "t1",
            "langsmith.metadata.lc_agent_name": "planner",
        },
        scope=SCOPE,
    )

    who = call.identity
    assert (who.session, who.conversation, who.agent) == ("s1", "t1", "planner")
    assert who.dimensions["project"] == "prod"
