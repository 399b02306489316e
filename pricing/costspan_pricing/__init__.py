"""Pricing of model usage: exact, dated, explained. Imports nothing of costspan."""

from costspan_pricing.book import PriceBook, load_book
from costspan_pricing.identity import canonical_provider
from costspan_pricing.money import format_usd, parse_usd
from costspan_pricing.pricer import Pricer
from costspan_pricing.quote import Context, Quote, QuoteLine, Reason
from costspan_pricing.usage import InvalidUsage, Unit, Usage

__all__ = [
    "Context",
    "InvalidUsage",
    "PriceBook",
    "Pricer",
    "Quote",
    "QuoteLine",
    "Reason",
    "Unit",
    "Usage",
    "canonical_provider",
    "format_usd",
    "load_book",
    "parse_usd",
]
