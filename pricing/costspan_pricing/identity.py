"""Names of providers: from what telemetry calls them to one canonical name. No models."""

from __future__ import annotations

import re
from collections.abc import Mapping

# canonical name (gen_ai.provider.name of the OTel conventions where it has one, else the book's
# id) -> names seen in the wild, with "-" and " " as "_". Sources: the well-known values of
# gen_ai.provider.name and gen_ai.system, Vercel's `ai.model.provider`, LiteLLM's provider list,
# Envoy AI Gateway, OpenLLMetry, OpenInference, Strands, LangSmith, Spring AI.
_ALIASES: Mapping[str, str] = {
    "openai": "open_ai openai_chat openai_responses text_completion_openai",
    "azure.ai.openai": "az.ai.openai azure azure_openai azure.openai azure_ai_openai azureopenai"
    " azure_text azure_openai_responses",
    "azure.ai.inference": "az.ai.inference azure_ai azure_ai_inference microsoft.foundry"
    " azure_ai_foundry azure.ai.foundry azure_foundry microsoft_foundry az.ai.agents"
    " azure.ai.agents azureaiinference",
    "anthropic": "vertex.anthropic claude",
    "aws.bedrock": "aws bedrock amazon_bedrock bedrock_converse aws_bedrock aws.anthropic amazon"
    " amazon.bedrock bedrock_runtime aws.bedrock_runtime bedrock_mantle awsbedrock"
    " anthropic_bedrock amazon_bedrock_converse aws_bedrock_converse",
    "gcp.vertex_ai": "vertex_ai vertexai google_vertex_ai google_vertex google.vertex"
    " google_vertexai gcp.anthropic gcp.vertexai google.vertex_ai google.vertex.ai"
    " google.vertex.anthropic google_vertex_anthropic anthropic_vertex google_anthropic_vertex"
    " google_cloud",
    "gcp.gemini": "gemini google google_genai google.generative_ai gcp.gen_ai google_gemini"
    " google_ai_studio google_generative_ai google.generativeai google_gla google_ai googleai"
    " google.genai google.gemini",
    "x_ai": "xai x.ai grok",
    "mistral_ai": "mistral mistralai mistral.ai",
    "moonshot_ai": "moonshot moonshotai kimi",
    "groq": "groq_cloud groqcloud",
    "cohere": "cohere_chat cohere_ai",
    "deepseek": "deepseek_ai",
    "perplexity": "perplexity_ai perplexityai pplx",
    "ibm.watsonx.ai": "watsonx ibm_watsonx watsonx.ai ibm ibm_watsonx_ai ibm.watsonx watsonx_ai",
    "together": "together_ai togetherai together.ai",
    "fireworks": "fireworks_ai fireworksai fireworks.ai",
    "voyageai": "voyage voyage_ai",
    "openrouter": "open_router",
    "github-copilot": "github_copilot github.copilot copilot",
    "zai": "z.ai z_ai",
    "zhipuai": "zhipu zhipu_ai bigmodel",
    "minimax": "minimax_ai",
    "cerebras": "cerebras_cloud cerebras_ai",
    "sambanova": "samba_nova sambanova_cloud sambanova_ai",
    "alibaba": "dashscope qwen alibaba_cloud alibabacloud aliyun tongyi alibaba.dashscope",
    "nvidia": "nvidia_nim nvidia_ai_endpoints nim",
    "ai21": "ai21_labs ai21labs ai21_chat",
    "deepgram": "deep_gram",
    "assemblyai": "assembly_ai",
    "deepinfra": "deep_infra",
    "novita": "novita_ai",
    "ovhcloud": "ovh_cloud ovh",
    "databricks": "mosaic_ai databricks_mosaic",
    "cloudflare": "workers_ai cloudflare_workers_ai",
    "elevenlabs": "eleven_labs",
    "meta": "meta_llama",
    "huggingface": "hugging_face hf huggingface_hub huggingface_inference",
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
_API_SUFFIX = re.compile(
    r"\.(chat|responses|completions?|(text)?embeddings?|messages|image|speech|transcription|rerank(ing)?)$"
)
# LiteLLM names each family of models on Vertex: vertex_ai-anthropic_models, vertex_ai_beta.
_VERTEX_FAMILY = re.compile(r"^vertex_ai_[a-z0-9_]+$")
_BOOK_IDS = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "ibm.watsonx.ai": "watsonx",
}


def canonical_provider(name: str) -> str:
    """The OTel well-known name of a provider, "" for none and for frameworks.

    A name that nobody has told us comes back in lower case: it is a provider without prices.
    """
    lowered = name.strip().lower()
    plain = lowered.replace("-", "_").replace(" ", "_")
    known = known_provider(plain)
    if known:
        return known
    return "" if plain in _FRAMEWORKS else lowered


def known_provider(name: str) -> str:
    """The canonical name of a lower-cased spelling that we have been told, else ""."""
    plain = name.replace("-", "_")
    known = _CANONICAL.get(plain) or _CANONICAL.get(_API_SUFFIX.sub("", plain))
    if known is None and _VERTEX_FAMILY.match(plain):
        return "gcp.vertex_ai"
    return known or ""


def book_provider(canonical: str) -> str:
    """The price book's id of a canonical provider."""
    return _BOOK_IDS.get(canonical, canonical)
