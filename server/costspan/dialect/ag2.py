"""AG2: how its models count, and spans that account for calls beside them. Its counts are GenAI's.

From ag2 1.2.1 (`middleware/builtin/telemetry.py`, `config/*/mappers.py`), whose scope states no
version, and 0.14.0 (`autogen/opentelemetry`), whose scope states the package's. 1.2 writes what an
agent's stream accounts for as `record_usage` spans below the agent's turn, of no duration and
without an operation: what they repeat, if they do, stands beside them (`ledger/accounts.py`).
0.14 leaves the cached tokens out. `ag2.usage.total_tokens` adds up differently by provider, so it
is not read.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import BESIDE, EXCLUSIVE, INCLUSIVE, Dialect, Emitter, Named
from costspan.model import AGGREGATE, LEAF

_SCOPE = "opentelemetry.instrumentation.ag2"

_EMITTERS = (
    # 0.14: a conversation states what its agents' clients have ever used (agent_instrumentators).
    Emitter(_SCOPE, INCLUSIVE, r"0\..*", cumulative=AGGREGATE),
    # config/anthropic and config/bedrock: the API's own input_tokens, cached tokens beside them
    Emitter(_SCOPE, EXCLUSIVE, providers=("anthropic", "aws.bedrock")),
    # config/gemini: candidates_token_count, thoughts beside it
    Emitter(_SCOPE, INCLUSIVE, providers=("gcp.gemini", "gcp.vertex_ai"), reasoning=BESIDE),
    Emitter(_SCOPE, INCLUSIVE),
)

# 0.14. A conversation adds up what its agents used; a model is called below all of these.
_OPERATIONS = {
    "conversation": ("conversation", AGGREGATE),
    "initiate_chats": ("invoke_workflow", AGGREGATE),
    "speaker_selection": ("agent_step", AGGREGATE),
    "execute_code": ("execute_tool", AGGREGATE),
    "await_human_input": ("human_input", AGGREGATE),
}

# 1.2. A model call has its own span beside its account, but for live sessions; a subtask is all
# that a sub-agent used; compaction and aggregation are calls of which nothing else tells.
_NAMES = (
    Named(_SCOPE, "record_usage model_call", "model_call", AGGREGATE),
    Named(_SCOPE, "record_usage subtask", "subtask", AGGREGATE),
    Named(_SCOPE, "record_usage compaction", "compaction", LEAF),
    Named(_SCOPE, "record_usage aggregation", "aggregation", LEAF),
)

_TEXTS = {table.AGENT: ("ag2.usage.label",)}  # of a subtask: who spent it

AG2 = Dialect("ag2", {}, _TEXTS, frozenset(), _EMITTERS, _OPERATIONS, _NAMES)
