"""Coding agents on the command line: Claude Code, Codex, Gemini CLI, Copilot, opencode. Spans only.

By default the first three tell of their usage in logs and metrics, which are forwarded and never
priced. From spans of Claude Code 2.1.266 and Codex 0.137 as others recorded them, and from
@google/gemini-cli-core 0.61.0 (`telemetry/*`, `core/loggingContentGenerator.js`), whose output
leaves thoughts out and whose counts are 0 where the API stated none. Copilot and opencode write
GenAI's keys.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import EXCLUSIVE, INCLUSIVE, Dialect, Emitter, Named
from costspan.model import AGGREGATE, LEAF

# Claude Code. Words that others use as well, so the last to be asked.
_CLAUDE = "com.anthropic.claude_code"

_CLAUDE_CODE = Dialect(
    "claude_code",
    {
        table.INPUT: ("input_tokens",),
        table.OUTPUT: ("output_tokens",),
        table.CACHE_READ: ("cache_read_tokens",),
        table.CACHE_WRITE: ("cache_creation_tokens",),
    },
    {
        table.OPERATION: ("span.type",),
        table.AGENT_ID: ("agent_id",),
        table.TOOL: ("tool_name",),
    },
    frozenset({"cache_creation_tokens"}),
    # 2 of input beside 84562 read and 7096 written
    (Emitter(f"{_CLAUDE}*", EXCLUSIVE),),
    {
        "llm_request": ("chat", LEAF),
        "interaction": ("invoke_agent", AGGREGATE),
        "tool.execution": ("execute_tool", AGGREGATE),
        "tool.blocked_on_user": ("human_input", AGGREGATE),
        "hook": ("hook", AGGREGATE),
    },
    home=_CLAUDE,
)

# Codex: each event of an answer is a span with the event's name, `completed`, where `otel.name` is
# read, else `handle_responses`. The last has the answer's counts, and no model: that stands on the
# turn around them, beside their sum (codex-rs 0.137, core/src/session/turn.rs, core/src/tasks,
# otel/src/events/session_telemetry.rs). What is not cached contains what is written. Spans of the
# turn have no other needle; it is long, so it is found fast.
_TURN = "codex.turn.token_usage."

_CODEX = Dialect(
    "codex",
    {
        table.INPUT: (f"{_TURN}input_tokens",),
        table.OUTPUT: (f"{_TURN}output_tokens",),
        table.TOTAL: ("codex.usage.total_tokens", f"{_TURN}total_tokens"),
        table.CACHE_READ: (f"{_TURN}cached_input_tokens",),
        table.CACHE_WRITE: (f"{_TURN}cache_write_input_tokens",),
        table.REASONING: (
            "codex.usage.reasoning_output_tokens",
            f"{_TURN}reasoning_output_tokens",
        ),
    },
    {table.REQUEST_MODEL: ("model",)},
    frozenset({"codex.usage.total_tokens"}),
    (Emitter("codex*", INCLUSIVE),),  # codex_cli_rs, codex_exec, codex-app-server
    names=(
        Named("codex*", "session_task.", "invoke_agent", AGGREGATE),
        Named("codex*", "completed", "chat", LEAF),
        Named("codex*", "handle_responses", "chat", LEAF),
    ),
    markers=(_TURN.encode(),),
)

# Gemini CLI; a call of a model has its name for it, `llm_call`, among those that all share.
_GEMINI_CLI = Dialect(
    "gemini_cli",
    {},
    {},
    frozenset(),
    (Emitter("gemini-cli", INCLUSIVE),),
    {
        "tool_call": ("execute_tool", AGGREGATE),
        "schedule_tool_calls": ("execute_tool", AGGREGATE),
        "agent_call": ("invoke_agent", AGGREGATE),
        "user_prompt": ("invoke_agent", AGGREGATE),
        "system_prompt": ("prompt", AGGREGATE),
    },
)

# `github.copilot.cost` counts premium requests, no dollars.
_COPILOT = Dialect("copilot", {}, {}, frozenset(), (Emitter("github.copilot", INCLUSIVE),))

_OPENCODE = Dialect(
    "opencode", {}, {}, frozenset({"opencode.llm.cost.total"}), (Emitter("opencode*", INCLUSIVE),)
)

CODING_AGENTS = (_GEMINI_CLI, _COPILOT, _OPENCODE, _CODEX, _CLAUDE_CODE)
