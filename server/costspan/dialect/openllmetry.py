"""OpenLLMetry (Traceloop): the keys of its own, and how its packages count. First reading.

From opentelemetry-semantic-conventions-ai 0.1 to 0.5.1, the Python packages at 0.62.4 and the
JavaScript ones at 0.27.0. Its newer releases write the GenAI keys, so those are not repeated here.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import EXCLUSIVE, IN_TOTAL, INCLUSIVE, Arguments, Dialect, Emitter
from costspan.model import AGGREGATE

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
    table.USER: (
        "traceloop.association.properties.user_id",
        "gen_ai.user",  # the `user` of a request to OpenAI; `llm.user` before 0.5
    ),
    table.SESSION: ("traceloop.association.properties.session_id",),
    table.FINISHED: ("llm.response.finish_reason", "llm.response.stop_reason"),
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

# Some scope names are those of OpenTelemetry's own packages too, whose versions end in a beta.
_RELEASE = r"0\.\d+\.\d+"

_EMITTERS = (
    Emitter("opentelemetry.instrumentation.bedrock", EXCLUSIVE),  # 0.40 to 0.62: raw inputTokens
    Emitter("opentelemetry.instrumentation.openai.*", INCLUSIVE, certain=True),
    Emitter("opentelemetry.instrumentation.anthropic", INCLUSIVE),  # 0.40 to 0.62: sums itself
    # llamaindex 0.62.4 (`_response_utils.py`): the usage of the API's answer, as it is.
    Emitter("opentelemetry.instrumentation.llamaindex", EXCLUSIVE, providers=("anthropic",)),
    # Only the provider's total holds the thoughts that their output leaves out: 0.62. The vertexai
    # of OpenTelemetry (2.1b0) leaves them out too, and has no total.
    Emitter("opentelemetry.instrumentation.google_generativeai", INCLUSIVE, reasoning=IN_TOTAL),
    Emitter("opentelemetry.instrumentation.vertexai", INCLUSIVE, reasoning=IN_TOTAL),
    # An agent's spans sum up all that it ever did (crewai/instrumentation.py, 0.62).
    Emitter("opentelemetry.instrumentation.crewai*", INCLUSIVE, cumulative=AGGREGATE),
    Emitter("opentelemetry.instrumentation.*", INCLUSIVE, version=_RELEASE),
    Emitter("@traceloop/instrumentation-anthropic", EXCLUSIVE),  # JavaScript 0.27
    Emitter("@traceloop/instrumentation-bedrock", EXCLUSIVE),
    Emitter("@traceloop/instrumentation-vertexai", INCLUSIVE, reasoning=IN_TOTAL),  # 0.27
    Emitter("@traceloop/*", INCLUSIVE),
)

OPENLLMETRY = Dialect(
    *("openllmetry", _COUNTS, _TEXTS, _SIGNS, _EMITTERS),
    arguments=(Arguments("traceloop.entity.input", where=("traceloop.span.kind", "tool")),),
)
