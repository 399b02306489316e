"""From emitted provider and model to a row of the book: what is found, and what must not be."""

from datetime import UTC, datetime

import pytest

from costspan_pricing import Context, Reason, load_book
from costspan_pricing.book import Clause
from costspan_pricing.context import Unpriced
from costspan_pricing.fit import fits
from costspan_pricing.lookup import Sku, find

BOOK = load_book()
AUTUMN = datetime(2026, 11, 1, 12, tzinfo=UTC)


def sku(provider: str, model: str) -> Sku:
    return find(BOOK, Context(provider, model, AUTUMN))


@pytest.mark.parametrize(
    ("clause", "name"),
    [
        ("^claude-opus-4-6", "claude-opus-4-6"),
        ("^claude-opus-4-6", "claude-opus-4-6-20260205"),
        ("^claude-opus-4-6", "claude-opus-4-6@20260205"),
        ("^claude-sonnet-4-2025", "claude-sonnet-4-20250514"),
        ("*claude-sonnet-4@", "claude-sonnet-4@20250514"),
        ("*gemini-2.0-flash-0", "gemini-2.0-flash-001"),
        ("^gemini-2.5-pro", "gemini-2.5-pro-preview-06-05"),
        ("^gemini-2.5-pro", "gemini-2.5-pro-exp-03-25"),
        ("^gpt-5-nano-", "gpt-5-nano-2025-08-07"),
        ("^gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct-0914"),
        ("*amazon.nova-pro", "us.amazon.nova-pro-v1:0"),
        ("*amazon.nova-pro", "bedrock/us.amazon.nova-pro-v1:0"),
        ("*mistral.mistral-7b-instruct-v0", "mistral.mistral-7b-instruct-v0:2"),
        ("$/us.moonshotai.kimi-k3", "bedrock/us.moonshotai.kimi-k3"),
        ("~^gemini-3\\.5-flash-\\d", "gemini-3.5-flash-001"),
        ("^ft:gpt-4o-2024-", "ft:gpt-4o-2024-08-06:org:name:id"),
        ("^gpt-4o-mini-2024-07-18.ft-", "gpt-4o-mini-2024-07-18.ft-0f3a"),
        (("^gemini-2.5-pro", "~^(?!.*-tts)"), "gemini-2.5-pro-001"),
    ],
)
def test_a_pattern_takes_dates_revisions_and_prefixes(clause: Clause, name: str) -> None:
    assert fits(clause, name)


@pytest.mark.parametrize(
    ("clause", "name"),
    [
        ("^claude-opus-4-6", "claude-opus-4-6-fast"),
        ("^claude-opus-4-1", "claude-opus-4-10"),
        ("^claude-opus-4.1", "claude-opus-4.12"),
        ("^gemini-3.6-flash", "gemini-3.6-flash-lite"),
        ("~^gemini-3\\.5-flash-\\d", "gemini-3.5-flash-8b"),
        ("*gemini-1.5-flash", "gemini-1.5-flash-8b"),
        ("^gpt-4o-realtime", "gpt-4o-realtime-2"),
        ("^deepseek-r1", "deepseek-r1-distill-llama-70b"),
        ("^deepseek-chat", "deepseek-chat-v3.1"),
        ("*o4-mini", "prod-o4-mini"),
        ("*o4-mini", "o4-mini-deep-research"),
        ("*amazon.nova-pro", "global.amazon.nova-pro-v1:0"),
        ("*us.anthropic.claude-x", "aus.anthropic.claude-x"),
        ("^ft:gpt-4o-2024-", "ft:gpt-4o-2024-mini:org:name:id"),
        (("^gemini-2.5-pro", "~^(?!.*-tts)"), "gemini-2.5-pro-preview-tts"),
    ],
)
def test_a_pattern_takes_no_other_model(clause: Clause, name: str) -> None:
    assert not fits(clause, name)


