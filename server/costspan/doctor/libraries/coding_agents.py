"""Coding agents on the command line, and exporters that keep to GenAI's keys."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_READ = "gen_ai.usage.cache_read.input_tokens"
_WRITE = "gen_ai.usage.cache_creation.input_tokens"
_CLAUDE = "com.anthropic.claude_code.tracing"

CODING_AGENTS = (
    Library(
        name="Claude Code",
        package="npm:@anthropic-ai/claude-code",
        versions="2.1.266",
        scopes=("com.anthropic.claude_code*",),
        by_keys=True,
        dialect="claude_code",
        spans="`claude_code.llm_request` is billed; interactions and tools frame it",
        seen=(Seen(_CLAUDE, "2.1.266", "anthropic"),),
        cache=("cache_read_tokens", "cache_creation_tokens"),
        gaps=(
            Gap(
                Finding.ONLY_METRICS,
                "By itself it tells of its usage in metrics and logs, which are not priced.",
                "CLAUDE_CODE_ENABLE_TELEMETRY=1, CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1 and"
                " OTEL_TRACES_EXPORTER=otlp",
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "How long a write stays in the cache is not stated: priced as one of 5 minutes.",
            ),
        ),
        evidence=(
            "golden/coding_agents/claude_code_request.json",
            "golden/coding_agents/claude_code_of_another_scope.json",
        ),
    ),
    Library(
        name="Codex CLI",
        package="npm:@openai/codex",
        versions="0.137.0",
        scopes=("codex*",),
        dialect="codex",
        spans="`completed` ends each answer and names no model: the turn above, which names it and"
        " is their sum, is billed",
        seen=(Seen("codex_cli_rs", "0.137.0", "openai"),),
        cache=(_READ, "gen_ai.usage.cache_write.input_tokens"),
        gaps=(
            Gap(
                Finding.UNPRICED,
                "The span of an answer names no model: without its turn it has no price, and with"
                " it the calls of a turn are counted as one.",
            ),
        ),
        evidence=(
            "golden/coding_agents/codex_answer.json",
            "golden/coding_agents/codex_turn.json",
        ),
    ),
    Library(
        name="Gemini CLI",
        package="npm:@google/gemini-cli",
        versions="0.61.0",
        scopes=("gemini-cli",),
        dialect="gemini_cli",
        spans="`llm_call` is billed; prompts, agents and tools frame it",
        seen=(Seen("gemini-cli", "v1", "gcp.gemini"),),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "The output leaves thoughts out, the input does not say what was cached.",
            ),
            Gap(Finding.NO_USAGE, "Where the API states no usage the span says 0."),
        ),
        evidence=(
            "golden/coding_agents/gemini_cli_call.json",
            "golden/coding_agents/gemini_cli_silent_stream.json",
        ),
    ),
    Library(
        name="GitHub Copilot CLI",
        package="npm:@github/copilot",
        versions="1.0.102",
        scopes=("github.copilot",),
        dialect="copilot",
        spans="`chat` is billed; `invoke_agent` repeats it",
        seen=(Seen("github.copilot", "1.0.102", "openai"),),
        gaps=(Gap(Finding.LIBRARY_OMITS, "Its cost counts premium requests and is not read."),),
        evidence=("golden/coding_agents/copilot_agent.json",),
    ),
    Library(
        name="opencode",
        package="npm:opencode-ai",
        versions="as others recorded it",
        scopes=("opencode*",),
        by_keys=True,
        dialect="opencode",
        spans="`chat` is billed",
        seen=(Seen("opencode", "", "anthropic"),),
        cache=(_READ, "gen_ai.usage.cache_write.input_tokens"),
        evidence=("golden/coding_agents/opencode.json",),
    ),
)

EXPORTERS = (
    Library(
        name="Mastra",
        package="npm:@mastra/otel-exporter",
        versions="0.3.3, 1.4.0",
        scopes=("@mastra/*",),
        dialect="mastra",
        spans="`chat` is billed, one for each call; runs, steps and tools frame it",
        seen=(
            Seen("@mastra/otel", "1.0.0", "anthropic", "claude"),
            Seen("@mastra/otel-exporter", "1.4.0", "openai"),
        ),
        cache=(_READ, _WRITE, "gen_ai.usage.cached_input_tokens"),
        evidence=(
            "golden/exporters/mastra_generation.json",
            "golden/exporters/mastra_anthropic_raw.json",
            "golden/exporters/mastra_hour_long_write.json",
        ),
    ),
    Library(
        name="Sentry",
        package="pypi:sentry-sdk",
        versions="2.75.0",
        scopes=("sentry*",),
        by_keys=True,
        dialect="sentry",
        spans="`gen_ai.operation.type` ai_client is billed; agents carry the sum of theirs",
        seen=(Seen("sentry", "", "openai"),),
        cache=("gen_ai.usage.input_tokens.cached", "gen_ai.usage.input_tokens.cache_write"),
        evidence=("golden/exporters/sentry_client.json", "golden/exporters/sentry_agent.json"),
    ),
    Library(
        name="LangWatch",
        package="pypi:langwatch",
        versions="1.4.0",
        scopes=("langwatch*",),
        by_keys=True,
        dialect="langwatch",
        spans="`langwatch.span.type` llm is billed",
        seen=(Seen("langwatch", "1.4.0", "openai"),),
        cache=(
            "langwatch.metrics#/cache_read_input_tokens",
            "langwatch.metrics#/cache_creation_input_tokens",
        ),
        evidence=("golden/exporters/langwatch_llm.json",),
    ),
)
