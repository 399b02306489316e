"""Pydantic AI and Logfire: details of usage, agent runs that repeat it, usage that is copied raw.

From pydantic-ai-slim 0.4.0, 1.0.0 and 2.68.0 (`usage.py`, `models/*`, `capabilities/*`), and from
logfire 4.10.0 and 5.4.0 (`integrations/*`). Every model is mapped to counts that contain the
cached tokens. Not read: `gen_ai.aggregated_usage.*` (agent runs), `gen_ai.usage.partial.*` (chats
of Logfire's Claude Agent SDK, whose root alone is right), `pydantic_ai.decision.usage.*` and
`logfire.metrics`.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import BESIDE, INCLUSIVE, Arguments, Dialect, Emitter, Named
from costspan.model import AGGREGATE, LEAF

_DETAILS = "gen_ai.usage.details."
_RAW = "gen_ai.usage.raw#/"  # Logfire: the answer's usage as JSON, in the words of the API

# Logfire's OpenAI Agents, 5.2: what the agents make of chat completions stands there alone.
_AGENTS = "usage#/"

_COUNTS = {
    table.CACHE_READ: (
        f"{_DETAILS}cache_read_tokens",  # beside the plain key
        f"{_DETAILS}cache_read_input_tokens",  # Anthropic before 1.1: no plain key
        f"{_DETAILS}cached_content_tokens",  # Google
        f"{_RAW}cache_read_input_tokens",
        f"{_RAW}prompt_tokens_details/cached_tokens",
        f"{_RAW}input_tokens_details/cached_tokens",
        f"{_AGENTS}input_tokens_details/cached_tokens",
    ),
    table.CACHE_WRITE: (
        f"{_DETAILS}cache_write_tokens",
        f"{_DETAILS}cache_creation_input_tokens",
        f"{_RAW}cache_creation_input_tokens",
        f"{_RAW}prompt_tokens_details/cache_write_tokens",
        f"{_RAW}input_tokens_details/cache_write_tokens",
    ),
    # Each a part of the count above, so the rest was written for 5 minutes.
    table.CACHE_WRITE_1H: (
        f"{_DETAILS}ephemeral_1h_input_tokens",
        f"{_RAW}cache_creation/ephemeral_1h_input_tokens",
    ),
    table.REASONING: (
        f"{_DETAILS}reasoning_tokens",
        f"{_DETAILS}thinking_tokens",  # Anthropic
        f"{_DETAILS}thoughts_tokens",  # Google
        f"{_RAW}completion_tokens_details/reasoning_tokens",
        f"{_RAW}output_tokens_details/reasoning_tokens",
        f"{_RAW}output_tokens_details/thinking_tokens",
        f"{_AGENTS}output_tokens_details/reasoning_tokens",
    ),
    table.AUDIO_INPUT: (
        f"{_DETAILS}input_audio_tokens",
        f"{_RAW}prompt_tokens_details/audio_tokens",
    ),
    table.AUDIO_OUTPUT: (
        f"{_DETAILS}output_audio_tokens",
        f"{_RAW}completion_tokens_details/audio_tokens",
    ),
    table.IMAGE_INPUT: (f"{_DETAILS}image_prompt_tokens",),  # Google's modalities
    table.IMAGE_OUTPUT: (f"{_DETAILS}image_candidates_tokens",),
    table.CACHE_READ_AUDIO: (f"{_DETAILS}cache_audio_read_tokens",),
    table.CACHE_READ_IMAGE: (f"{_DETAILS}image_cache_tokens",),
    # Compaction is added to the totals, an advisor's messages are not: models/anthropic.
    table.STEP_INPUT: (f"{_DETAILS}advisor_input_tokens",),
    table.STEP_OUTPUT: (f"{_DETAILS}advisor_output_tokens",),
}

_TEXTS = {
    table.AGENT: ("agent_name",),  # agent runs; 2.x writes gen_ai.agent.name to every span too
    table.COST: ("operation.cost",),  # genai-prices
    table.SERVED_TIER: (f"{_RAW}service_tier",),
    table.GEO: (f"{_RAW}inference_geo",),
    table.BEGUN: ("logfire.pending_parent_id",),  # of the span that has begun
}

_SIGNS = frozenset({"gen_ai.usage.raw", "operation.cost", f"{_DETAILS}cache_read_tokens"})

_GOOGLE = ("gcp.vertex_ai", "gcp.gemini")

_EMITTERS = (
    # models/google.py of 0.x: candidates_token_count alone, thoughts among the details
    Emitter("pydantic-ai", INCLUSIVE, r"0\..*", providers=_GOOGLE, reasoning=BESIDE),
    Emitter("pydantic-ai", INCLUSIVE),
    Emitter("logfire.*", INCLUSIVE),
)

# Runs of 0.x and 1.0 state no operation, and the usage of the run under the keys of a call. A
# rejected attempt (2.x) states none either, and was billed: _model_request_attempts.py.
_NAMES = (
    Named("pydantic-ai", "agent run", "invoke_agent", AGGREGATE),
    Named("pydantic-ai", "invoke_agent ", "invoke_agent", AGGREGATE),
    Named("pydantic-ai", "model request attempt ", "chat", LEAF),
    Named("pydantic-ai", "running tool", "execute_tool", AGGREGATE),
    Named("logfire.openai_agents", "Chat completion with ", "chat", LEAF),
)

# Parts of the totals, or the API's own words for them.
_FAMILIAR = tuple(
    _DETAILS + name
    for name in (
        "accepted_prediction_tokens",
        "advisor_iterations",
        "audio_",
        "compaction_",
        "document_",
        "input_tokens",
        "message_iterations",
        "output_tokens",
        "rejected_prediction_tokens",
        "text_",
        "tool_use_prompt_tokens",
        "video_",
    )
)

PYDANTIC_AI = Dialect(
    "pydantic_ai",
    _COUNTS,
    _TEXTS,
    _SIGNS,
    _EMITTERS,
    names=_NAMES,
    arguments=(Arguments("tool_arguments"),),  # to format 2; since 3 GenAI's key
    markers=(b"pending_parent_id",),
    familiar=_FAMILIAR,
)
