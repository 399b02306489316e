"""Microsoft: Agent Framework, Semantic Kernel, Azure AI, Microsoft.Extensions.AI. Who counts how.

From agent-framework-core 1.23.0 with -anthropic and -bedrock 1.0.0b261022, semantic-kernel 1.14.0,
1.27.0 and 1.45.0, azure-ai-inference 1.0.0b9, azure-ai-agents 1.1.0, azure-ai-projects 2.10.0,
langchain-azure-ai 1.2.12, and dotnet/extensions 5862342c. Agents add up what their chats say, in
langchain-azure-ai each one above them, so all of theirs are aggregates; that of a remote agent is
the only span with usage. Without the newest conventions Agent Framework leaves out the cache.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import EXCLUSIVE, INCLUSIVE, Dialect, Emitter
from costspan.model import AGGREGATE, LEAF

_COUNTS = {
    table.INPUT: (
        "gen_ai.response.input_tokens",  # Microsoft.Extensions.AI, previews of 2024
        "gen_ai.response.prompt_tokens",  # Semantic Kernel to 1.1x
    ),
    table.OUTPUT: ("gen_ai.response.output_tokens", "gen_ai.response.completion_tokens"),
}

_TEXTS = {
    # azure-ai-agents states the usage of a run on each span that returns the run.
    table.RESPONSE_ID: ("gen_ai.thread.run.id",),
    table.CONVERSATION: ("gen_ai.thread.id",),
}

_SIGNS = frozenset({"gen_ai.thread.run.id"})

_FRAMEWORK = "agent_framework"

_EMITTERS = (
    # _chat_client.py of both packages: raw input_tokens and inputTokens, cached ones beside them
    Emitter(_FRAMEWORK, EXCLUSIVE, providers=("anthropic", "aws.bedrock")),
    # the same client for Claude on Foundry and on Vertex AI
    Emitter(
        _FRAMEWORK,
        EXCLUSIVE,
        providers=("azure.ai.inference", "gcp.vertex_ai"),
        model="claude",
    ),
    Emitter(_FRAMEWORK, INCLUSIVE),
    Emitter("semantic_kernel.*", INCLUSIVE),
    Emitter("Microsoft.SemanticKernel*", INCLUSIVE),
    # Contract of UsageDetails; a client of another's making may break it, which only the numbers
    # can prove.
    Emitter("Experimental.Microsoft.Extensions.AI*", INCLUSIVE),
    Emitter("Microsoft.Extensions.AI*", INCLUSIVE),
    Emitter("Experimental.Microsoft.Agents.AI*", INCLUSIVE),
)

_OPERATIONS = {
    # Semantic Kernel
    "chat.completions": ("chat", LEAF),
    "chat.streaming_completions": ("chat", LEAF),
    "text.completions": ("text_completion", LEAF),
    "text.streaming_completions": ("text_completion", LEAF),
    "text_completions": ("text_completion", LEAF),
    "responses": ("chat", LEAF),  # azure-ai-projects, Sentry
    # azure-ai-agents: a run is polled, and each answer repeats its usage
    "start_thread_run": ("invoke_agent", AGGREGATE),
    "process_thread_run": ("invoke_agent", AGGREGATE),
    "get_thread_run": ("invoke_agent", AGGREGATE),
    "submit_tool_outputs": ("invoke_agent", AGGREGATE),
    "create_thread": ("create_thread", AGGREGATE),
    "create_message": ("create_message", AGGREGATE),
    "list_messages": ("list_messages", AGGREGATE),
    "list_run_steps": ("list_run_steps", AGGREGATE),
    "create_conversation": ("create_conversation", AGGREGATE),
    "list_conversation_items": ("list_conversation_items", AGGREGATE),
}

_FAMILIAR = ("gen_ai.thread.", "gen_ai.message.", "gen_ai.run_step.")

MICROSOFT = Dialect(
    "microsoft", _COUNTS, _TEXTS, _SIGNS, _EMITTERS, _OPERATIONS, familiar=_FAMILIAR
)
