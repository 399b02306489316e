"""What the answer itself says, where an emitter passes it on whole. No attribute is named here.

OpenInference has no keys for the id of a response, for the tier and the speed that served it, and
for how long Anthropic keeps what was written to its cache: they stand in the provider's JSON. So
does Anthropic's own count of the input, which tells how MLflow made another of it.
Only an answer of the providers' own making is read, by its id: a model may be asked for JSON that
looks like one. What Python shows of an answer is read in `shown.py`, LangChain's result in
`langchain_result.py`.
"""

from __future__ import annotations

import msgspec

from costspan.dialect import langchain_result, shown, table
from costspan.dialect.values import MOST_TEXT, response_id

_LONGEST = 256 * 1024  # characters; decoding a longer one would hold up the line
_PRICED = ('"service_tier"', '"ephemeral_1h_input_tokens"', '"cache_read_input_tokens"')
_ANTHROPIC = "msg_"


class _Writes(msgspec.Struct, frozen=True):
    """`usage.cache_creation` of Anthropic."""

    ephemeral_1h_input_tokens: int = 0


class _Usage(msgspec.Struct, frozen=True):
    """The part of Anthropic's usage that no attribute has."""

    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    input_tokens: int | None = None
    cache_creation: _Writes | None = None


class _Body(msgspec.Struct, frozen=True):
    """A response of OpenAI (tier at the top) or of Anthropic (tier in the usage)."""

    service_tier: str | None = None
    usage: _Usage | None = None


COUNTS = (table.RAW_INPUT, table.CACHE_READ, table.CACHE_WRITE, table.REASONING)
"""Those of the meanings that `read` may state which are counts; how long a write stays is another
matter, since it is a part of one."""

_decode = msgspec.json.Decoder(_Body).decode


def read(body: str) -> dict[str, str]:
    """What an answer says, by meaning; nothing if it is cut, hidden, or not a provider's own."""
    known = response_id(body)
    if not known:
        return _passed_on(body)
    said = {table.RESPONSE_ID: known}
    if len(body) > _LONGEST or not any(name in body for name in _PRICED):
        return said
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return said
    usage = answer.usage or _Usage()
    stated = {
        table.SERVED_TIER: answer.service_tier or usage.service_tier,
        table.SPEED: usage.speed,
        table.GEO: usage.inference_geo,
    }
    if usage.input_tokens is not None and usage.input_tokens >= 0 and known.startswith(_ANTHROPIC):
        said[table.RAW_INPUT] = str(usage.input_tokens)
    said |= {meaning: text[:MOST_TEXT] for meaning, text in stated.items() if text}
    if usage.cache_creation and usage.cache_creation.ephemeral_1h_input_tokens > 0:
        said[table.CACHE_WRITE_1H] = str(usage.cache_creation.ephemeral_1h_input_tokens)
    return said


def _passed_on(body: str) -> dict[str, str]:
    """What a framework has made of an answer."""
    if body.startswith(langchain_result.BEGINNING):
        return langchain_result.read(body)
    return shown.read(body) if body.startswith(shown.BEGINNINGS) else {}
