"""Vercel's AI SDK."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_DOCS = "https://ai-sdk.dev/docs/ai-sdk-core/telemetry"

VERCEL = (
    Library(
        name="Vercel AI SDK 7",
        package="npm:@ai-sdk/otel",
        versions="1.0.173 with ai 7.0.173",
        scopes=("gen_ai",),
        dialect="vercel",
        spans="`chat`, `embeddings` are billed; `invoke_agent` and `step` repeat them",
        seen=(Seen("gen_ai", "", "openai"), Seen("gen_ai", "", "anthropic")),
        cache=(
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
        ),
        gaps=(
            Gap(
                Finding.NO_AGENT,
                "The name of an agent is the id of the function, which has to be given.",
                'telemetry: { functionId: "..." }',
                _DOCS,
            ),
        ),
        evidence=(
            "golden/vercel/object_of_7.json",
            "integration/test_vercel_library.py::vercel-7",
        ),
    ),
    Library(
        name="Vercel AI SDK 4 to 6",
        package="npm:ai",
        versions="4.3.19, 5.0.277, 6.0.324",
        scopes=("ai",),
        by_keys=True,
        dialect="vercel",
        spans="`ai.*.doGenerate`, `.doStream`, `.doEmbed` are billed; the span above repeats its"
        " last step or their sum",
        seen=(
            Seen("ai", "ai/6.0.324", "anthropic"),
            Seen("ai", "ai/5.0.277", "openai"),
            Seen("ai", "ai/5.0.277", "anthropic"),
            Seen("ai", "ai/5.0.277", "aws.bedrock"),
            Seen("ai", "ai/5.0.277", "gcp.gemini"),
        ),
        cache=(
            "ai.usage.cachedInputTokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
            "ai.response.providerMetadata#/anthropic/usage/cache_creation_input_tokens",
            "ai.response.providerMetadata#/openai/cachedPromptTokens",
        ),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "generateText of 5 has no count of cached tokens for OpenAI: prompts that the cache"
                " served are priced in full.",
                "ai 6 or later, or streamText",
                _DOCS,
                ("openai", "azure.ai.openai"),
            ),
            Gap(
                Finding.NO_USAGE,
                "OpenAI-compatible providers state no usage in streams unless they are asked.",
                "createOpenAICompatible({ includeUsage: true })",
                "https://ai-sdk.dev/providers/openai-compatible-providers",
            ),
            Gap(
                Finding.NO_AGENT,
                "The name of an agent is the id of the function, which has to be given.",
                'experimental_telemetry: { isEnabled: true, functionId: "..." }',
                _DOCS,
            ),
        ),
        evidence=(
            "golden/vercel/claude_of_4.json",
            "golden/vercel/claude_of_5_hour_long_write.json",
            "golden/vercel/gemini_of_5.json",
            "golden/vercel/stream_of_6.json",
            "integration/test_vercel_library.py::vercel-5",
            "integration/test_vercel_library.py::vercel-6",
        ),
    ),
)
