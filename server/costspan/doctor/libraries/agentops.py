"""AgentOps."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

AGENTOPS = (
    Library(
        name="AgentOps",
        package="pypi:agentops",
        versions="0.4.10 to 0.4.21",
        scopes=("agentops*",),  # those around SDKs bear the SDK's name: their keys tell
        by_keys=True,
        dialect="agentops",
        spans="Spans of the kind `llm` are billed; sessions, agents and the others frame them",
        seen=(
            Seen("agentops.instrumentation.openai_agents", "0.4.21", "openai"),
            Seen("agentops.instrumentation.google_genai", "0.4.21", "gcp.gemini"),
        ),
        cache=("gen_ai.usage.cache_read_input_tokens",),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "Anthropic's cached tokens have no key, and are not in the input: what was read and"
                " written is not billed.",
                "ANTHROPIC_OPEN_TELEMETRY left on: the SDK's own spans have them",
                "https://github.com/anthropics/anthropic-sdk-python",
                ("anthropic",),
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Of streams by Anthropic's `create(stream=True)` it counts the first event's output"
                " (0.4.21).",
                "`messages.stream`",
                "",
                ("anthropic",),
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "OpenAI's cached tokens have no key but in its agents, and cost as much as the"
                " others.",
                "",
                "",
                ("openai",),
            ),
        ),
        evidence=(
            "golden/agentops/openai_chat.json",
            "golden/agentops/anthropic.json",
            "golden/agentops/openai_agents.json",
            "golden/agentops/google.json",
            "golden/agentops/agent_session.json",
            "golden/agentops/count_tokens.json",
        ),
    ),
)
