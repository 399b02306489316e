"""Names: from what telemetry calls a provider and a model to what the book calls them. No prices.

A name is rewritten only in ways that keep its meaning; a rewriting that might not leaves a mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

# canonical name (gen_ai.provider.name of the OTel conventions where it has one, else the book's
# id) -> names seen in the wild, with "-" and " " as "_". Sources: the well-known values of
# gen_ai.provider.name and gen_ai.system, Vercel's `ai.model.provider`, LiteLLM's provider list,
# Envoy AI Gateway, OpenLLMetry, OpenInference, Strands, LangSmith.
_ALIASES: Mapping[str, str] = {
    "openai": "",
    "azure.ai.openai": "az.ai.openai azure azure_openai azure.openai azure_ai_openai azureopenai",
    "azure.ai.inference": "az.ai.inference azure_ai azure_ai_inference microsoft.foundry",
    "anthropic": "vertex.anthropic claude",
    "aws.bedrock": "aws bedrock amazon_bedrock bedrock_converse aws_bedrock aws.anthropic",
    "gcp.vertex_ai": "vertex_ai vertexai google_vertex_ai google_vertex google.vertex"
    " google_vertexai gcp.anthropic vertex_ai_beta",
    "gcp.gemini": "gemini google google_genai google.generative_ai gcp.gen_ai google_gemini"
    " google_ai_studio google_generative_ai",
    "x_ai": "xai x.ai grok",
    "mistral_ai": "mistral mistralai",
    "moonshot_ai": "moonshot moonshotai",
    "groq": "",
    "cohere": "cohere_chat",
    "deepseek": "",
    "perplexity": "perplexity_ai",
    "ibm.watsonx.ai": "watsonx ibm_watsonx watsonx.ai",
    "together": "together_ai togetherai",
    "fireworks": "fireworks_ai",
    "voyageai": "voyage voyage_ai",
    "openrouter": "open_router",
    "github-copilot": "github_copilot copilot",
    "zai": "z.ai z_ai",
    "zhipuai": "zhipu zhipu_ai",
    "minimax": "minimax_ai",
    "cloudflare": "workers_ai cloudflare_workers_ai",
    "elevenlabs": "eleven_labs",
    "meta": "meta_llama",
}
_CANONICAL = {
    alias: canonical
    for canonical, aliases in _ALIASES.items()
    for alias in (canonical.replace("-", "_"), *aliases.split())
}
# They call providers; they are none. `_other` is the conventions' own "something else".
_FRAMEWORKS = frozenset(
    {
        "_other", "agent_framework", "agno", "ai_gateway", "autogen", "crewai", "custom", "dspy",
        "gateway", "gcp.vertex.agent", "google_adk", "haystack", "langchain", "langgraph",
        "litellm", "litellm_proxy", "llama_index", "llamaindex", "microsoft.agent_framework",
        "none", "openai_agents", "other", "pydantic_ai", "semantic_kernel", "smolagents",
        "spring_ai", "strands", "strands_agents", "unknown",
    }
)  # fmt: skip
# Vercel's AI SDK appends the API of its own client: openai.chat, anthropic.messages.
_API_SUFFIX = re.compile(r"\.(chat|responses|completions?|embeddings?|messages|image|speech)$")
_BOOK_IDS = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
}

_GEO = re.compile(r"^(us-gov|us|eu|apac|jp|au|in|ca|sa|global)\.(?=[a-z0-9]+\.)")
_BEDROCK = re.compile(
    r"^(?:[a-z-]{2,6}\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|moonshotai|nvidia|openai|qwen|writer|zai)"
    r"\.[a-z]"
)
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=$|[:@-])")
_SNAPSHOT = re.compile(r"-(20\d\d-\d\d-\d\d|20\d{6})$")
_GOOGLE_REVISION = re.compile(r"^(gemini-.*)-\d{3}$")


def canonical_provider(name: str) -> str:
    """The OTel well-known name of a provider, "" for none and for frameworks.

    A name that nobody has told us comes back in lower case: it is a provider without prices.
    """
    lowered = name.strip().lower()
    plain = lowered.replace("-", "_").replace(" ", "_")
    known = _CANONICAL.get(plain) or _CANONICAL.get(_API_SUFFIX.sub("", plain))
    if known is not None:
        return known
    return "" if plain in _FRAMEWORKS else lowered


def book_provider(canonical: str) -> str:
    """The price book's id of a canonical provider."""
    return _BOOK_IDS.get(canonical, canonical)


def evident_provider(model: str) -> str:
    """The canonical provider that the shape of a lower-cased model name states, "" if it doesn't.

    Shapes: a router prefix (`openai/gpt-4o`), a Vertex resource, a Bedrock id or ARN. Whose name
    `gpt-4o` is, is the book's knowledge, not ours.
    """
    if "publishers/" in model:
        return "gcp.vertex_ai"
    if model.startswith("arn:aws") or _BEDROCK.match(model):
        return "aws.bedrock"
    prefix, slash, _ = model.partition("/")
    canonical = canonical_provider(prefix)
    return canonical if slash and prefix.replace("-", "_") in _CANONICAL else ""


def names(provider: str, model: str, geo: str) -> Iterator[tuple[str, str]]:
    """The names under which the book may know a model, best first, each with its mark.

    `provider` is the book's id. The mark is "" where the rewriting keeps the meaning.
    """
    stated = model.strip().lower()
    name = _bare(provider, stated)
    if name != stated:
        yield stated, ""  # some ids hold a slash: accounts/fireworks/models/..., perplexity/sonar
    mark = ""
    if provider == "aws" and geo and not _GEO.match(name):
        yield f"{geo.lower()}.{name}", ""
        mark = "geo=global:in-region price" if geo.lower() == "global" else ""
    yield name, mark
    dashed = _COMPACT_DATE.sub(r"-\1-\2-\3", name)
    if dashed != name:
        yield dashed, ""
    if provider == "aws":
        prefix = _GEO.match(name)
        # In-region and geo profiles cost the same; `global.` ones are cheaper, so not that.
        if prefix and prefix[1] != "global":
            yield name[prefix.end() :], f"geo={prefix[1]}:in-region price"
    revision = _GOOGLE_REVISION.match(name) if provider == "google" else None
    if revision:
        yield revision[1], f"model={name}:price of {revision[1]}"
    undated = _SNAPSHOT.sub("", name)
    if undated != name and not name.startswith("ft:"):
        yield undated, f"model={name}:price of {undated}"


def needs_alias(provider: str, model: str) -> bool:
    """Whether an unresolved name is one that only its owner can translate."""
    lowered = model.lower()
    return provider == "azure" or lowered.startswith("ft:") or "application-inference" in lowered


def _bare(provider: str, name: str) -> str:
    """Without resource path and without the prefixes that name the provider itself."""
    if name.startswith("arn:"):
        return name.rpartition("/")[2]
    head, models, tail = name.rpartition("models/")
    if models and (not head or head.endswith("/")):
        return tail
    prefix, slash, rest = name.partition("/")
    while slash and book_provider(canonical_provider(prefix)) == provider:
        name = rest
        prefix, slash, rest = name.partition("/")
    return name
