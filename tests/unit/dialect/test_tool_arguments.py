"""What a tool was called with: hashed on tools' spans, never kept, and not read on any other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from costspan.dialect import DEFAULT_DIMENSIONS, recognise, wanted
from costspan.model import WITNESS, LlmCall, Value
from costspan.testing import request, span
from costspan.wire import scan

LONG = "secret " * 1000
ALL = wanted(DEFAULT_DIMENSIONS, frozenset(), tools=True)
DEFAULT = wanted(DEFAULT_DIMENSIONS, frozenset())

TOOLS: dict[str, Mapping[str, Value]] = {
    "gen_ai.tool.call.arguments": {"gen_ai.operation.name": "execute_tool"},
    "gen_ai.tool.input": {"gen_ai.operation.name": "execute_tool"},
    "gcp.vertex.agent.tool_call_args": {"gen_ai.operation.name": "execute_tool"},
    "ai.toolCall.args": {"ai.operationId": "ai.toolCall"},
    "mlflow.spanInputs": {"mlflow.spanType": '"TOOL"'},
    "input.value": {"openinference.span.kind": "TOOL"},
    "traceloop.entity.input": {"traceloop.span.kind": "tool"},
    "langfuse.observation.input": {"langfuse.observation.type": "tool"},
    "gen_ai.prompt": {"langsmith.span.kind": "tool"},
    "agentops.entity.input": {"agentops.span.kind": "tool"},
}


def read(attributes: Mapping[str, Value], name: str = "look up") -> LlmCall | None:
    hits = scan(request(span(attributes, name=name)), ALL)
    return recognise(hits[0], DEFAULT_DIMENSIONS) if hits else None


def hash_of(attributes: Mapping[str, Value]) -> bytes:
    call = read(attributes)
    assert call is not None
    assert call.role == WITNESS
    return call.arguments


@pytest.mark.parametrize("key", TOOLS)
def test_a_tool_that_states_its_arguments_bears_a_hash_of_all_of_them(key: str) -> None:
    hashes = {hash_of({**TOOLS[key], key: LONG + last}) for last in ("", "a", "b")}
    assert {len(one) for one in hashes} == {8}
    assert len(hashes) == 3
    assert hash_of({**TOOLS[key], key: LONG}) in hashes


def test_arguments_that_are_a_map_are_the_same_in_any_order() -> None:
    key = "gen_ai.tool.call.arguments"
    told: list[Value] = [{"a": 1, "b": ["x", 2.5]}, {"b": ["x", 2.5], "a": 1}]
    one, other = (hash_of({**TOOLS[key], key: value}) for value in told)
    assert one == other != b""


def test_the_arguments_of_an_old_pydantic_ai_are_found_without_an_operation() -> None:
    hit = scan(request(span({"tool_arguments": "{}", "gen_ai.tool.name": "t"})), ALL)[0]
    told = hit._replace(name="running tool", scope=("pydantic-ai", "0.4.2"))
    call = recognise(told, DEFAULT_DIMENSIONS)
    assert call is not None
    assert (call.operation, len(call.arguments)) == ("execute_tool", 8)


def test_a_model_call_has_no_hash_and_its_prompt_is_not_read() -> None:
    attributes = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "input.value": LONG}
    (hit,) = scan(request(span({**attributes, "llm.token_count.prompt": 3})), DEFAULT)
    assert "input.value" not in hit.values
    call = recognise(hit, DEFAULT_DIMENSIONS)
    assert call is not None
    assert call.arguments == b""


def test_a_tool_that_says_nothing_else_is_opened_on_request_only() -> None:
    """It costs as much as to read a model call."""
    body = request(span({**TOOLS["input.value"], "input.value": "x"}))
    assert not scan(body, DEFAULT)
    assert scan(body, ALL)
    named = {**TOOLS["input.value"], "input.value": "x", "agent.name": "a"}
    assert scan(request(span(named)), DEFAULT)[0].values["input.value"] == "x"
