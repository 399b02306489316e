"""LiteLLM, SDK and proxy: what version 1 leaves in its metadata, its costs and its call types.

From litellm 1.60.0 and 1.109.1: version 1 is `integrations/opentelemetry.py`, version 2, which is
opted into, `integrations/otel/`. Whole responses from its cache are evidence in `cache.py`. Its
counts contain the cached tokens for every provider. Version 1 writes onto the application's own
span where there is one, and the next call overwrites it; its child `raw_gen_ai_request` has none
of the keys below.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import INCLUSIVE, Dialect, Emitter
from costspan.model import AGGREGATE, LEAF

# Version 1 turns the usage into text as Python shows it, and has no other key for its parts unless
# the newest conventions are opted into. Streams are told of here too.
_USAGE = "metadata.usage_object#/"
_PROMPT = f"{_USAGE}prompt_tokens_details/"
_COMPLETION = f"{_USAGE}completion_tokens_details/"

_COUNTS = {
    table.CACHE_READ: (
        f"{_PROMPT}cached_tokens",
        f"{_USAGE}cache_read_input_tokens",
        f"{_USAGE}prompt_cache_hit_tokens",  # DeepSeek
    ),
    table.CACHE_WRITE: (
        f"{_USAGE}cache_creation_input_tokens",
        f"{_PROMPT}cache_write_tokens",
        f"{_PROMPT}cache_creation_tokens",
    ),
    table.CACHE_WRITE_5M: (f"{_PROMPT}cache_creation_token_details/ephemeral_5m_input_tokens",),
    table.CACHE_WRITE_1H: (f"{_PROMPT}cache_creation_token_details/ephemeral_1h_input_tokens",),
    table.REASONING: (f"{_COMPLETION}reasoning_tokens",),
    table.AUDIO_INPUT: (f"{_PROMPT}audio_tokens",),
    table.AUDIO_OUTPUT: (f"{_COMPLETION}audio_tokens",),
    table.IMAGE_INPUT: (f"{_PROMPT}image_tokens",),
    table.IMAGE_OUTPUT: (f"{_COMPLETION}image_tokens",),
}

_TEXTS = {
    table.RESPONSE_MODEL: ("litellm.provider.model",),  # the deployment behind an alias
    # Who called, before the request's own `user`, before whose key it was.
    table.USER: (
        "litellm.end_user.id",
        "litellm.metadata.user_api_key_end_user_id",
        "metadata.user_api_key_end_user_id",
        "llm.user",
        "litellm.metadata.user_api_key_user_id",  # version 1 has it among the NAMES
    ),
    table.SERVED_TIER: ("gen_ai.cost.service_tier",),
    table.GEO: ("gen_ai.cost.data_residency",),  # Anthropic's inference_geo
    table.LOCATION: ("gen_ai.cost.vertex_location",),
    table.COST: ("gen_ai.cost.total_cost", "litellm.cost.total"),  # versions 1 and 2
}

_SIGNS = frozenset(
    {"hidden_params", "litellm.cache_hit", "litellm.provider.model", "metadata.usage_object"}
)

_EMITTERS = (Emitter("litellm", INCLUSIVE),)

# `llm.request.type` of version 1 is the name of the function that was called, and with messages so
# is `gen_ai.operation.name` (types/utils.py: CallTypes). The names without an "a" are shared ones.
_CALLS = {
    "acompletion": "chat",
    "completion_with_retries": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "aanthropic_messages": "chat",
    "_arealtime": "chat",
    "_aresponses_websocket": "chat",
    "agenerate_content": "generate_content",
    "agenerate_content_stream": "generate_content",
    "generate_content_stream": "generate_content",
    "atext_completion": "text_completion",
    "aembedding": "embeddings",
    "aimage_generation": "image_generation",
    "image_edit": "image_generation",
    "aimage_edit": "image_generation",
    "atranscription": "transcription",
    "aspeech": "speech",
    "arerank": "rerank",
}
_OTHERS = {
    "get_responses": "fetch_response",
    "aget_responses": "fetch_response",
    "litellm.responses_management": "fetch_response",
    "call_mcp_tool": "execute_tool",
    "vector_store_search": "retrieval",
    "avector_store_search": "retrieval",
    "litellm.vector_store_management": "retrieval",
    "litellm.vector_store_file_management": "retrieval",
    "send_message": "invoke_agent",  # to an agent elsewhere (A2A)
    "asend_message": "invoke_agent",
    "asend_message_streaming": "invoke_agent",
}
_OPERATIONS = {
    **{name: (canonical, LEAF) for name, canonical in _CALLS.items()},
    **{name: (canonical, AGGREGATE) for name, canonical in _OTHERS.items()},
}

# OTEL_TRACER_NAME renames the scope, and spans that it overwrites have their maker's.
LITELLM = Dialect("litellm", _COUNTS, _TEXTS, _SIGNS, _EMITTERS, _OPERATIONS, home="litellm")
