"""Names of models: the rewritings that keep the meaning, and those that leave a mark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan_pricing.naming import evident_provider, names, needs_alias, spellings


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
        ("projects/p/locations/l/endpoints/7", "gcp.vertex_ai"),
        ("ft:gpt-4.1-2025-04-14:org::id", "openai"),
        ("@cf/meta/llama-3.1-8b-instruct", ""),
        ("text-embedding-3-small", "openai"),
        ("text-embedding-004", ""),
        ("rerank-v3.5", "cohere"),
        ("rerank-2.5", ""),
        ("sonar-pro", "perplexity"),
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
        ("aws", "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-pro-v1:0",
         "amazon.nova-pro-v1:0"),
        ("aws", "bedrock/converse/us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"),
        ("openai", "gpt-5.2-20251211", "gpt-5.2-2025-12-11"),
        ("anthropic", "claude-haiku-4-5-2025-10-01", "claude-haiku-4-5-20251001"),
        ("anthropic", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("anthropic", "claude-opus-4-6[1m]", "claude-opus-4-6"),
        ("google", "claude-opus-5@default", "claude-opus-5"),
        ("openrouter", "openrouter/openrouter/auto", "openrouter/auto"),
        ("groq", "groq/openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("cohere", "cohere/rerank-v3.5", "rerank-v3.5"),
        ("fireworks", "kimi-k3", "accounts/fireworks/models/kimi-k3"),
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
        ("openai", "o9-latest", "o9"),
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


def test_what_mistral_calls_latest_is_another_model_every_few_months() -> None:
    assert [name for name, _ in names("mistral", "ministral-3b-latest", "")] == [
        "ministral-3b-latest"
    ]


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc1"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc1"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/abc1"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1"),
        ("aws", "arn:aws:sagemaker:us-east-1:123456789012:endpoint/gpt-4o"),
        ("google", "projects/p/locations/us-central1/endpoints/123"),
        ("google", "tunedModels/my-model-1"),
        ("fireworks", "accounts/acme/models/llama-tuned"),
        ("fireworks", "accounts/fireworks/models/kimi-k2p5#accounts/acme/deployments/d1"),
    ],
)
def test_what_its_owner_made_has_only_its_own_name(provider: str, model: str) -> None:
    assert [name for name, _ in names(provider, model, "")] == [model.lower()]
    assert needs_alias(provider, model)


@pytest.mark.parametrize(
    ("provider", "model", "needed"),
    [
        ("azure", "gpt4o-prod", True),
        ("openai", "ft:gpt-4.1-2025-04-14:org::id", True),
        ("openai", "openai/ft:gpt-4.1-2025-04-14:org::id", True),
        ("mistral", "ft:open-mistral-7b:org:id", True),
        ("databricks", "my-endpoint", True),
        ("databricks", "databricks/databricks-gpt-9", False),
        ("aws", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-9", False),
        ("fireworks", "accounts/fireworks/models/kimi-k9", False),
        ("openai", "gpt-9", False),
    ],
)
def test_only_an_owner_can_translate_his_own_names(
    provider: str,
    model: str,
    needed: bool,  # noqa: FBT001 (an expected value)
) -> None:
    assert needs_alias(provider, model) is needed


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "openai/GPT-4o-2024-08-06",
         ("openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "gpt-4o-20240806", "gpt-4o")),
        ("aws.bedrock", "us.amazon.nova-pro-v1:0",
         ("us.amazon.nova-pro-v1:0", "us.amazon.nova-pro", "amazon.nova-pro-v1:0",
          "amazon.nova-pro")),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro",
         ("publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro")),
        ("azure", "gpt4o-Prod", ("gpt4o-prod",)),
        ("openai", "ft:gpt-4.1-2025-04-14:org::id", ("ft:gpt-4.1-2025-04-14:org::id",)),
    ],
)  # fmt: skip
def test_spellings_go_from_the_emitted_name_to_the_plainest(
    provider: str, model: str, expected: tuple[str, ...]
) -> None:
    assert spellings(provider, model) == expected


PROVIDERS = st.sampled_from(
    ["anthropic", "aws", "azure", "google", "mistral", "openai", "openrouter"]
)
PARTS = st.sampled_from(
    ["openai", "aws", "google/", "us.", "global.", "anthropic.", "claude-x", "models/", "arn:",
     "accounts/", "ft:", "gpt-9", "-20250101", "-2025-01-01", "@20250101", "-v1:0", "-latest",
     "-001", "[1m]", "/", " ", "publishers/"]
)  # fmt: skip
MODELS = st.lists(PARTS, min_size=1).map("".join) | st.text(min_size=1)


@given(PROVIDERS, MODELS)
def test_no_name_is_rewritten_without_end(provider: str, model: str) -> None:
    found = [name for name, _ in names(provider, model, "")]

    assert found[0] == model.strip().lower()
    assert len(found) < 12 + model.count("/")


@given(PROVIDERS, MODELS)
def test_spellings_of_the_emitted_name_do_not_depend_on_its_case(provider: str, model: str) -> None:
    found = spellings(provider, model)

    assert found[0] == model.strip().lower()
    assert len(set(found)) == len(found)
    assert spellings(provider, found[0]) == found
