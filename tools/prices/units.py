"""The book's units: their names at the source, how many of them a rate is for. No conversion."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from genai_prices.data_units import unit_data

# genai-prices' usage key -> our bucket. Names below the line are kept in the book although the
# pricer has no bucket for them.
UNITS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write_5m",  # the default lifetime wherever there are several
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "output_reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio_input",
    "output_audio_tokens": "audio_output",
    "cache_audio_read_tokens": "cache_read_audio",
    "input_image_tokens": "image_input",
    "output_image_tokens": "image_output",
    "requests": "requests",
    "web_searches": "web_search",
    "input_characters": "characters",
    "audio_seconds": "audio_seconds",
    "input_audio_seconds": "audio_seconds",
    # ---
    "cache_image_read_tokens": "cache_read_image",
    "input_video_tokens": "video_input",
    "output_video_tokens": "video_output",
    "output_citation_tokens": "citation",
    "input_text_messages": "text_messages",
    "input_document_pages": "pages",
    "input_annotated_document_pages": "annotated_pages",
    "storage_searches": "storage_search",
}
# Units that only our corrections have: tokens by the million, search units by the thousand as
# cohere.com/pricing lists them, images one by one.
_OURS = {"cache_write_12h": 1_000_000, "search_unit": 1000, "images": 1}

UNIT_OF_PRICE_KEY: Mapping[str, str] = {
    unit_data[usage_key]["price_key"]: unit for usage_key, unit in UNITS.items()
}
PER: Mapping[str, int] = {
    **{unit: int(unit_data[usage_key]["per"]) for usage_key, unit in UNITS.items()},
    **_OURS,
}
TOKENS = tuple(
    sorted({unit for key, unit in UNITS.items() if "tokens" in key} | {"cache_write_12h"})
)
CACHED = frozenset(unit for unit in PER if unit.startswith("cache_"))


def in_order(rates: Mapping[str, str]) -> dict[str, str]:
    """Rates in the order of the book's units, so that its bytes do not depend on the source's."""
    return {unit: rates[unit] for unit in PER if unit in rates}


def plain(value: Decimal) -> str:
    """No exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
