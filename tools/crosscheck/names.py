"""From a key of LiteLLM's map to the provider, the model and the place meant. No rates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# Their provider -> ours, and what stands before the model's name in their keys.
PROVIDERS: Mapping[str, tuple[str, str]] = {
    "ai21": ("ai21", ""),
    "anthropic": ("anthropic", ""),
    "azure": ("azure", "azure/"),
    "azure_ai": ("azure", "azure_ai/"),
    "azure_text": ("azure", "azure/"),
    "baseten": ("baseten", "baseten/"),
    "bedrock": ("aws", ""),
    "bedrock_converse": ("aws", ""),
    "bedrock_mantle": ("aws", "bedrock_mantle/"),
    "cerebras": ("cerebras", "cerebras/"),
    "cloudflare": ("cloudflare", "cloudflare/"),
    "cohere": ("cohere", ""),
    "cohere_chat": ("cohere", ""),
    "dashscope": ("alibaba", "dashscope/"),
    "deepseek": ("deepseek", "deepseek/"),
    "elevenlabs": ("elevenlabs", "elevenlabs/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "gemini": ("gcp.gemini", "gemini/"),
    "github_copilot": ("github-copilot", "github_copilot/"),
    "groq": ("groq", "groq/"),
    "meta": ("meta", "meta/"),
    "minimax": ("minimax", "minimax/"),
    "mistral": ("mistral", "mistral/"),
    "moonshot": ("moonshotai", "moonshot/"),
    "novita": ("novita", "novita/"),
    "openai": ("openai", "openai/"),
    "ovhcloud": ("ovhcloud", "ovhcloud/"),
    "perplexity": ("perplexity", "perplexity/"),
    "sambanova": ("sambanova", "sambanova/"),
    "text-completion-openai": ("openai", ""),
    "together_ai": ("together", "together_ai/"),
    "voyage": ("voyageai", "voyage/"),
    "watsonx": ("watsonx", "watsonx/"),
    "xai": ("x-ai", "xai/"),
    "zai": ("zai", "zai/"),
}
_VERTEX = "vertex_ai"
_AZURE_PLACES: Mapping[str, Mapping[str, str]] = {
    "us": {"deployment": "data-zone", "region": "eastus2"},
    "eu": {"deployment": "data-zone", "region": "westeurope"},
    "global": {"deployment": "global"},
    "global-standard": {"deployment": "global"},
}
_AWS_REGION = re.compile(r"(?:bedrock/)?([a-z]{2}(?:-gov)?-[a-z]+-\d)/(.+)")
_NOT_BY_TOKEN = re.compile(r"\d-month-commitment/|\d+-x-\d+/|/(?:low|medium|high|hd|standard)/")


class Named(NamedTuple):
    """What a key is about. `place`: fields of a context."""

    provider: str
    model: str
    place: Mapping[str, str]


def named(key: str, litellm_provider: str) -> Named | None:
    """None: a provider that the book does not have, or a price that no call's usage decides."""
    if _NOT_BY_TOKEN.search(f"/{key}"):
        return None
    if litellm_provider.startswith(_VERTEX):
        return Named("gcp.vertex_ai", key.removeprefix("vertex_ai/"), {})
    if litellm_provider not in PROVIDERS:
        return None
    provider, prefix = PROVIDERS[litellm_provider]
    model = key.removeprefix(prefix)
    if provider == "azure":
        return _azure(model)
    if provider == "aws":
        return _aws(model)
    return Named(provider, model, {})


def _azure(model: str) -> Named | None:
    first, _, rest = model.partition("/")
    if not rest:
        return Named("azure", model, {})
    if first not in _AZURE_PLACES:
        return None  # a government cloud, or a size of images
    return Named("azure", rest, _AZURE_PLACES[first])


def _aws(model: str) -> Named:
    found = _AWS_REGION.fullmatch(model)
    if found:
        return Named("aws", found[2], {"region": found[1]})
    return Named("aws", model.removeprefix("bedrock/"), {})
