"""Names of people, agents and tools under keys that no dialect's table has. No counts, no prices.

They are read after those of every dialect: who wrote a span's usage often leaves it to a framework,
a gateway or the application to say whose it is.
"""

from __future__ import annotations

from costspan.dialect import table

NAMES: table.Keys = {
    table.AGENT_ID: (
        "gen_ai.agent.id",
        "agent.id",
        "graph.node.id",  # openinference-instrumentation-openai-agents 2.6: the agent's name
    ),
    table.TOOL: ("mcp.tool.name",),  # Sentry
    table.USER: (
        "langfuse.user.id",
        "metadata.user_api_key_user_id",  # litellm 1.109.1, v1: whose key it is, if nobody calls
    ),
    table.SESSION: (
        "langfuse.session.id",
        "gcp.vertex.agent.session_id",  # Google ADK 2.13
        "mcp.session.id",  # semantic-conventions 1.39
    ),
}
