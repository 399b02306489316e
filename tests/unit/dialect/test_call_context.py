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
        ({"server.address": "bedrock-runtime.us-east-1.amazonaws.com"}, {"region": "us-east-1"}),
        ({"server.address": "eu.api.openai.com"}, {"geo": "eu"}),
        (
            {ARGUMENTS: '{"service_tier": "flex", "speed": "fast", "temperature": 1}'},
            {"tier": "flex", "speed": "fast"},
        ),
        ({ARGUMENTS: '{"service_tier": null, "speed": "fast"}'}, {"speed": "fast"}),
        (
            {ARGUMENTS: '{"web_search_options": {"search_context_size": "High"}}'},
            {"search": "high"},
        ),
        ({ARGUMENTS: '{"web_search_options": {}, "speed": "fast"}'}, {"speed": "fast"}),
        ({ARGUMENTS: '{"web_search_options": {"search_context_size": null}}'}, {}),
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


BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com"
VERTEX = "europe-west1-aiplatform.googleapis.com"


@pytest.mark.parametrize(
    ("provider", "values", "region"),
    [
        # botocore's own attribute of a call to AWS
        ("aws.bedrock", {"cloud.region": "eu-west-1"}, "eu-west-1"),
        ("aws.bedrock", {"cloud.region": "eu-west-1", "server.address": BEDROCK}, "us-east-1"),
        ("gcp.vertex_ai", {"gen_ai.cost.vertex_location": "us-east5"}, "us-east5"),
        ("gcp.vertex_ai", {"server.address": VERTEX}, "europe-west1"),
        # where the application runs, copied onto its spans: no evidence of where the model did
        ("gcp.vertex_ai", {"cloud.region": "us-central1"}, None),
        ("openai", {"cloud.region": "eu-west-1"}, None),
        ("anthropic", {"cloud.region": "us-east-1"}, None),
        ("azure.ai.openai", {"cloud.region": "westeurope"}, None),
        ("openai", {"gen_ai.cost.vertex_location": "us-east5"}, None),
    ],
)
def test_a_region_is_that_of_the_model(
    provider: str, values: dict[str, Value], region: str | None
) -> None:
    call = call_of({**USAGE, "gen_ai.provider.name": provider, **values})

    assert region == call.context.get("region")


@pytest.mark.parametrize("provider", ["openai", "anthropic", "aws.bedrock", "gcp.vertex_ai"])
def test_the_applications_own_region_is_no_context(provider: str) -> None:
    resource: dict[str, Value] = {"service.name": "app", "cloud.region": "eu-west-1"}
    call = call_of({**USAGE, "gen_ai.provider.name": provider}, resource=resource)

    assert {} == call.context
