"""OpenInference (Arize): `llm.token_count.*` and its span kinds. First reading.

From openinference-semantic-conventions 0.1.42 and the instrumentations named below.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import EXCLUSIVE, IN_TOTAL, INCLUSIVE, Arguments, Dialect, Emitter

_CACHE_INPUT = "llm.token_count.prompt_details.cache_input"

_COUNTS = {
    table.INPUT: ("llm.token_count.prompt",),
    table.OUTPUT: ("llm.token_count.completion",),
    table.TOTAL: ("llm.token_count.total",),
    table.CACHE_READ: (
        "llm.token_count.prompt_details.cache_read",
        _CACHE_INPUT,
    ),
    table.CACHE_WRITE: (
        "llm.token_count.prompt_details.cache_write",
        "llm.token_count.prompt_details.cache_creation",  # Envoy AI Gateway 1.1
    ),
    table.REASONING: ("llm.token_count.completion_details.reasoning",),
    table.AUDIO_INPUT: ("llm.token_count.prompt_details.audio",),
    table.AUDIO_OUTPUT: ("llm.token_count.completion_details.audio",),
}

_TEXTS = {
    table.SPAN_KIND: ("openinference.span.kind",),
    table.PROVIDER: ("llm.provider", "llm.system"),  # who serves, before whose API it is
    table.REQUEST_MODEL: (
        "llm.request.model_name",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
    ),
    table.RESPONSE_MODEL: ("llm.response.model_name",),
    # No key for the id or the tier: they stand in the answer that openai 0.1.66 and anthropic 3.1.0
    # pass on.
    table.RESPONSE_BODY: ("output.value",),
    table.FINISHED: ("llm.finish_reason",),
    table.AGENT: ("agent.name",),
    table.TOOL: ("tool.name",),
    table.PARAMETERS: ("llm.invocation_parameters",),
    table.COST: ("llm.cost.total",),
}

_SIGNS = frozenset({"openinference.span.kind", "llm.model_name", "llm.token_count.prompt"})

_BEDROCK = "openinference.instrumentation.bedrock"
_LANGCHAIN = "openinference.instrumentation.langchain"
_LANGCHAIN_RAW = r"0\.1\.([0-9]|[1-4][0-9]|5[0-4])"

_EMITTERS = (
    # bedrock 0.1.61, InvokeModel of Nova: raw inputTokens beside cacheReadInputTokenCount; its
    # Converse folds the cached tokens in since 0.1.60.
    Emitter(_BEDROCK, EXCLUSIVE, model="nova", span="bedrock.invoke_model"),
    Emitter(_BEDROCK, EXCLUSIVE, r"0\.1\.([0-9]|[1-5][0-9])", span="bedrock.converse"),
    # JavaScript's 0.5.1: the API's own count in InvokeModel; Converse does not tell of the cache.
    Emitter("@arizeai/openinference-instrumentation-bedrock", EXCLUSIVE),
    # langchain 0.1.44 to 0.1.54 (`_token_counts`): the API's own words, so Anthropic's input is the
    # uncached rest and Google's output the candidates.
    Emitter(_LANGCHAIN, EXCLUSIVE, _LANGCHAIN_RAW, model="claude"),
    Emitter(_LANGCHAIN, INCLUSIVE, _LANGCHAIN_RAW, reasoning=IN_TOTAL),
    Emitter("openinference.instrumentation.vertexai", INCLUSIVE, reasoning=IN_TOTAL),  # 0.1.29
    # google-genai 0.1.3: the candidates alone; to 0.1.8 in streams.
    Emitter(
        "openinference.instrumentation.google_genai",
        INCLUSIVE,
        r"0\.1\.[0-8]",
        reasoning=IN_TOTAL,
    ),
    # google-adk 1.0.5 adds its counts to ADK's own, whose output lacks the thoughts (ADK 1.x).
    Emitter("openinference.instrumentation.google_adk", INCLUSIVE, reasoning=IN_TOTAL),
    # agno 2.0.0 and 3.1.10 (`models/*`) under agno 1.0.15: what the API calls the input.
    Emitter("openinference.instrumentation.agno", EXCLUSIVE, model="claude"),
    Emitter("openinference.instrumentation.agno", EXCLUSIVE, model="nova"),
    # litellm 0.1.30 and 0.1.40 (not 0.1.45) write the tokens of text there.
    Emitter("openinference.instrumentation.litellm", INCLUSIVE, misused=_CACHE_INPUT),
    Emitter("openinference.instrumentation.openai", INCLUSIVE, certain=True),  # 0.1.66
    Emitter("openinference.instrumentation.*", INCLUSIVE),
    Emitter("@arizeai/*", INCLUSIVE),
)

_MARKERS = (
    b"llm.token_count.",
    b".model_name",  # llm., embedding., reranker.: without usage too, as GenAI's models
)

OPENINFERENCE = Dialect(
    *("openinference", _COUNTS, _TEXTS, _SIGNS, _EMITTERS),
    arguments=(Arguments("input.value", where=("openinference.span.kind", "TOOL")),),
    markers=_MARKERS,
)
