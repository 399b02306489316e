"""Whose call it was: names, dimensions, providers and the hosts that give them away."""

from __future__ import annotations

import pytest

from costspan.dialect import Dimensions
from costspan.dialect.identity import host, provider
from costspan.model import Value
from hits import call_of

USAGE: dict[str, Value] = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


def test_names_are_read_from_the_span() -> None:
    who = call_of(
        {
            **USAGE,
            "gen_ai.agent.name": "planner",
            "gen_ai.agent.id": "a-1",
            "gen_ai.workflow.name": "review",
            "gen_ai.tool.name": "search",
            "user.id": "u-1",
            "session.id": "s-1",
            "gen_ai.conversation.id": "c-1",
        }
    ).identity

    assert (who.agent, who.workflow, who.tool) == ("planner", "review", "search")
    assert (who.user, who.session, who.conversation) == ("u-1", "s-1", "c-1")


def test_an_agent_without_a_name_is_known_by_its_id() -> None:
    """Hand-written agents set a bare `agent.id` beside their usage."""
    assert call_of({**USAGE, "agent.id": "agent-7"}).identity.agent == "agent-7"


def test_a_dimension_comes_from_the_span_else_from_its_resource() -> None:
    who = call_of(
        {**USAGE, "team": "search", "workflow_type": "review", "hierarchy_level": 2},
        resource={"service.name": "app", "team": "platform", "deployment.environment": "prod"},
    ).identity

    assert who.dimensions == {
        "team": "search",
        "environment": "prod",
        "workflow_type": "review",
        "hierarchy_level": "2",
    }


def test_any_key_can_be_a_dimension_even_one_that_we_read_ourselves() -> None:
    who = call_of(
        {**USAGE, "user.id": "u-1"}, dimensions=Dimensions({"payer": ("cost.owner", "user.id")})
    )

    assert (who.identity.user, who.identity.dimensions) == ("u-1", {"payer": "u-1"})


def test_the_first_candidate_that_says_something_is_the_dimension() -> None:
    who = call_of(
        {**USAGE, "a": "", "b": "x", "c": "y"}, dimensions=Dimensions({"d": ("a", "b", "c")})
    )

    assert who.identity.dimensions == {"d": "x"}


@pytest.mark.parametrize(
    ("stated", "address", "expected"),
    [
        ("google_vertex_ai", "", "gcp.vertex_ai"),  # seen in tutorials
        ("OpenAI", "", "openai"),
        ("az.ai.openai", "", "azure.ai.openai"),
        ("AWS", "", "aws.bedrock"),
        ("", "", ""),
        ("strands-agents", "", ""),  # a framework provides nothing
        ("strands-agents", "bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("openai", "acme.openai.azure.com", "azure.ai.openai"),  # genai-openai 1.3b0: on Azure too
        ("openai", "https://acme.openai.azure.com:443/openai/", "azure.ai.openai"),
        ("openai", "acme.services.ai.azure.com", "azure.ai.inference"),
        ("openai", "api.groq.com", "groq"),
        ("openai", "localhost", "openai"),
        ("anthropic", "bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("anthropic", "europe-west1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("azure.ai.openai", "api.openai.com", "azure.ai.openai"),  # who says more is believed
        ("openai", "openai.azure.com.evil.example", "openai"),
    ],
)
def test_the_host_corrects_an_sdk_that_names_only_the_api(
    stated: str, address: str, expected: str
) -> None:
    assert expected == provider(stated, address)


def test_a_host_may_give_away_region_and_geography() -> None:
    assert host("bedrock-runtime.eu-west-1.amazonaws.com").region == "eu-west-1"
    assert host("europe-west1-aiplatform.googleapis.com").region == "europe-west1"
    assert host("aiplatform.googleapis.com").region == "global"
    assert host("eu.api.openai.com").geo == "eu"
    assert host("example.com") == ("", "", "")
