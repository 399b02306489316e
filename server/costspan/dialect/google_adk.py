"""Google's Agent Development Kit: counts in the answer that it keeps as JSON. Else GenAI's keys.

From google-adk 1.0.0, 1.18.0, 1.36.0, 2.0.0, 2.4.0 and 2.13.0 (`telemetry/tracing.py`). 1.0 has no
other place for usage; to 2.0 the output is that of the candidates, and thoughts and cached tokens
stand in the answer alone (the total shows the former also where a model behind LiteLLM counts them
among the candidates). From 2.4 on all is added up, and the reasoning of a model behind LiteLLM is
counted twice. `call_llm` is around `generate_content` from 1.3x to the second schema of 2.x: one
call, told twice.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import IN_TOTAL, INCLUSIVE, TWICE, Arguments, Dialect, Emitter, Named
from costspan.model import LEAF

_SCOPE = "gcp.vertex.agent"
_ANSWER = "gcp.vertex.agent.llm_response#/"
_USAGE = f"{_ANSWER}usage_metadata/"

_COUNTS = {
    table.INPUT: (f"{_USAGE}prompt_token_count",),
    table.OUTPUT: (f"{_USAGE}candidates_token_count",),
    table.TOTAL: (f"{_USAGE}total_token_count",),
    table.CACHE_READ: (f"{_USAGE}cached_content_token_count",),
    table.CACHE_WRITE: (f"{_USAGE}cache_creation_input_tokens",),  # Claude
    table.REASONING: (
        "gen_ai.usage.experimental.reasoning_tokens",  # 1.36
        f"{_USAGE}thoughts_token_count",
    ),
}

_TEXTS = {table.RESPONSE_MODEL: (f"{_ANSWER}model_version",)}

_SIGNS = frozenset({"gcp.vertex.agent.llm_response"})

_EMITTERS = (
    Emitter(_SCOPE, INCLUSIVE, version=r"|1\..*|2\.[0-3]\..*", reasoning=IN_TOTAL),
    # With a path the model is Google's own; with any other slash its name is LiteLLM's.
    Emitter(_SCOPE, INCLUSIVE, model="projects/"),
    Emitter(_SCOPE, INCLUSIVE, model="odels/"),
    Emitter(_SCOPE, INCLUSIVE, model="/", reasoning=TWICE),
    Emitter(_SCOPE, INCLUSIVE),
)

_NAMES = (Named(_SCOPE, "call_llm", "generate_content", LEAF),)

_FAMILIAR = ("gen_ai.usage.experimental.",)

GOOGLE_ADK = Dialect(
    *("google_adk", _COUNTS, _TEXTS, _SIGNS, _EMITTERS),
    names=_NAMES,
    arguments=(Arguments("gcp.vertex.agent.tool_call_args"),),
    familiar=_FAMILIAR,
)
