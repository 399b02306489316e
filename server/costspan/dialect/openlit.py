"""OpenLIT: how its packages count, and the names of its operations. Its keys are GenAI's.

From openlit 1.33.0 and 1.45.0 (`semcov`, `__helpers.py`, `instrumentation/*`). Two things no table
can mend: where an API states no usage, OpenLIT takes half the letters of the text for tokens
(`general_tokens`) and writes them under the same keys; its Vertex AI package leaves thoughts out.
`gen_ai.client.token.usage` is a metric's name that it gives to the sum of input and output as well:
a total that proves nothing, so it is not read.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import BESIDE, EXCLUSIVE, INCLUSIVE, Dialect, Emitter
from costspan.model import AGGREGATE, LEAF

_COUNTS = {
    # 1.33; 1.45 keeps the names beside the ones of semantic-conventions 1.40
    table.CACHE_READ: (
        "gen_ai.usage.prompt_tokens_details.cached_tokens",
        "gen_ai.usage.prompt_tokens_details.cache_read",
    ),
    table.CACHE_WRITE: (
        "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
        "gen_ai.usage.prompt_tokens_details.cache_write",
    ),
    table.REASONING: (
        "gen_ai.usage.completion_tokens_details.reasoning_tokens",  # its Google ADK, 1.45
        "gen_ai.usage.completion_tokens_details.reasoning",
    ),
    table.AUDIO_OUTPUT: (
        "gen_ai.usage.completion_tokens_details.audio_tokens",
        "gen_ai.usage.completion_tokens_details.audio",
    ),
}

_TEXTS = {
    table.COST: ("gen_ai.usage.cost",),  # its own price list; 0 = a model that it does not know
    table.USER: ("gen_ai.request.user",),
}

_SIGNS = frozenset({"gen_ai.environment"})

_ONE_SCOPE = "openlit.otel.tracing"  # before each package took its module's name
_RAW = ("anthropic", "aws.bedrock")
_GOOGLE = ("gcp.vertex_ai", "gcp.gemini")

_EMITTERS = (
    # utils.py of each: input_tokens as the API counts them, priced with cached tokens on top
    Emitter("openlit.instrumentation.anthropic", EXCLUSIVE),
    Emitter("openlit.instrumentation.bedrock", EXCLUSIVE),
    # candidates_token_count and thoughts_token_count, each under its own key
    Emitter("openlit.instrumentation.google_ai_studio", INCLUSIVE, reasoning=BESIDE),
    # The others pass on what is inclusive already (LangChain, LiteLLM, OpenAI) or add up
    # themselves (claude_agent_sdk), whoever the provider is.
    Emitter("openlit.instrumentation.*", INCLUSIVE),
    Emitter(_ONE_SCOPE, EXCLUSIVE, providers=_RAW),
    Emitter(_ONE_SCOPE, INCLUSIVE, providers=_GOOGLE, reasoning=BESIDE),
    Emitter("openlit*", INCLUSIVE),
)

# LangGraph's invoke_workflow repeats its last message, a crew's sums its tasks, smolagents' agents
# and steps both repeat the model's calls: those have names that everybody shares.
_OPERATIONS = {
    "execute_task": ("task", AGGREGATE),  # Pydantic AI
    "user_prompt_processing": ("agent_step", AGGREGATE),
    "model_request": ("agent_step", AGGREGATE),  # around the chat span
    "tool_coordination": ("agent_step", AGGREGATE),
    "browser_run": ("invoke_agent", AGGREGATE),  # browser_use: totals of its history
    "browser_step": ("agent_step", AGGREGATE),
    "text_to_speech": ("speech", LEAF),
    "speech_to_text": ("transcription", LEAF),
    "speech_to_text_translate": ("transcription", LEAF),
}

# Of its three dozen families of keys those that stand on spans of calls and of frameworks.
_FAMILIAR = (
    "gen_ai.application_name",
    "gen_ai.browser.",
    "gen_ai.component.",
    "gen_ai.crewai.",
    "gen_ai.execution",
    "gen_ai.framework.",
    "gen_ai.graph.",
    "gen_ai.hub.",
    "gen_ai.reasoning",
    "gen_ai.sdk.version",
    "gen_ai.serialized.",  # and LangSmith's
    "gen_ai.smolagents.",
    "gen_ai.streaming.",
    "gen_ai.task.",
)

OPENLIT = Dialect("openlit", _COUNTS, _TEXTS, _SIGNS, _EMITTERS, _OPERATIONS, familiar=_FAMILIAR)
