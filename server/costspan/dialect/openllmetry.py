"""OpenLLMetry (Traceloop): the keys of its own, and how its packages count. First reading.

From opentelemetry-semantic-conventions-ai 0.1 to 0.5.1, the Python packages at 0.62.4 and the
JavaScript ones at 0.27.0. Its newer releases write the GenAI keys, so those are not repeated here.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import EXCLUSIVE, IN_TOTAL, INCLUSIVE, Dialect, Emitter

_COUNTS = {
    table.INPUT: ("llm.usage.prompt_tokens",),  # 2023
    table.OUTPUT: ("llm.usage.completion_tokens",),
    table.TOTAL: (
        "llm.usage.total_tokens",
    ),  # still written by cohere, mistral, vertexai and others
    table.REASONING: ("llm.usage.reasoning_tokens",),
}

_TEXTS = {
    table.REQUEST_TYPE: ("llm.request.type",),
    table.ENTITY_KIND: ("traceloop.span.kind",),
    table.ENTITY_NAME: ("traceloop.entity.name",),
    table.WORKFLOW: ("traceloop.workflow.name",),
    table.REQUEST_MODEL: ("llm.request.model",),
    table.RESPONSE_MODEL: ("llm.response.model",),
    table.RESPONSE_ID: ("llm.response.id",),
    table.USER: ("traceloop.association.properties.user_id",),
    table.SESSION: ("traceloop.association.properties.session_id",),
    table.PROMPT_CACHING: ("gen_ai.prompt_caching",),  # Bedrock: read | write
}

_SIGNS = frozenset(
    {
        "llm.request.type",
        "llm.usage.total_tokens",
        "traceloop.entity.name",
        "traceloop.span.kind",
        "traceloop.workflow.name",
    }
)

# The packages share the scope names of OpenTelemetry's own; only a version without a "b" is theirs.
_RELEASE = r"0\.\d+\.\d+"

_EMITTERS = (
    Emitter("opentelemetry.instrumentation.bedrock", EXCLUSIVE, version=_RELEASE),  # 0.40 to 0.62
    Emitter("opentelemetry.instrumentation.openai*", INCLUSIVE, version=_RELEASE, certain=True),
    Emitter("opentelemetry.instrumentation.anthropic", INCLUSIVE, version=_RELEASE),  # sums itself
    # The provider's total holds the thoughts that their output count leaves out.
    Emitter(
        "opentelemetry.instrumentation.google_generativeai",
        INCLUSIVE,
        version=_RELEASE,
        reasoning=IN_TOTAL,
    ),
    Emitter(
        "opentelemetry.instrumentation.vertexai", INCLUSIVE, version=_RELEASE, reasoning=IN_TOTAL
    ),
    Emitter("opentelemetry.instrumentation.*", INCLUSIVE, version=_RELEASE),
    Emitter("@traceloop/instrumentation-anthropic", EXCLUSIVE),  # JavaScript 0.27
    Emitter("@traceloop/instrumentation-bedrock", EXCLUSIVE),
    Emitter("@traceloop/*", INCLUSIVE),
)

OPENLLMETRY = Dialect("openllmetry", _COUNTS, _TEXTS, _SIGNS, _EMITTERS)
