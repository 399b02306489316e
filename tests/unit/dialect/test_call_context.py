"""The circumstances that change a price: what was served goes before what was asked for."""

from __future__ import annotations

import pytest

from costspan.model import Value
from hits import call_of

USAGE: dict[str, Value] = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
ARGUMENTS = "llm.invocation_parameters"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"openai.response.service_tier": "default"}, {"tier": "default"}),
        (
            {"openai.request.service_tier": "flex", "openai.response.service_tier": "default"},
            {"tier": "default"},
        ),
        ({"openai.request.service_tier": "flex"}, {"tier": "flex"}),
        ({"openai.request.service_tier": "auto"}, {}),
        ({"gen_ai.openai.response.service_tier": "Priority"}, {"tier": "priority"}),
        ({"anthropic.response.service_tier": "batch"}, {"batch": "true"}),
        ({"gen_ai.cost.data_residency": "US"}, {"geo": "us"}),
        ({"cloud.region": "eu-west-1"}, {"region": "eu-west-1"}),
        ({"server.address": "bedrock-runtime.us-east-1.amazonaws.com"}, {"region": "us-east-1"}),
        ({"server.address": "eu.api.openai.com"}, {"geo": "eu"}),
        (
            {ARGUMENTS: '{"service_tier": "flex", "speed": "fast", "temperature": 1}'},
            {"tier": "flex", "speed": "fast"},
        ),
        ({ARGUMENTS: '{"service_tier": null}'}, {}),
        ({ARGUMENTS: '{"service_tier": ["flex"]}'}, {}),
        ({ARGUMENTS: '{"service_tier": "fl'}, {}),
        ({ARGUMENTS: "[" * 100_000 + '"speed"'}, {}),
    ],
)
def test_only_what_is_stated_is_context(values: dict[str, Value], expected: dict[str, str]) -> None:
    assert expected == call_of({**USAGE, **values}).context


def test_one_calls_context_is_not_anothers() -> None:
    """What is worked out once per combination is handed out as copies."""
    values = {**USAGE, "openai.response.service_tier": "flex"}
    call_of(values).context["tier"] = "changed"

    assert call_of(values).context == {"tier": "flex"}
