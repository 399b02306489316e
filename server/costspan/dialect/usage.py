"""Counts of a span to disjoint buckets. No keys, no prices.

Input that contains cached tokens loses them, output that leaves reasoning out gains it. Zero in
every count, or no count at all, is unknown usage: legacy streams write 0/0 (openai_v2 2.4b0) and
no model call is free of tokens. A contradiction is a ValueError, never a clamped number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costspan.dialect.convention import counting
from costspan.dialect.layout import Meanings
from costspan.dialect.table import (
    AUDIO_INPUT,
    AUDIO_OUTPUT,
    BESIDE,
    CACHE_READ,
    CACHE_READ_AUDIO,
    CACHE_READ_IMAGE,
    CACHE_WRITE,
    CACHE_WRITE_1H,
    CACHE_WRITE_5M,
    IMAGE_INPUT,
    IMAGE_OUTPUT,
    IN_TOTAL,
    INCLUSIVE,
    INPUT,
    INSIDE,
    OUTPUT,
    REASONING,
    STEP_INPUT,
    STEP_OUTPUT,
    TOTAL,
    Emitter,
)
from costspan.dialect.values import MOST_TOKENS, count
from costspan.model import Value


class Usage(NamedTuple):
    """The buckets that are not zero (None: unknown), and how input was understood."""

    buckets: dict[str, int] | None
    convention: str
    decided_by: str


UNKNOWN = Usage(None, "", "")


def read(found: Meanings, values: Mapping[str, Value]) -> dict[str, int]:
    """The counts that a span states, by meaning. Raises ValueError that names the key."""
    counts: dict[str, int] = {}
    for meaning, keys in found:
        for key in keys:
            value = values[key]
            if type(value) is not int or not 0 <= value <= MOST_TOKENS:
                try:
                    value = count(value)
                except ValueError as error:
                    raise ValueError(f"{key}: {error}") from None
            if value is not None:
                counts[meaning] = value
                break
    return counts


def usage(counts: Mapping[str, int], emitter: Emitter | None) -> Usage:
    """Counts as disjoint buckets. Raises ValueError if they contradict each other."""
    if not any(counts.values()):
        return UNKNOWN
    get = counts.get
    read, written, hour = get(CACHE_READ, 0), get(CACHE_WRITE, 0), 0
    if not _MODALITIES.isdisjoint(counts):
        read = get(CACHE_READ, get(CACHE_READ_AUDIO, 0) + get(CACHE_READ_IMAGE, 0))
    if CACHE_WRITE_1H in counts or CACHE_WRITE_5M in counts:
        written, hour = _lifetimes(written, get(CACHE_WRITE_5M, 0), get(CACHE_WRITE_1H, 0))
    cached = read + written
    convention, step = counting(counts, cached, emitter)
    fresh = get(INPUT, 0) + get(STEP_INPUT, 0)
    output, reasoning = _output(counts, emitter)
    buckets = {
        "input": fresh - cached if convention == INCLUSIVE else fresh,
        "cache_read": read,
        "cache_write_5m": written - hour,
        "cache_write_1h": hour,
        "output": output + get(STEP_OUTPUT, 0),
        "reasoning": reasoning,
    }
    if not _MODALITIES.isdisjoint(counts):
        _split_modalities(buckets, counts)
    stated = {bucket: tokens for bucket, tokens in buckets.items() if tokens}
    return Usage(stated, convention, step) if stated else UNKNOWN


def _lifetimes(total: int, short: int, long: int) -> tuple[int, int]:
    """(all tokens written, those of them for an hour). Without a lifetime, a write is a short one.

    A total of 0 beside parts is no total (langchain-anthropic zeroes it when it has the parts).
    """
    if total and short + long > total:
        raise ValueError(
            f"cache writes of {short} (5 minutes) and {long} (1 hour) exceed their total of {total}"
        )
    return total or short + long, long


def _output(counts: Mapping[str, int], emitter: Emitter | None) -> tuple[int, int]:
    """(all output, the reasoning in it). More reasoning than output proves that it lies beside."""
    output, reasoning = counts.get(OUTPUT, 0), counts.get(REASONING, 0)
    how = emitter.reasoning if emitter else INSIDE
    if how is INSIDE and reasoning <= output:
        return output, reasoning
    if how == IN_TOTAL and OUTPUT in counts:
        hidden = counts.get(TOTAL, 0) - counts.get(INPUT, 0) - output
        if hidden > 0:
            return output + hidden, max(reasoning, hidden)
    if how == BESIDE or reasoning > output:
        return output + reasoning, reasoning
    return output, reasoning


_MODALITIES = frozenset(
    {AUDIO_INPUT, AUDIO_OUTPUT, IMAGE_INPUT, IMAGE_OUTPUT, CACHE_READ_AUDIO, CACHE_READ_IMAGE}
)


def _split_modalities(buckets: dict[str, int], counts: Mapping[str, int]) -> None:
    """Take audio and image tokens out of the text buckets: they are parts of the totals.

    A modality's count contains its cached tokens (semantic-conventions-genai, client inference).
    """
    heard, seen = counts.get(CACHE_READ_AUDIO, 0), counts.get(CACHE_READ_IMAGE, 0)
    audio = _within(counts.get(AUDIO_INPUT, heard) - heard, "cached audio", AUDIO_INPUT)
    image = _within(counts.get(IMAGE_INPUT, seen) - seen, "cached image", IMAGE_INPUT)
    # Without a split by modality the cached tokens may be the audio ones: what input can't hold
    # is already counted as read from the cache, which is the bucket that the provider bills.
    overlap = audio + image - buckets["input"]
    if overlap > 0:
        _within(buckets["cache_read"] - heard - seen - overlap, "audio and image", INPUT)
        from_audio = min(audio, overlap)
        audio, image = audio - from_audio, image - (overlap - from_audio)
    buckets["input"] -= audio + image
    buckets["cache_read"] = _within(buckets["cache_read"] - heard, "cached audio", CACHE_READ)
    spoken, drawn = counts.get(AUDIO_OUTPUT, 0), counts.get(IMAGE_OUTPUT, 0)
    buckets["output"] = _within(buckets["output"] - spoken - drawn, "audio and image", OUTPUT)
    _within(buckets["output"] - buckets["reasoning"], "reasoning, audio and image", OUTPUT)
    buckets |= {
        "audio_input": audio,
        "image_input": image,
        "cache_read_audio": heard,
        "audio_output": spoken,
        "image_output": drawn,
    }


def _within(rest: int, part: str, whole: str) -> int:
    if rest < 0:
        raise ValueError(f"{part} tokens exceed the {whole} tokens that contain them by {-rest}")
    return rest
