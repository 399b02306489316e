"""What a result of LangChain for JavaScript says, where its spans do not. No attribute is named.

@arizeai/openinference-instrumentation-langchain 4.1.1 has no key for tokens written to a cache
(utils.js, `formatTokenCounts`) and none for an id; it passes LangChain's result on as JSON, in
which what a model said is a text and can't be taken for a count.
"""

from __future__ import annotations

import msgspec

from costspan.dialect import table

BEGINNING = '{"generations":[['  # Python's has a space there, and its spans have the keys
_LONGEST = 256 * 1024  # characters; decoding a longer one would hold up the line
_IDS = ("msg_", "chatcmpl-", "resp_")  # the providers' own; LangChain makes others up


class _Details(msgspec.Struct, frozen=True):
    cache_creation: int = 0


class _Counts(msgspec.Struct, frozen=True):
    input_token_details: _Details | None = None


class _Writes(msgspec.Struct, frozen=True):
    ephemeral_1h_input_tokens: int = 0


class _Raw(msgspec.Struct, frozen=True):
    """Anthropic's own usage."""

    cache_creation: _Writes | None = None


class _Metadata(msgspec.Struct, frozen=True):
    usage: _Raw | None = None


class _Message(msgspec.Struct, frozen=True):
    id: str = ""
    usage_metadata: _Counts | None = None
    response_metadata: _Metadata | None = None


class _Serialised(msgspec.Struct, frozen=True):
    kwargs: _Message


class _Generation(msgspec.Struct, frozen=True):
    message: _Serialised


class _Result(msgspec.Struct, frozen=True):
    generations: list[list[_Generation]]


_decode = msgspec.json.Decoder(_Result).decode


def read(body: str) -> dict[str, str]:
    """By meaning, as text; nothing if the result is cut, or of another shape."""
    if len(body) > _LONGEST:
        return {}
    try:
        first = _decode(body).generations[0][0].message.kwargs
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError, IndexError):
        return {}
    said = {table.RESPONSE_ID: first.id} if first.id.startswith(_IDS) else {}
    counts = {table.CACHE_WRITE: _written(first), table.CACHE_WRITE_1H: _hour(first)}
    return said | {meaning: str(tokens) for meaning, tokens in counts.items() if tokens > 0}


def _written(message: _Message) -> int:
    counts = message.usage_metadata
    return counts.input_token_details.cache_creation if counts and counts.input_token_details else 0


def _hour(message: _Message) -> int:
    usage = message.response_metadata and message.response_metadata.usage
    return usage.cache_creation.ephemeral_1h_input_tokens if usage and usage.cache_creation else 0
