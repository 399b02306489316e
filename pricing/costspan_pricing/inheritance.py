"""Which bucket takes another's rate where the book lists none, by provider. Data with sources."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from costspan_pricing.usage import CACHE_WRITES, Unit

# Only where the provider bills it so. Everything else without a rate is unpriced.
_PROMPT_MEDIA = {Unit.AUDIO_INPUT: Unit.INPUT, Unit.IMAGE_INPUT: Unit.INPUT}
# Caching is automatic there: a miss is plain input. A longer lifetime is bought, and has a price.
_WRITES_ARE_INPUT = {Unit.CACHE_WRITE_5M: Unit.INPUT}
_INHERITS: Mapping[str, Mapping[Unit, Unit]] = {
    # Images are prompt tokens: platform.claude.com/docs/en/build-with-claude/vision
    "anthropic": {Unit.IMAGE_INPUT: Unit.INPUT},
    # A miss is plain input; chat models take images as prompt tokens:
    # developers.openai.com/api/docs/guides/prompt-caching, .../pricing
    "openai": {**_WRITES_ARE_INPUT, Unit.IMAGE_INPUT: Unit.INPUT},
    "azure": {**_WRITES_ARE_INPUT, Unit.IMAGE_INPUT: Unit.INPUT},
    # One input price for text, image and audio unless listed apart; an explicit cache is created
    # at the input price: ai.google.dev/gemini-api/docs/pricing and /caching
    "google": {
        **dict.fromkeys(CACHE_WRITES, Unit.INPUT),
        **_PROMPT_MEDIA,
        Unit.CACHE_READ_AUDIO: Unit.CACHE_READ,
    },
    # api-docs.deepseek.com/guides/kv_cache,
    # docs.x.ai/docs/models, console.groq.com/docs/prompt-caching
    "deepseek": _WRITES_ARE_INPUT,
    "x-ai": {**_WRITES_ARE_INPUT, Unit.IMAGE_INPUT: Unit.INPUT},
    "groq": _WRITES_ARE_INPUT,
}
_NOTHING: Mapping[Unit, Unit] = MappingProxyType({})


def inherits(provider: str) -> Mapping[Unit, Unit]:
    """Bucket -> the bucket whose rate it takes if it has none. `provider`: the book's id."""
    return _INHERITS.get(provider, _NOTHING)
