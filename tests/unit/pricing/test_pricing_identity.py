"""Names of providers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan_pricing import canonical_provider, load_book
from costspan_pricing.identity import book_provider


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
        ("azure_ai_foundry", "azure.ai.inference"),
        ("azure-ai", "azure.ai.inference"),
        ("aws.bedrock", "aws.bedrock"),
        ("anthropic-bedrock", "aws.bedrock"),
        ("gcp.vertex_ai", "gcp.vertex_ai"),
        ("vertex_ai-anthropic_models", "gcp.vertex_ai"),
        ("vertex_ai_beta", "gcp.vertex_ai"),
        ("anthropic-vertex", "gcp.vertex_ai"),
        ("gcp.gemini", "gcp.gemini"),
        ("x-ai", "x_ai"),
        ("mistral.embedding", "mistral_ai"),
        ("dashscope", "alibaba"),
        ("nvidia_nim", "nvidia"),
        ("watsonx", "ibm.watsonx.ai"),
        ("together_ai", "together"),
        ("voyage", "voyageai"),
        ("text-completion-openai", "openai"),
        ("openai.transcription", "openai"),
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


# gen_ai.provider.name, and the last values of gen_ai.system before it was renamed:
# opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai
WELL_KNOWN = {
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "groq": "groq",
    "ibm.watsonx.ai": "watsonx",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "openai": "openai",
    "perplexity": "perplexity",
    "x_ai": "x-ai",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "gemini": "google",
    "vertex_ai": "google",
    "xai": "x-ai",
}


@pytest.mark.parametrize(("name", "book_id"), WELL_KNOWN.items())
def test_every_well_known_value_leads_to_the_book(name: str, book_id: str) -> None:
    assert book_provider(canonical_provider(name)) == book_id


def test_every_provider_of_the_book_is_found_under_its_own_id() -> None:
    for provider in load_book().providers:
        assert book_provider(canonical_provider(provider)) == provider


@given(st.text() | st.sampled_from(sorted(WELL_KNOWN)).map(str.title))
def test_a_canonical_name_is_its_own_canonical_name(name: str) -> None:
    canonical = canonical_provider(name)

    assert canonical_provider(canonical) == canonical