@pytest.mark.parametrize(
    ("provider", "model", "reason"),
    [
        ("anthropic", "claude-opus-4-9", Reason.UNKNOWN_MODEL),
        ("anthropic", "claude-opus-4-6-fast", Reason.UNKNOWN_MODEL),
        ("openai", "gpt-5.7", Reason.UNKNOWN_MODEL),
        ("openai", "gpt-4o-whatever", Reason.UNKNOWN_MODEL),
        ("gcp.gemini", "gemini-4-pro", Reason.UNKNOWN_MODEL),
        ("aws.bedrock", "us.anthropic.claude-opus-6-v1:0", Reason.UNKNOWN_MODEL),
        ("openai", "anthropic/claude-opus-4-6", Reason.UNKNOWN_MODEL),
        ("azure.ai.openai", "gpt4o-prod-eastus", Reason.ALIAS_MISSING),
        ("azure.ai.openai", "prod-o4-mini", Reason.ALIAS_MISSING),
        ("azure.ai.openai", "openai.gpt-4o-prod", Reason.ALIAS_MISSING),
        ("aws.bedrock", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/ab12",
         Reason.ALIAS_MISSING),
        ("ollama", "llama3.3", Reason.NO_PROVIDER),
        ("", "a-model-of-nobody", Reason.NO_PROVIDER),
        ("huggingface", "meta-llama/Llama-3.3-70B-Instruct", Reason.NO_PROVIDER),
        ("openai", "  ", Reason.NO_MODEL),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_guessed(provider: str, model: str, reason: Reason) -> None:
    with pytest.raises(Unpriced) as why:
        sku(provider, model)

    assert why.value.reason == reason


@pytest.mark.parametrize(
    ("provider", "model", "platform"),
    [
        ("vertex_ai", "gemini-2.5-pro", "gcp.vertex_ai"),
        ("gemini", "gemini-2.5-pro", "gcp.gemini"),
        ("azure", "azure/gpt-4o", "azure.ai.openai"),
        ("", "bedrock/us.amazon.nova-pro-v1:0", "aws.bedrock"),
        ("litellm", "openrouter/anthropic/claude-opus-4.6", "openrouter"),
    ],
)
def test_a_row_knows_on_which_platform_the_call_ran(
    provider: str, model: str, platform: str
) -> None:
    assert sku(provider, model).platform == platform


@pytest.mark.parametrize("provider", ["anthropic", "openai", "litellm"])
def test_the_client_of_a_vendor_may_talk_to_bedrock(provider: str) -> None:
    found = sku(provider, "us.anthropic.claude-sonnet-4-5-20250929-v1:0")

    assert found.place == "aws"
    assert any(mark.startswith("provider=aws.bedrock") for mark in found.assumed)


def test_a_seller_of_the_same_model_has_its_own_row() -> None:
    assert sku("openrouter", "openrouter/openai/gpt-4o").provider == "openrouter"
    assert sku("azure", "o4-mini").provider == "azure"


def test_a_router_may_name_the_partner_that_runs_a_model() -> None:
    found = sku("Hugging Face", "meta-llama/Llama-3.3-70B-Instruct:together")

    assert (found.provider, found.model.id) == (
        "huggingface_together",
        "meta-llama/Llama-3.3-70B-Instruct",
    )


def test_every_id_of_the_book_finds_its_own_row() -> None:
    for provider in BOOK.providers:
        catalogue = BOOK.catalogue(provider)
        assert catalogue is not None
        for model in catalogue.models:
            literal = [clause for clause in model.match if clause[0] == "="]
            if not model.match or f"={model.id.lower()}" in literal:
                assert sku(provider, model.id).model.id == model.id


@pytest.mark.parametrize(
    ("model", "geo", "priced"),
    [
        ("us.anthropic.claude-sonnet-4-5", "", "regional.anthropic.claude-sonnet-4-5"),
        ("global.anthropic.claude-sonnet-4-5", "", "global.anthropic.claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-5", "global", "global.anthropic.claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-5", "", "regional.anthropic.claude-sonnet-4-5"),
    ],
)
def test_a_bedrock_id_without_its_date_is_the_only_model_that_it_can_be(
    model: str, geo: str, priced: str
) -> None:
    found = find(BOOK, Context("aws", model, AUTUMN, geo=geo))

    assert found.model.id == f"{priced}-20250929-v1:0"
    assert f"model={model}:price of {found.model.id}" in found.assumed


@pytest.mark.parametrize(
    ("provider", "model", "platform"),
    [
        ("gcp.vertex_ai", "gemini-2.5-pro", "gcp.vertex_ai"),
        ("gcp.gemini", "gemini-2.5-pro", "gcp.gemini"),
        ("google", "gemini-2.5-pro", "gcp.gemini"),
        ("google", "publishers/google/models/gemini-2.5-pro", "gcp.vertex_ai"),
        ("gcp.vertex_ai", "google/gemini-2.5-pro", "gcp.vertex_ai"),
        ("google", "vertex_ai/gemini-2.5-pro", "gcp.vertex_ai"),
        ("", "gemini-2.5-pro", "gcp.gemini"),
        ("litellm", "vertex_ai/gemini-2.5-pro", "gcp.vertex_ai"),
        ("x_ai", "grok-4.5", "x_ai"),
    ],
)
def test_who_ran_a_call_is_canonical(provider: str, model: str, platform: str) -> None:
    assert sku(provider, model).platform == platform


@pytest.mark.parametrize(
    ("model", "priced"),
    [
        ("nova-pro-v1:0", "nova-pro"),
        ("llama3-70b-instruct-v1:0", "llama3-70b"),
        ("mistral-large-2402-v1:0", "mistral-large"),
        ("titan-embed-text-v2:0", "titan-embed-text-v2"),
        ("command-r-plus-v1:0", "command-r-plus"),
    ],
)
def test_a_bedrock_id_without_its_vendor_is_still_one_model(model: str, priced: str) -> None:
    """OpenLLMetry strips the vendor; a name says whose model it is."""
    found = sku("aws.bedrock", model)

    assert priced in found.model.id
    assert any(mark.startswith(f"model={model}:price of") for mark in found.assumed)
