"""Names of providers and models."""

import pytest

from costspan_pricing import canonical_provider
from costspan_pricing.identity import evident_provider, names


@pytest.mark.parametrize(
    ("seen", "canonical"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("openai.embedding", "openai"),
        ("azure.ai.openai", "azure.ai.openai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("azure-openai.chat", "azure.ai.openai"),
        ("azure", "azure.ai.openai"),
        ("azure.ai.inference", "azure.ai.inference"),
        ("az.ai.inference", "azure.ai.inference"),
        ("microsoft.foundry", "azure.ai.inference"),
        ("Anthropic", "anthropic"),
        ("anthropic.messages", "anthropic"),
        ("vertex.anthropic.messages", "anthropic"),
        ("AWS", "aws.bedrock"),
        ("amazon-bedrock", "aws.bedrock"),
        ("bedrock_converse", "aws.bedrock"),
        ("aws.anthropic", "aws.bedrock"),
        ("google_vertex_ai", "gcp.vertex_ai"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("gcp.anthropic", "gcp.vertex_ai"),
        ("Google", "gcp.gemini"),
        ("gcp.gen_ai", "gcp.gemini"),
        ("google.generative-ai", "gcp.gemini"),
        ("xai.chat", "x_ai"),
        ("MistralAI", "mistral_ai"),
        ("moonshot", "moonshot_ai"),
        ("fireworks_ai", "fireworks"),
        ("groq", "groq"),
        ("cohere", "cohere"),
        ("deepseek", "deepseek"),
        ("perplexity", "perplexity"),
        ("ibm.watsonx.ai", "ibm.watsonx.ai"),
    ],
)
def test_names_in_the_wild_have_one_canonical_name(seen: str, canonical: str) -> None:
    assert canonical_provider(seen) == canonical
    assert canonical_provider(canonical) == canonical


@pytest.mark.parametrize(
    "name",
    ["strands-agents", "langchain", "Langchain", "crewai", "gcp.vertex.agent", "spring_ai",
     "agent_framework", "pydantic-ai", "litellm", "_OTHER", "", "  "],
)  # fmt: skip
def test_a_framework_is_no_provider(name: str) -> None:
    assert canonical_provider(name) == ""


def test_a_provider_that_nobody_told_us_keeps_its_name() -> None:
    assert canonical_provider("Acme-LLM") == "acme-llm"


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("openai/gpt-4o", "openai"),
        ("vertex_ai/gemini-2.5-pro", "gcp.vertex_ai"),
        ("publishers/google/models/gemini-2.5-pro", "gcp.vertex_ai"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock"),
        ("amazon.nova-pro-v1:0", "aws.bedrock"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "aws.bedrock"),
        ("gpt-4o", ""),
        ("acme/gpt-4o", ""),
        ("mistral.", ""),
    ],
)
def test_the_shape_of_a_model_name_may_state_its_provider(model: str, provider: str) -> None:
    assert evident_provider(model) == provider


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google", "projects/p/locations/l/publishers/google/models/gemini-2.5-pro",
         "gemini-2.5-pro"),
        ("openai", "openai/GPT-4.1-mini", "gpt-4.1-mini"),
        ("azure", "azure/gpt-4o", "gpt-4o"),
        ("aws", "bedrock/us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"),
        ("aws", "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0",
         "us.amazon.nova-pro-v1:0"),
        ("openai", "gpt-5.2-20251211", "gpt-5.2-2025-12-11"),
        ("fireworks", "accounts/fireworks/models/kimi-k2p5", "accounts/fireworks/models/kimi-k2p5"),
    ],
)  # fmt: skip
def test_rewritings_that_keep_the_meaning_leave_no_mark(
    provider: str, model: str, name: str
) -> None:
    assert (name, "") in list(names(provider, model, ""))


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("google", "gemini-2.5-flash-001", "gemini-2.5-flash"),
        ("openai", "gpt-4o-2031-01-02", "gpt-4o"),
        ("aws", "jp.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
    ],
)
def test_rewritings_that_might_not_leave_one(provider: str, model: str, name: str) -> None:
    marks = {found: mark for found, mark in names(provider, model, "")}  # noqa: C416 (reads better)

    assert marks[name]
    assert next(iter(marks)) == model


def test_a_fine_tune_is_never_taken_for_its_base() -> None:
    assert [name for name, _ in names("openai", "ft:gpt-4.1-2025-04-14", "")] == [
        "ft:gpt-4.1-2025-04-14"
    ]


def test_a_global_profile_is_never_taken_for_the_dearer_regional_one() -> None:
    found = [name for name, _ in names("aws", "global.anthropic.claude-next", "")]

    assert found == ["global.anthropic.claude-next"]
