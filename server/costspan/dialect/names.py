"""Names of people, agents and tools under keys that no dialect's table has. No counts, no prices.

They are read after those of every dialect: who wrote a span's usage often leaves it to a framework,
a gateway or the application to say whose it is.
"""

from __future__ import annotations

from costspan.dialect import table

NAMES: table.Keys = {
    table.AGENT: ("agent_name",),  # Pydantic AI 1.x, on its agent's span
    table.AGENT_ID: (
        "gen_ai.agent.id",
        "agent.id",
        "graph.node.id",  # openinference-instrumentation-openai-agents 2.6: the agent's name
    ),
    table.TOOL: ("mcp.tool.name",),  # Sentry
    table.USER: (
        "langfuse.user.id",
        "litellm.end_user.id",  # litellm 1.109.1, v2
        "metadata.user_api_key_end_user_id",  # v1: who called, before whose key it was
        "metadata.user_api_key_user_id",
        "langsmith.metadata.user_id",
    ),
    table.SESSION: (
        "langfuse.session.id",
        "gcp.vertex.agent.session_id",  # Google ADK 2.13
        "langsmith.metadata.session_id",
        "mcp.session.id",  # semantic-conventions 1.39
    ),
    # LangGraph's name for a conversation; langsmith 0.15.0 puts it into its metadata.
    table.CONVERSATION: ("langsmith.metadata.conversation_id", "langsmith.metadata.thread_id"),
}
