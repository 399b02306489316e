"""Counts of a span to disjoint buckets. No keys, no prices.

Input that contains cached tokens loses them, output that leaves reasoning out gains it. Zero in
every count, or no count at all, is unknown usage: legacy streams write 0/0 (openai_v2 2.4b0) and
no model call is free of tokens. A contradiction is a ValueError, never a clamped number.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.dialect.convention import DISJOINT, counting, stated
from costspan.dialect.layout import Meanings
from costspan.dialect.table import (
    APART_INPUT,
    APART_OUTPUT,
    AUDIO_INPUT,
    AUDIO_OUTPUT,
    BESIDE,
    CACHE_READ,
    CACHE_READ_AUDIO,
    CACHE_READ_IMAGE,
    CACHE_WRITE,
    CACHE_WRITE_1H,
    CACHE_WRITE_5M,
    FRESH,
    IMAGE_INPUT,
    IMAGE_OUTPUT,
    IN_TOTAL,
    INCLUSIVE,
    INPUT,
    INSIDE,
    OUTPUT,
    RAW_INPUT,
    REASONING,
    STEP_INPUT,
    STEP_OUTPUT,
    TOTAL,
    TWICE,
    Emitter,
)
from costspan.dialect.values import MOST_TOKENS, count
from costspan.model import Value

Usage = tuple[dict[str, int] | None, str, str]
"""The buckets that are not zero (None: unknown), the convention, and the step that decided it."""

UNKNOWN: Usage = (None, "", "")


def read(found: Meanings, values: Mapping[str, Value]) -> dict[str, int]:
    """The counts that a span states, by meaning. Raises ValueError that names the key."""
    counts: dict[str, int] = {}
    for meaning, keys in found:
        value = values[keys[0]]
        if type(value) is int and 0 <= value <= MOST_TOKENS:  # nearly always
            counts[meaning] = value
            continue
        tokens = _first(keys, values)
        if tokens is not None:
            counts[meaning] = tokens
    if FRESH in counts:
        _add_unstated_write(counts)
    elif APART_INPUT in counts or APART_OUTPUT in counts:
        _join(counts)
    return counts


def _add_unstated_write(counts: dict[str, int]) -> None:
    """What a total holds beside the fresh and the read part (objects of Vercel 7 leave it out)."""
    if INPUT in counts and CACHE_READ in counts and _WRITTEN.isdisjoint(counts):
        rest = counts[INPUT] - counts[FRESH] - counts[CACHE_READ]
        if rest > 0:
            counts[CACHE_WRITE] = rest


def _join(counts: dict[str, int]) -> None:
    """Counts that hold nothing of each other, as those that contain their parts; told ones stay."""
    get = counts.get
    if APART_INPUT in counts and INPUT not in counts:
        counts[FRESH] = counts[APART_INPUT] + get(AUDIO_INPUT, 0) + get(IMAGE_INPUT, 0)
    if APART_OUTPUT in counts and OUTPUT not in counts:
        parts = (APART_OUTPUT, REASONING, AUDIO_OUTPUT, IMAGE_OUTPUT)
        counts[OUTPUT] = sum(get(part, 0) for part in parts)
    counts.pop(APART_INPUT, None)
    counts.pop(APART_OUTPUT, None)


def _first(keys: tuple[str, ...], values: Mapping[str, Value]) -> int | None:
    """The first count among several spellings; nonsense is not passed over."""
    for key in keys:
        try:
            stated = count(values[key])
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        if stated is not None:
            return stated
    return None


def usage(counts: Mapping[str, int], emitter: Emitter | None) -> Usage:
    """Counts as disjoint buckets. Raises ValueError if they contradict each other."""
    if not any(counts.values()):
        return UNKNOWN
    _check_total(counts)
    read = counts.get(CACHE_READ, 0)
    written, hour = _written(counts)
    media = not _MEDIA.isdisjoint(counts)
    if media and CACHE_READ not in counts:
        read = counts.get(CACHE_READ_AUDIO, 0) + counts.get(CACHE_READ_IMAGE, 0)
    told = stated(counts, read + written) if FRESH in counts or RAW_INPUT in counts else None
    convention, step = told or counting(counts, read + written, emitter)
    fresh = counts.get(INPUT, 0) + counts.get(STEP_INPUT, 0)
    if convention == INCLUSIVE:
        fresh -= read + written
    elif convention == DISJOINT:
        fresh = counts[FRESH] + counts.get(STEP_INPUT, 0)
    buckets = _buckets(fresh, read, written - hour, hour, *_output(counts, emitter))
    if media:
        buckets = _with_media(buckets, counts)
    return (buckets, convention, step) if buckets else UNKNOWN


def _check_total(counts: Mapping[str, int]) -> None:
    """A total is the sum of the two, or leaves parts of them out; it is never less than one."""
    total = counts.get(TOTAL)
    if total:
        larger = max(counts.get(INPUT, 0), counts.get(OUTPUT, 0))
        if total < larger:
            raise ValueError(f"a total of {total} tokens is less than the {larger} of one part")


def _buckets(
    fresh: int, read: int, short: int, hour: int, output: int, reasoning: int
) -> dict[str, int]:
    """Those that are not zero. Written out: a loop over six pairs takes twice the time."""
    buckets: dict[str, int] = {}
    if fresh:
        buckets["input"] = fresh
    if read:
        buckets["cache_read"] = read
    if short:
        buckets["cache_write_5m"] = short
    if hour:
        buckets["cache_write_1h"] = hour
    if output:
        buckets["output"] = output
    if reasoning:
        buckets["reasoning"] = reasoning
    return buckets


_WRITTEN = frozenset({CACHE_WRITE, CACHE_WRITE_5M, CACHE_WRITE_1H})


def _written(counts: Mapping[str, int]) -> tuple[int, int]:
    """(all tokens written, those of them for an hour). Without a lifetime, a write is a short one.

    A total of 0 beside parts is no total (langchain-anthropic zeroes it when it has the parts).
    """
    total = counts.get(CACHE_WRITE, 0)
    if CACHE_WRITE_1H not in counts and CACHE_WRITE_5M not in counts:
        return total, 0
    short, hour = counts.get(CACHE_WRITE_5M, 0), counts.get(CACHE_WRITE_1H, 0)
    if total and short + hour > total:
        raise ValueError(
            f"cache writes of {short} (5 minutes) and {hour} (1 hour) exceed their total of {total}"
        )
    return total or short + hour, hour


def _output(counts: Mapping[str, int], emitter: Emitter | None) -> tuple[int, int]:
    """(all output, the reasoning in it). More reasoning than output proves that it lies beside."""
    output, reasoning = counts.get(OUTPUT, 0), counts.get(REASONING, 0)
    if reasoning > output or (emitter is not None and emitter.reasoning != INSIDE):
        output, reasoning = _with_reasoning(counts, output, reasoning, emitter)
    return output + counts.get(STEP_OUTPUT, 0), reasoning


def _with_reasoning(
    counts: Mapping[str, int], output: int, reasoning: int, emitter: Emitter | None
) -> tuple[int, int]:
    """The same for an output that leaves reasoning out."""
    if emitter is not None and emitter.reasoning == IN_TOTAL and OUTPUT in counts:
        if TOTAL not in counts:
            return output + reasoning, reasoning
        hidden = counts.get(TOTAL, 0) - counts.get(INPUT, 0) - output
        if hidden > 0:
            return output + hidden, max(reasoning, hidden)
    if reasoning > output or (emitter is not None and emitter.reasoning == BESIDE):
        output += reasoning
    elif emitter is not None and emitter.reasoning == TWICE:
        output = max(output - reasoning, reasoning)
    return output, reasoning


_MEDIA = frozenset(
    {AUDIO_INPUT, AUDIO_OUTPUT, IMAGE_INPUT, IMAGE_OUTPUT, CACHE_READ_AUDIO, CACHE_READ_IMAGE}
)


def _with_media(text: Mapping[str, int], counts: Mapping[str, int]) -> dict[str, int]:
    """Audio and image tokens in buckets of their own: they are parts of the totals.

    A modality's count contains its cached tokens (semantic-conventions-genai, client inference).
    """
    get = text.get
    heard, seen = counts.get(CACHE_READ_AUDIO, 0), counts.get(CACHE_READ_IMAGE, 0)
    audio = _within(counts.get(AUDIO_INPUT, heard) - heard, "cached audio", AUDIO_INPUT)
    image = _within(counts.get(IMAGE_INPUT, seen) - seen, "cached image", IMAGE_INPUT)
    # Without a split by modality the cached tokens may be the audio ones: what input can't hold
    # is already counted as read from the cache, which is the bucket that the provider bills.
    overlap = max(0, audio + image - get("input", 0))
    _within(get("cache_read", 0) - heard - seen - overlap, "audio and image", INPUT)
    from_audio = min(audio, overlap)
    audio, image = audio - from_audio, image - (overlap - from_audio)
    spoken, drawn = counts.get(AUDIO_OUTPUT, 0), counts.get(IMAGE_OUTPUT, 0)
    written = _within(get("output", 0) - spoken - drawn, "audio and image", OUTPUT)
    _within(written - get("reasoning", 0), "reasoning, audio and image", OUTPUT)
    parts = {
        **text,
        "input": get("input", 0) - audio - image,
        "cache_read": get("cache_read", 0) - heard,
        "output": written,
        "audio_input": audio,
        "image_input": image,
        "cache_read_audio": heard,
        "audio_output": spoken,
        "image_output": drawn,
    }
    return {bucket: tokens for bucket, tokens in parts.items() if tokens}


def _within(rest: int, part: str, whole: str) -> int:
    if rest < 0:
        raise ValueError(f"{part} tokens exceed the {whole} tokens that contain them by {-rest}")
    return rest
