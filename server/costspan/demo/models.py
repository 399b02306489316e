"""The models of the demo and their public prices, typed by hand. Not the price book: its witness.

Prices are those of the providers' public pages for pay-as-you-go calls in November 2026:
docs.claude.com/en/docs/about-claude/pricing, openai.com/api/pricing, ai.google.dev/pricing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

_MILLION = Decimal(1_000_000)


class Tokens(NamedTuple):
    """The usage of one call in disjoint buckets; `reasoning` lies inside `output`."""

    fresh: int  # input that no cache served
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All input tokens, as the GenAI conventions count them: cached ones included."""
        return self.fresh + self.cache_read + self.cache_write


class Price(NamedTuple):
    """US dollars per million tokens."""

    fresh: Decimal
    output: Decimal = Decimal(0)
    cache_read: Decimal = Decimal(0)
    cache_write: Decimal = Decimal(0)

    def cost(self, tokens: Tokens) -> Decimal:
        """The exact cost of a call in US dollars."""
        return (
            tokens.fresh * self.fresh
            + tokens.output * self.output
            + tokens.cache_read * self.cache_read
            + tokens.cache_write * self.cache_write
        ) / _MILLION

    def savings(self, tokens: Tokens) -> Decimal:
        """What the same call would have cost without a cache, minus what it did cost."""
        return (
            tokens.cache_read * (self.fresh - self.cache_read)
            + tokens.cache_write * (self.fresh - self.cache_write)
        ) / _MILLION


class Model(NamedTuple):
    """A model as applications name it (`request`) and as the provider answers (`response`)."""

    provider: str
    request: str
    response: str
    price: Price | None  # None: nobody knows


def _price(*usd_per_million: str) -> Price:
    return Price(*map(Decimal, usd_per_million))


OPUS = Model("anthropic", "claude-opus-4-8", "claude-opus-4-8", _price("5", "25", "0.5", "6.25"))
SONNET = Model(
    "anthropic", "claude-sonnet-4-6", "claude-sonnet-4-6", _price("3", "15", "0.3", "3.75")
)
HAIKU = Model(
    "anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001", _price("1", "5", "0.1", "1.25")
)
GPT = Model("openai", "gpt-5", "gpt-5-2025-08-07", _price("1.25", "10", "0.125"))
MINI = Model("openai", "gpt-5-mini", "gpt-5-mini-2025-08-07", _price("0.25", "2", "0.025"))
FLASH = Model("gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash", _price("0.3", "2.5", "0.03"))
EMBED = Model("openai", "text-embedding-3-small", "text-embedding-3-small", _price("0.02"))
IN_HOUSE = Model("acme.vllm", "atlas-7b-finance", "atlas-7b-finance", None)

MODELS = (OPUS, SONNET, HAIKU, GPT, MINI, FLASH, EMBED, IN_HOUSE)
