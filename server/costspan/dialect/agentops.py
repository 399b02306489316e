"""AgentOps: kinds of its spans, and its own packages' way of counting. Its other keys are GenAI's.

From agentops 0.4.10, 0.4.16 and 0.4.21 (`semconv/*`, `instrumentation/*`). Anthropic's input is the
API's own, without the cached tokens and without a count of them; reasoning and cached tokens of
OpenAI come with its agents only. Google's output is that of its candidates, the total has the rest.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import IN_TOTAL, INCLUSIVE, Arguments, Dialect, Emitter
from costspan.model import AGGREGATE, TOKEN_COUNTER

_TEXTS = {
    table.ENTITY_KIND: ("agentops.span.kind",),
    table.ENTITY_NAME: ("agentops.entity.name",),
    table.REQUEST_TYPE: ("gen_ai.request.type",),
}

_SIGNS = frozenset({"agentops.span.kind", "gen_ai.request.type"})

_EMITTERS = (
    Emitter("agentops.instrumentation.google*", INCLUSIVE, reasoning=IN_TOTAL),
    Emitter("agentops*", INCLUSIVE),
)

# The other kinds (llm, agent, workflow, task, tool, chain, guardrail, unknown) are shared names.
_OPERATIONS = {
    **{name: (name, AGGREGATE) for name in ("session", "operation", "text", "http")},
    "token_count": ("count_tokens", TOKEN_COUNTER),
}

AGENTOPS = Dialect(
    *("agentops", {}, _TEXTS, _SIGNS, _EMITTERS, _OPERATIONS),
    arguments=(Arguments("agentops.entity.input", where=("agentops.span.kind", "tool")),),
)
