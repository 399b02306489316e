"""Pydantic AI and Logfire."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.common import ANTHROPIC_SDK_SPANS, OPENAI_STREAMS
from costspan.doctor.libraries.shape import Gap, Library, Seen

_READ = "gen_ai.usage.cache_read.input_tokens"
_WRITE = "gen_ai.usage.cache_creation.input_tokens"
_DOCS = "https://ai.pydantic.dev/logfire/"

PYDANTIC_AI = (
    Library(
        name="Pydantic AI",
        package="pypi:pydantic-ai-slim",
        versions="0.4.0, 1.0.0, 2.68.0",
        scopes=("pydantic-ai",),
        dialect="pydantic_ai",
        spans="`chat` is billed; a run repeats the sum of its calls, 2.x under names of its own",
        seen=(
            Seen("pydantic-ai", "2.68.0", "openai"),
            Seen("pydantic-ai", "2.68.0", "anthropic"),
            Seen("pydantic-ai", "0.4.0", "gcp.gemini"),
        ),
        cache=(
            _READ,
            _WRITE,
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.ephemeral_1h_input_tokens",
        ),
        gaps=(
            Gap(
                Finding.WRAPPER_REPEATS,
                "1.0 writes the sum of a run under the keys of a call, and later releases do if"
                " they are told to.",
                "InstrumentationSettings(use_aggregated_usage_attribute_names=True), the default"
                " of 2",
                _DOCS,
            ),
            Gap(
                Finding.NO_AGENT,
                "An agent without a name takes that of the variable, if there is one.",
                'Agent(..., name="...")',
                "https://ai.pydantic.dev/agents/",
            ),
        ),
        evidence=(
            "golden/pydantic_ai/chat.json",
            "golden/pydantic_ai/anthropic_details_of_1_0.json",
            "golden/pydantic_ai/google_thoughts_of_0_4.json",
            "golden/pydantic_ai/agent_with_aggregated_usage.json",
            "integration/test_pydantic_ai_library.py",
        ),
    ),
    Library(
        name="Logfire for the Claude Agent SDK",
        package="pypi:logfire",
        versions="5.4.0",
        scopes=("logfire.claude_agent_sdk",),
        dialect="pydantic_ai",
        spans="`invoke_agent` alone has the whole usage and is billed; its chats have parts of it",
        seen=(Seen("logfire.claude_agent_sdk", "5.4.0", "anthropic"),),
        cache=(_READ, _WRITE),
        evidence=(
            "golden/pydantic_ai/logfire_claude_agent.json",
            "golden/pydantic_ai/logfire_claude_partial.json",
        ),
    ),
    Library(
        name="Logfire",
        package="pypi:logfire",
        versions="4.10.0 to 5.4.0",
        scopes=("logfire*",),
        dialect="pydantic_ai",
        spans="spans of `logfire.instrument_openai()` and `instrument_anthropic()` are billed",
        seen=(
            Seen("logfire.openai", "5.4.0", "openai"),
            Seen("logfire.anthropic", "5.4.0", "anthropic"),
        ),
        cache=(
            _READ,
            _WRITE,
            "gen_ai.usage.raw#/cache_creation/ephemeral_1h_input_tokens",
            "gen_ai.usage.raw#/prompt_tokens_details/cached_tokens",
        ),
        gaps=(OPENAI_STREAMS, ANTHROPIC_SDK_SPANS),
        evidence=(
            "golden/pydantic_ai/logfire_anthropic.json",
            "golden/pydantic_ai/logfire_pending.json",
            "integration/test_real_libraries.py::logfire",
            "integration/test_real_libraries.py::logfire-own-exporter",
        ),
    ),
)
