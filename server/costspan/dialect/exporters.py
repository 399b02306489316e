"""What Mastra, Sentry and LangWatch call their spans. Their counts contain the cached tokens.

From @mastra/otel-exporter 0.3.3 and 1.4.0 (`dist/index.js`), sentry-sdk 2.75.0 (`ai/monitoring.py`,
`integrations/*`) with getsentry/sentry-conventions b350b1ed, and langwatch 1.4.0
(`telemetry/span.py`). Mastra writes usage on one span of a call alone; agents of Sentry repeat it.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import EXCLUSIVE, IN_TOTAL, INCLUSIVE, Dialect, Emitter
from costspan.model import AGGREGATE, LEAF

_MASTRA = Dialect(
    "mastra",
    {},
    {},
    frozenset(),
    (
        # 0.3.3 has this scope, and passes on what the AI SDK 5 states (@mastra/core 0.24.9): of
        # Anthropic the uncached rest, of Google the candidates.
        Emitter("@mastra/otel", EXCLUSIVE, model="claude"),
        Emitter("@mastra/otel", INCLUSIVE, reasoning=IN_TOTAL),
        Emitter("@mastra/*", INCLUSIVE),
    ),
    {  # 0.3; 1.4 has the names of the conventions
        "agent.run": ("invoke_agent", AGGREGATE),
        "workflow.run": ("invoke_workflow", AGGREGATE),
        "workflow.step": ("task", AGGREGATE),
        "tool.execute": ("execute_tool", AGGREGATE),
        "tool_selection": ("chat", LEAF),
        "model.step": ("agent_step", AGGREGATE),
        "model_generation": ("agent_step", AGGREGATE),  # 1.4, around the calls
    },
)

_SENTRY = Dialect(
    "sentry",
    {},
    {table.OPERATION: ("gen_ai.operation.type",)},
    frozenset({"gen_ai.operation.type"}),
    (),
    {
        "ai_client": ("chat", LEAF),
        "messages": ("chat", LEAF),  # Anthropic
        "handoff": ("handoff", AGGREGATE),
        "evaluate": ("evaluator", AGGREGATE),
    },
)

_METRICS = "langwatch.metrics#/"

_LANGWATCH = Dialect(
    "langwatch",
    {  # prompt and answer it writes under GenAI's names of 2024 as well
        table.CACHE_READ: (f"{_METRICS}cache_read_input_tokens",),
        table.CACHE_WRITE: (f"{_METRICS}cache_creation_input_tokens",),
        table.REASONING: (f"{_METRICS}reasoning_tokens",),
    },
    {
        table.OPERATION: ("langwatch.span.type",),
        table.USER: ("langwatch.user.id",),
        table.CONVERSATION: ("langwatch.thread.id",),
        table.COST: (f"{_METRICS}cost",),
    },
    frozenset({"langwatch.span.type"}),
    (Emitter("langwatch*", INCLUSIVE),),
    {
        "rag": ("retrieval", AGGREGATE),
        "evaluation": ("evaluator", AGGREGATE),
        "component": ("task", AGGREGATE),
        "module": ("task", AGGREGATE),
        "span": ("task", AGGREGATE),
    },
)

EXPORTERS = (_MASTRA, _SENTRY, _LANGWATCH)
