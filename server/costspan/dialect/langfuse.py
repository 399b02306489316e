"""Langfuse's SDKs: counts and costs in JSON, in buckets that hold nothing of each other.

From langfuse 3.0.0, 4.0.0 and 5.0.4 (`_client/attributes.py`, `openai.py`, `langchain/`) and the
npm packages @langfuse/* 5.11.1. Handlers of LangChain, and OpenAI's in JavaScript, take the parts
out of `input` and `output` (Langfuse prices every bucket by itself); OpenAI's in Python passes the
API's own usage on, whose details lie inside the totals. No span names a provider.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import INCLUSIVE, Arguments, Dialect, Emitter
from costspan.model import AGGREGATE, LEAF

_USAGE = "langfuse.observation.usage_details#/"
_PROMPT = (f"{_USAGE}prompt_tokens_details/", f"{_USAGE}input_tokens_details/")
_ANSWER = (f"{_USAGE}completion_tokens_details/", f"{_USAGE}output_tokens_details/")
# langchain-openai 1.7.4 prefixes details by the tier, and counts the rest under its bare name.
_TIERS = ("", "priority_", "flex_")


def _buckets(*names: str) -> tuple[str, ...]:
    return tuple(_USAGE + name for name in names)


def _within(places: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(place + name for place in places)


_COUNTS = {
    table.APART_INPUT: _buckets("input_priority", "input_flex", "input"),
    table.APART_OUTPUT: _buckets("output_priority", "output_flex", "output"),
    table.INPUT: _buckets("prompt_tokens", "input_tokens"),
    table.OUTPUT: _buckets("completion_tokens", "output_tokens"),
    table.TOTAL: _buckets("total", "total_tokens"),
    table.CACHE_READ: (
        *_buckets(
            *(f"input_{tier}cache_read" for tier in _TIERS),
            "input_cached_tokens",
            "cache_read_input_tokens",  # Anthropic's word: langchain-anthropic, applications
        ),
        *_within(_PROMPT, "cached_tokens"),
    ),
    table.CACHE_WRITE: (
        *_buckets(
            "input_cache_creation", "input_cache_write_tokens", "cache_creation_input_tokens"
        ),
        *_within(_PROMPT, "cache_write_tokens"),
    ),
    table.CACHE_WRITE_5M: _buckets(
        "input_ephemeral_5m_input_tokens", "cache_creation_ephemeral_5m_input_tokens"
    ),
    table.CACHE_WRITE_1H: _buckets(
        "input_ephemeral_1h_input_tokens", "cache_creation_ephemeral_1h_input_tokens"
    ),
    table.REASONING: (
        *_buckets(*(f"output_{tier}reasoning" for tier in _TIERS), "output_reasoning_tokens"),
        *_within(_ANSWER, "reasoning_tokens"),
    ),
    table.AUDIO_INPUT: (
        *_buckets("input_audio", "input_audio_tokens"),
        *_within(_PROMPT, "audio_tokens"),
    ),
    table.AUDIO_OUTPUT: (
        *_buckets("output_audio", "output_audio_tokens"),
        *_within(_ANSWER, "audio_tokens"),
    ),
}

_TEXTS = {
    table.OPERATION: ("langfuse.observation.type",),
    table.REQUEST_MODEL: ("langfuse.observation.model.name",),  # of the response, once there is one
    table.PARAMETERS: ("langfuse.observation.model.parameters",),  # with the tier that served
    table.COST: ("langfuse.observation.cost_details#/total",),
}

_SIGNS = frozenset(
    {
        "langfuse.observation.type",
        "langfuse.observation.usage_details",
        "langfuse.observation.model.name",
    }
)

_EMITTERS = (Emitter("langfuse-sdk", INCLUSIVE),)

# The other types (agent, tool, chain, retriever, evaluator, guardrail, embedding) are shared names.
_OPERATIONS = {
    "generation": ("chat", LEAF),
    "span": ("span", AGGREGATE),
    "event": ("event", AGGREGATE),
}

LANGFUSE = Dialect(
    *("langfuse", _COUNTS, _TEXTS, _SIGNS, _EMITTERS, _OPERATIONS),
    arguments=(
        Arguments("langfuse.observation.input", where=("langfuse.observation.type", "tool")),
    ),
)
