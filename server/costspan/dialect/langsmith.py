"""LangSmith's OpenTelemetry export: kinds of runs, and usage inside of what the runs returned.

From langsmith 0.4.0 and 0.15.0 (`_internal/otel/_otel_exporter.py`), run with langchain-core 1.7.
Every run whose outputs hold a message with usage repeats its counts: chains above a model and
functions behind it. So the kind of the run says what is a call, before the operation that is made
of it (`retriever` becomes `embeddings`, `prompt` becomes `chat`), and the id of the message says
which runs tell of the same one. The provider is guessed from the model's name, unless the metadata
knows it. A "session" of LangSmith is a project.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import INCLUSIVE, Arguments, Dialect, Emitter
from costspan.model import AGGREGATE

_ANSWER = "gen_ai.completion#/"  # the outputs of the run in JSON
_MESSAGE = f"{_ANSWER}generations/0/0/message/kwargs/"  # a model of LangChain
_PASSED_ON = (f"{_ANSWER}output/", f"{_ANSWER}output/kwargs/")  # a chain or function behind it
_MESSAGES = (_MESSAGE, *_PASSED_ON)

# LangChain's usage_metadata, wherever it stands.
_METADATA = "langsmith.metadata.usage_metadata#/"  # the model's own run, langchain-core 1.7
_USAGE = (_METADATA, f"{_ANSWER}usage_metadata/", *(f"{at}usage_metadata/" for at in _MESSAGES))
# A dict as Python shows it; only where the run itself returned it (wrap_openai and the like).
_INPUTS = ("gen_ai.usage.input_token_details#/", *(f"{at}input_token_details/" for at in _USAGE))
_OUTPUTS = ("gen_ai.usage.output_token_details#/", *(f"{at}output_token_details/" for at in _USAGE))
_TIERS = ("", "priority_", "flex_")  # langchain-openai 1.7.4 prefixes the details by the tier


def _in(places: tuple[str, ...], *names: str) -> tuple[str, ...]:
    return tuple(place + name for name in names for place in places)


_COUNTS = {
    table.CACHE_READ: _in(_INPUTS, *(f"{tier}cache_read" for tier in _TIERS)),
    table.CACHE_WRITE: _in(_INPUTS, "cache_creation"),
    # langchain-anthropic zeroes the sum when it has these
    table.CACHE_WRITE_5M: _in(_INPUTS, "ephemeral_5m_input_tokens"),
    table.CACHE_WRITE_1H: _in(_INPUTS, "ephemeral_1h_input_tokens"),
    table.REASONING: _in(_OUTPUTS, *(f"{tier}reasoning" for tier in _TIERS)),
    table.AUDIO_INPUT: _in(_INPUTS, "audio"),
    table.AUDIO_OUTPUT: _in(_OUTPUTS, "audio"),
}

_TEXTS = {
    table.OPERATION: ("langsmith.span.kind",),
    table.PROVIDER: ("langsmith.metadata.ls_provider",),
    table.RESPONSE_MODEL: _in(_MESSAGES, "response_metadata/model_name", "response_metadata/model"),
    # The provider's, else LangChain's own for this message.
    table.RESPONSE_ID: _in(_MESSAGES, "response_metadata/id", "id"),
    table.SERVED_TIER: _in(_MESSAGES, "response_metadata/service_tier"),
    table.AGENT: ("langsmith.metadata.lc_agent_name", "langsmith.metadata.agent_name"),
    table.USER: ("langsmith.metadata.user_id",),
    table.SESSION: ("langsmith.metadata.session_id",),
    table.CONVERSATION: ("langsmith.metadata.thread_id", "langsmith.metadata.conversation_id"),
}

_SIGNS = frozenset({"langsmith.span.kind", "langsmith.trace.name"})

_EMITTERS = (Emitter("langsmith", INCLUSIVE),)

# The other kinds (llm, embedding, chain, tool, retriever, prompt) have names that all share.
_OPERATIONS = {"parser": ("chain", AGGREGATE)}

LANGSMITH = Dialect(
    *("langsmith", _COUNTS, _TEXTS, _SIGNS, _EMITTERS, _OPERATIONS),
    arguments=(Arguments("gen_ai.prompt", where=("langsmith.span.kind", "tool")),),
)
