"""Counts in an answer as Python shows it, where OpenInference has kept nothing else of them.

Haystack (openinference 0.1.46) and smolagents (0.1.43) state the prompt and the answer, and pass
the rest on in `output.value` as the text of Python objects. Such a text is no data: only numbers
after a name of the API are taken, from the very place behind which a model can't write.
"""

from __future__ import annotations

import re

from costspan.dialect import table

_HAYSTACK = '{"replies": ["'
_SMOLAGENTS = '{"role": "assistant"'
BEGINNINGS = (_HAYSTACK, _SMOLAGENTS)

# ChatMessage(_role=..., _content=[...], _meta={... 'usage': {...}}): what the model said comes
# before. A generator without chat has its answers first, then JSON whose quotes no answer has.
_METAS = ("_meta={", '"meta": [{')
# "raw": "ChatCompletion(... usage=CompletionUsage(...))", "token_usage": {...}}; LiteLLM's: Usage
_RAW = re.compile(
    r'usage=(?:CompletionUsage|Usage)\(((?:(?!usage=)[^"])*)", "token_usage": \{[^{}]*\}\}$'
)
_LONGEST_TAIL = 4096  # characters; usage is at the end

_NAMES = {
    "cached_tokens": table.CACHE_READ,
    "cache_read_input_tokens": table.CACHE_READ,
    "cacheReadInputTokens": table.CACHE_READ,
    "cache_write_tokens": table.CACHE_WRITE,
    "cache_creation_input_tokens": table.CACHE_WRITE,
    "cache_write_input_tokens": table.CACHE_WRITE,
    "cacheWriteInputTokens": table.CACHE_WRITE,
    "ephemeral_1h_input_tokens": table.CACHE_WRITE_1H,
    "reasoning_tokens": table.REASONING,
}
_COUNT = re.compile(r"\b(" + "|".join(_NAMES) + r""")["']?(?:=|: )(\d{1,12})\b""", re.ASCII)

_PROMPT = re.compile(r"'prompt_tokens': (\d{1,12})\b", re.ASCII)
_BEDROCK = "'cache_details'"  # amazon-bedrock-haystack 9.0: the prompt is Bedrock's raw inputTokens


def read(body: str) -> dict[str, str]:
    """Counts by meaning, as digits; the larger of two names of one. Nothing if it says none."""
    counts: dict[str, int] = {}
    usage = _usage(body)
    for name, digits in _COUNT.findall(usage):
        meaning = _NAMES[name]
        counts[meaning] = max(counts.get(meaning, 0), int(digits))
    prompt = _PROMPT.search(usage) if _BEDROCK in usage else None
    if prompt:
        counts[table.RAW_INPUT] = int(prompt[1])
    return {meaning: str(tokens) for meaning, tokens in counts.items()}


def _usage(body: str) -> str:
    """The part of a body that shows the usage, "" if none does."""
    if body.startswith(_SMOLAGENTS):
        found = _RAW.search(body, max(0, len(body) - _LONGEST_TAIL))
        return found[1] if found else ""
    start = max(body.rfind(meta) for meta in _METAS)
    meta = body[start:] if start >= 0 else ""
    return meta[meta.find("usage") :] if "usage" in meta else ""
