"""AWS Strands: who counts how, by release and model. Its keys are GenAI's, old and new on one span.

From strands-agents 0.1.9, 1.0.0, 1.10.0, 1.20.0, 1.40.0, 1.50.2, 1.56.0, 1.59.0 and 1.62.0
(`telemetry/tracer.py`, `models/*`). No release states a version. To 1.53 usage is that of the API;
later ones fold the cached tokens in, and write the key of semantic-conventions 1.40 for them. Each
agent's span adds up all that the agent ever did. The provider is Strands itself: the model tells.
"""

from __future__ import annotations

from costspan.dialect.table import EXCLUSIVE, INCLUSIVE, Dialect, Emitter, Named
from costspan.model import AGGREGATE, LEAF

_SCOPE = "strands.telemetry.tracer"
_SCOPE_0 = "strands-agents"
_FOLDED = "gen_ai.usage.cache_read.input_tokens"
_FOLDED_WRITE = "gen_ai.usage.cache_creation.input_tokens"

# What no row fits is told by the total: Bedrock's contains the cached tokens.
_EMITTERS = (
    Emitter(_SCOPE, INCLUSIVE, key=_FOLDED),
    Emitter(_SCOPE, INCLUSIVE, key=_FOLDED_WRITE),
    Emitter(_SCOPE, EXCLUSIVE, model="arn:"),
    Emitter(_SCOPE, INCLUSIVE, model="/"),  # LiteLLM's names
    Emitter(_SCOPE, EXCLUSIVE, model="claude"),
)

# 0.1 states no operation.
_NAMES = (
    Named(_SCOPE_0, "Model invoke", "chat", LEAF),
    Named(_SCOPE_0, "", "agent_step", AGGREGATE),
)

_OPERATIONS = {
    "execute_event_loop_cycle": ("agent_step", AGGREGATE),
    "invoke_swarm": ("invoke_workflow", AGGREGATE),
    "invoke_graph": ("invoke_workflow", AGGREGATE),
    "invoke_multiagent": ("invoke_workflow", AGGREGATE),
}

STRANDS = Dialect("strands", {}, {}, frozenset(), _EMITTERS, _OPERATIONS, _NAMES)
