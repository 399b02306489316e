"""The OpenTelemetry GenAI conventions: current keys, every older spelling, and who counts how.

Newest first. Sources: semantic-conventions CHANGELOG to v1.44 (renames in 1.27, 1.37, 1.40, 1.41),
semantic-conventions-genai (`cache_write`, modalities), and the source of each library named below
at the version named there. Two spellings of one meaning are one count: they are never added.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import EXCLUSIVE, IN_TOTAL, INCLUSIVE, Arguments, Dialect, Emitter
from costspan.model import LEAF

_COUNTS = {
    table.INPUT: ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),  # renamed in 1.27
    table.OUTPUT: ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    table.TOTAL: ("gen_ai.usage.total_tokens",),  # in no registry, but widespread
    table.CACHE_READ: (
        "gen_ai.usage.cache_read.input_tokens",  # 1.40
        "gen_ai.usage.cache_read_input_tokens",  # OpenLLMetry to 0.4x, AG2, AgentOps
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.cached_input_tokens",  # Mastra 0.3
        "gen_ai.usage.input_tokens.cached",  # Sentry
    ),
    table.CACHE_WRITE: (
        "gen_ai.usage.cache_write.input_tokens",  # semantic-conventions-genai, 2026
        "gen_ai.usage.cache_creation.input_tokens",  # 1.40
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",  # Strands
        "gen_ai.usage.cache_creation_tokens",
        "gen_ai.usage.input_tokens.cache_write",  # Sentry
    ),
    table.CACHE_WRITE_5M: (
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",  # anthropic-python 2.12
        "gen_ai.usage.cache_creation.5m_input_tokens",  # Mastra 1.4
        "gen_ai.usage.cache_creation_5m.input_tokens",  # LangWatch
    ),
    table.CACHE_WRITE_1H: (
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.cache_creation.1h_input_tokens",
        "gen_ai.usage.cache_creation_1h.input_tokens",
    ),
    table.REASONING: (
        "gen_ai.usage.reasoning.output_tokens",  # 1.41
        "gen_ai.usage.reasoning_tokens",  # OpenLLMetry, OpenLIT, AgentOps
        "gen_ai.usage.output_tokens.reasoning",  # Sentry
        "gen_ai.usage.thinking_tokens",  # AG2 1.2
    ),
    table.AUDIO_INPUT: (
        "gen_ai.usage.audio.input_tokens",  # util-genai 1.3
        "gen_ai.usage.input_audio_tokens",  # Microsoft.Extensions.AI, agentgateway
        "gen_ai.usage.audio_input_tokens",  # Mastra
    ),
    table.AUDIO_OUTPUT: (
        "gen_ai.usage.audio.output_tokens",
        "gen_ai.usage.output_audio_tokens",
        "gen_ai.usage.audio_output_tokens",
    ),
    table.IMAGE_INPUT: ("gen_ai.usage.image.input_tokens",),
    table.IMAGE_OUTPUT: ("gen_ai.usage.image.output_tokens", "gen_ai.usage.output_image_tokens"),
    table.CACHE_READ_AUDIO: ("gen_ai.usage.audio.cache_read.input_tokens",),
    table.CACHE_READ_IMAGE: ("gen_ai.usage.image.cache_read.input_tokens",),
    # Billed by the compaction step of an Anthropic call, left out of its totals: anthropic-python
    # 2.12, _tracing.
    table.STEP_INPUT: ("anthropic.usage.compaction.input_tokens",),
    table.STEP_OUTPUT: ("anthropic.usage.compaction.output_tokens",),
}

_TEXTS = {
    table.OPERATION: ("gen_ai.operation.name",),
    table.PROVIDER: ("gen_ai.provider.name", "gen_ai.system"),  # renamed in 1.37
    table.SERVER: ("server.address",),
    table.REQUEST_MODEL: ("gen_ai.request.model",),
    table.RESPONSE_MODEL: ("gen_ai.response.model",),
    table.RESPONSE_ID: ("gen_ai.response.id",),
    table.AGENT: ("gen_ai.agent.name",),
    table.WORKFLOW: ("gen_ai.workflow.name", "workflow.name"),
    table.TOOL: ("gen_ai.tool.name",),
    table.USER: ("user.id", "enduser.id"),
    table.SESSION: ("session.id",),
    table.CONVERSATION: ("gen_ai.conversation.id",),
    # One text (Semantic Kernel 1.45). The list of the conventions is not read: see recognition.
    table.FINISHED: ("gen_ai.response.finish_reason",),
    table.ERROR_TYPE: ("error.type",),
    table.SERVED_TIER: (
        "openai.response.service_tier",  # 1.37
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",  # LangSmith
        "anthropic.response.service_tier",  # anthropic-python 2.12
    ),
    table.ASKED_TIER: (
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
        "anthropic.request.service_tier",  # anthropic-python 2.12
    ),
    table.REGION: ("cloud.region",),  # on the span: botocore's region of the call
    table.CACHED: ("gen_ai.response.cached",),  # in no registry; gateways and applications write it
    table.COST: (
        "gen_ai.usage.total_cost",  # AgentOps
        "agw.ai.usage.cost.total",  # agentgateway, a string
        "gen_ai.cost.total_tokens",  # Sentry: dollars, whatever the name says
        "opencode.llm.cost.total",  # `github.copilot.cost` counts premium requests, not dollars
    ),
}

_RAW_ANTHROPIC = ("anthropic", "aws.bedrock")  # both APIs count the uncached rest as input
_GOOGLE = ("gcp.gemini", "gcp.vertex_ai")
_SPRING = "org.springframework.boot"

_EMITTERS = (
    # opentelemetry-instrumentation-genai-* 1.3b0
    Emitter("opentelemetry.instrumentation.genai.bedrock", EXCLUSIVE),  # raw inputTokens
    Emitter("opentelemetry.instrumentation.genai.openai", INCLUSIVE, certain=True),
    Emitter("opentelemetry.instrumentation.genai.*", INCLUSIVE),  # anthropic: sums itself
    # util-genai on its own (handler.py), and its older releases under every library: only the
    # provider tells.
    Emitter("opentelemetry.util.genai*", EXCLUSIVE, providers=("aws.bedrock",)),
    Emitter("opentelemetry.util.genai*", INCLUSIVE),
    Emitter("opentelemetry.instrumentation.openai_v2", INCLUSIVE, certain=True),  # 2.4b0
    Emitter("@opentelemetry/instrumentation-openai", INCLUSIVE, certain=True),  # 0.21, no cache key
    # 2.1b0: candidates only, and no total that would show the thoughts they leave out.
    Emitter("opentelemetry.instrumentation.vertexai", INCLUSIVE, version=r".*b\d+"),
    # botocore 0.66b2: cache keys on Converse only
    Emitter("opentelemetry.instrumentation.botocore*", EXCLUSIVE, providers=("aws.bedrock",)),
    Emitter("opentelemetry.instrumentation.google_genai", INCLUSIVE),  # adds thoughts
    Emitter("com.anthropic.sdk.python*", INCLUSIVE),  # 2.12: sums itself
    Emitter("mistralai_sdk_tracer", INCLUSIVE),
    # Envoy AI Gateway 1.1 with the GenAI keys (otelgenai/anthropic.go): /v1/messages passes on
    # Anthropic's own counts. A chat completion that it translates for Claude is folded, and told
    # from the former by its finish reasons alone, which are not read. Its OpenInference spans have
    # other names.
    Emitter("envoyproxy/ai-gateway", EXCLUSIVE, model="claude", span="chat "),
    # agentgateway folds the cached tokens in since 1.4.2 (telemetry/log.rs).
    Emitter(
        "agentgateway",
        EXCLUSIVE,
        version=r"(0\.|1\.[0-3]\.|1\.4\.[01]).*",
        providers=("anthropic",),
    ),
    # Foreign conventions that write the official keys: the official meaning is not theirs.
    # Spring AI. The scope's version is Spring Boot's: 1.0 and 1.1 run on its 3, and each call of
    # their tool loop reports the sum so far (UsageCalculator.getCumulativeUsage); 2.0 is on its 4.
    # Google's total has the thoughts that its output leaves out (GoogleGenAiUsage of 1.1.0).
    Emitter(_SPRING, EXCLUSIVE, r"3\..*", providers=_RAW_ANTHROPIC, cumulative=LEAF),
    Emitter(_SPRING, INCLUSIVE, r"3\..*", providers=_GOOGLE, reasoning=IN_TOTAL, cumulative=LEAF),
    Emitter(_SPRING, INCLUSIVE, r"3\..*", cumulative=LEAF),
    Emitter(_SPRING, EXCLUSIVE, providers=_RAW_ANTHROPIC),  # 2.0.1
    Emitter(_SPRING, INCLUSIVE, providers=_GOOGLE, reasoning=IN_TOTAL),
)

# Known, and of no consequence for cost: the registry of semantic-conventions-genai, the content of
# earlier releases, and what OpenLLMetry's semantic-conventions-ai 0.5.1 adds to the namespace. In
# `usage` and `response` every name is written out: a new one there may be a new price.
_FAMILIAR = (
    "gen_ai.agent.",
    "gen_ai.aggregated_usage.",  # Pydantic AI: a sum over the spans below, never billed
    "gen_ai.bedrock.",
    "gen_ai.client.",
    "gen_ai.completion",
    "gen_ai.content.",
    "gen_ai.conversation.",
    "gen_ai.cost.",  # parts of a cost whose sum is read
    "gen_ai.data_source.",
    "gen_ai.embeddings.",
    "gen_ai.evaluation.",
    "gen_ai.event.",
    "gen_ai.guardrail",
    "gen_ai.handoff.",
    "gen_ai.headers",
    "gen_ai.input.",
    "gen_ai.is_streaming",
    "gen_ai.memory.",
    "gen_ai.openai.",
    "gen_ai.operation.",
    "gen_ai.orchestrator.",
    "gen_ai.output.",
    "gen_ai.prompt",
    "gen_ai.provider.",
    "gen_ai.request.",
    "gen_ai.response.finish_reason",
    "gen_ai.response.reasoning_effort",
    "gen_ai.response.status",
    "gen_ai.response.stop_reason",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.retrieval.",
    "gen_ai.server.",
    "gen_ai.system",
    "gen_ai.token.",
    "gen_ai.tool.",
    "gen_ai.usage.partial.",  # Logfire: the root holds the whole
    "gen_ai.usage.text.",  # the rest of a total whose other parts are read
    "gen_ai.usage.token_type",
    "gen_ai.workflow.",
)

_MARKERS = (
    b".usage",  # gen_ai.usage.*; llm., ai., anthropic., ...; langfuse.observation.usage_details
    # gen_ai.request.model and gen_ai.response.*: calls that failed, or ended without ever stating
    # their usage. No convention lets a model call go without its model.
    b"gen_ai.re",
    b"agent.name",  # gen_ai.agent.name, agent.name
    b"workflow.name",  # gen_ai., traceloop.
)

_ARGUMENTS = (
    Arguments("gen_ai.tool.call.arguments"),  # semantic-conventions 1.38
    Arguments("gen_ai.tool.input"),  # Sentry
)

GENAI = Dialect(
    *("genai", _COUNTS, _TEXTS, frozenset(), _EMITTERS),
    arguments=_ARGUMENTS,
    markers=_MARKERS,
    familiar=_FAMILIAR,
)
