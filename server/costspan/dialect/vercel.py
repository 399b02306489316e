"""Vercel's AI SDK, 4 to 7: `ai.*` beside GenAI keys, and what its providers add in JSON.

From the npm packages ai 4.3.19, 5.0.277, 6.0.324 and 7.0.173 with @ai-sdk/otel 1.0.173, and the
@ai-sdk providers of each major. A root span repeats its last step (4, 5) or their sum (6, 7), so
only the spans around one request are calls. No release states a scope version.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import EXCLUSIVE, IN_TOTAL, INCLUSIVE, Arguments, Dialect, Emitter
from costspan.model import AGGREGATE, LEAF

_METADATA = "ai.response.providerMetadata"  # by provider; 7 sends it on request only

_COUNTS = {
    table.FRESH: ("ai.usage.inputTokenDetails.noCacheTokens",),  # 6; 7 on request
    table.INPUT: (
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",  # 4; generateText of 5, generateObject of 5 and 6
        "ai.usage.tokens",  # embeddings
    ),
    table.OUTPUT: ("ai.usage.outputTokens", "ai.usage.completionTokens"),
    table.TOTAL: (
        "ai.usage.totalTokens",
        f"{_METADATA}#/google/usageMetadata/totalTokenCount",
    ),
    table.CACHE_READ: (
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",  # streams of 5
        # generateText and generateObject of 5 leave it out, and 4 knows none of it
        f"{_METADATA}#/anthropic/usage/cache_read_input_tokens",
        f"{_METADATA}#/anthropic/cacheReadInputTokens",  # @ai-sdk/anthropic 1
        f"{_METADATA}#/bedrock/usage/cacheReadInputTokens",  # @ai-sdk/amazon-bedrock 2
        f"{_METADATA}#/google/usageMetadata/cachedContentTokenCount",
        f"{_METADATA}#/openai/cachedPromptTokens",  # @ai-sdk/openai 1
        f"{_METADATA}#/azure/cachedPromptTokens",
    ),
    table.CACHE_WRITE: (
        "ai.usage.inputTokenDetails.cacheWriteTokens",
        f"{_METADATA}#/anthropic/usage/cache_creation_input_tokens",
        f"{_METADATA}#/anthropic/cacheCreationInputTokens",
        f"{_METADATA}#/bedrock/usage/cacheWriteInputTokens",
    ),
    table.CACHE_WRITE_5M: (
        f"{_METADATA}#/anthropic/usage/cache_creation/ephemeral_5m_input_tokens",
    ),
    table.CACHE_WRITE_1H: (
        f"{_METADATA}#/anthropic/usage/cache_creation/ephemeral_1h_input_tokens",
    ),
    table.REASONING: (
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
        f"{_METADATA}#/google/usageMetadata/thoughtsTokenCount",
        f"{_METADATA}#/openai/reasoningTokens",
        f"{_METADATA}#/azure/reasoningTokens",
    ),
    table.RAW_INPUT: (f"{_METADATA}#/anthropic/usage/input_tokens",),
}

_TEXTS = {
    table.OPERATION: ("ai.operationId",),
    table.PROVIDER: ("ai.model.provider",),
    table.REQUEST_MODEL: ("ai.model.id",),
    table.RESPONSE_MODEL: ("ai.response.model",),
    table.RESPONSE_ID: ("ai.response.id",),
    # 7 itself writes it as gen_ai.agent.name
    table.AGENT: ("ai.telemetry.functionId",),
    table.TOOL: ("ai.toolCall.name",),
    table.USER: ("ai.telemetry.metadata.userId", "ai.settings.context.userId"),
    table.SESSION: ("ai.telemetry.metadata.sessionId", "ai.settings.context.sessionId"),
    table.SERVED_TIER: (
        f"{_METADATA}#/anthropic/usage/service_tier",
        f"{_METADATA}#/openai/serviceTier",
        f"{_METADATA}#/azure/serviceTier",
        f"{_METADATA}#/google/serviceTier",
    ),
    table.GEO: (f"{_METADATA}#/anthropic/usage/inference_geo",),
    table.LIBRARY: ("ai.request.headers.user-agent",),  # "... ai/5.0.277"; not in 4
}

_SIGNS = frozenset({"ai.operationId", "ai.model.id", "ai.model.provider"})

_GOOGLE = ("gcp.gemini", "gcp.vertex_ai")
_UNNAMED = ("", "gcp.vertex_ai")  # Vercel's gateway, and Claude on Vertex AI
_SUMMING = r".*\bai/(?:[6-9]|[1-9]\d)\..*"  # adds the parts that an API counts apart

_EMITTERS = (
    Emitter("ai", INCLUSIVE, version=_SUMMING),
    # 4 and 5 pass the API's counts on (packages/anthropic, packages/amazon-bedrock)
    Emitter("ai", EXCLUSIVE, providers=("anthropic", "aws.bedrock")),
    Emitter("ai", EXCLUSIVE, providers=_UNNAMED, model="claude"),
    # output is candidatesTokenCount, the thoughts beside it are in Google's total; that of 6 adds
    # up without them, and the one span of 6 that does not say so else is streamObject's
    Emitter("ai", INCLUSIVE, providers=_GOOGLE, reasoning=IN_TOTAL),
    Emitter("ai", INCLUSIVE, providers=("",), model="gemini", reasoning=IN_TOTAL),
    Emitter("ai", INCLUSIVE),
    Emitter("gen_ai", INCLUSIVE),  # @ai-sdk/otel
)

# What the user called, without the requests below it.
_ROOTS = {
    "ai.generatetext": "invoke_agent",
    "ai.streamtext": "invoke_agent",
    "ai.generateobject": "invoke_agent",
    "ai.streamobject": "invoke_agent",
    "ai.workflowagent.stream": "invoke_agent",
    "ai.embed": "embeddings",
    "ai.embedmany": "embeddings",
    "ai.rerank": "rerank",
    "ai.toolcall": "execute_tool",
}
_REQUESTS = {
    "ai.generatetext.dogenerate": "chat",
    "ai.streamtext.dostream": "chat",
    "ai.generateobject.dogenerate": "chat",
    "ai.streamobject.dostream": "chat",
    "ai.embed.doembed": "embeddings",
    "ai.embedmany.doembed": "embeddings",
    "ai.rerank.dorerank": "rerank",
    # 7 makes no other span for these
    "ai.generatespeech": "speech",
    "ai.transcribe": "transcription",
    "ai.streamtranscribe": "transcription",
}
_OPERATIONS = {
    **{name: (canonical, AGGREGATE) for name, canonical in _ROOTS.items()},
    **{name: (canonical, LEAF) for name, canonical in _REQUESTS.items()},
}

# `experimental_telemetry.tracer` puts its spans under any scope.
VERCEL = Dialect(
    *("vercel", _COUNTS, _TEXTS, _SIGNS, _EMITTERS, _OPERATIONS),
    arguments=(Arguments("ai.toolCall.args"),),  # 4 to 6; 7 writes GenAI's key
    home="ai",
)
