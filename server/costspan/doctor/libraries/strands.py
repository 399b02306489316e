"""AWS Strands agents, also on Bedrock AgentCore."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_SCOPE = "strands.telemetry.tracer"
_FOLDED = "gen_ai.usage.cache_read.input_tokens"

STRANDS = (
    Library(
        name="Strands",
        package="pypi:strands-agents",
        versions="0.1.9 to 1.62.0",
        scopes=(_SCOPE, "strands-agents"),
        dialect="strands",
        spans="`chat` is billed; `invoke_agent` adds up all that the agent ever did,"
        " `execute_event_loop_cycle` frames calls",
        seen=(
            Seen(_SCOPE, "", "", "gpt-4o", "chat"),
            Seen(_SCOPE, "", "", "claude-sonnet-4-5", "chat"),
            Seen(
                _SCOPE, "", "", "claude-sonnet-4-5", "chat", "gen_ai.usage.cache_read.input_tokens"
            ),
        ),
        cache=(
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
        ),
        gaps=(
            Gap(
                Finding.CONVENTION_ASSUMED,
                "No release states a version: those to 1.53 pass the API's input on, later ones add"
                " the cached tokens to it; 1.56 does not for Anthropic's own API.",
                "strands-agents 1.59 or later",
                "",
                ("anthropic",),
            ),
            Gap(Finding.LIBRARY_OMITS, "Reasoning tokens have no key; the output holds them."),
            Gap(Finding.NO_PROVIDER, "The provider is Strands itself; the model has to tell it."),
            Gap(
                Finding.DOUBLED,
                "botocore's instrumentation, which AWS's distribution turns on, tells of the same"
                " call below it.",
            ),
        ),
        evidence=(
            "golden/strands/bedrock_1_10.json",
            "golden/strands/anthropic_1_50.json",
            "golden/strands/openai_1_50.json",
            "golden/strands/litellm_1_40.json",
            "golden/strands/folded_1_62.json",
            "golden/strands/agent_1_62.json",
            "integration/test_real_libraries.py::strands",
        ),
    ),
)
