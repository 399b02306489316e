"""Usage of one model call as disjoint buckets. Counts only: no names of models, no prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class InvalidUsage(ValueError):
    """The counts contradict each other, or are no counts. Never clamped, never guessed."""


class Unit(StrEnum):
    """What is counted. The order is the order of a quote's lines."""

    INPUT = "input"  # prompt tokens that are in no other bucket
    CACHE_READ = "cache_read"
    CACHE_WRITE_5M = "cache_write_5m"  # also a write whose lifetime is not stated
    CACHE_WRITE_1H = "cache_write_1h"
    CACHE_WRITE_12H = "cache_write_12h"
    OUTPUT = "output"  # completion tokens, reasoning included
    REASONING = "reasoning"  # the part of `output` that was reasoning
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"
    IMAGE_INPUT = "image_input"
    IMAGE_OUTPUT = "image_output"
    CACHE_READ_AUDIO = "cache_read_audio"
    REQUESTS = "requests"
    WEB_SEARCH = "web_search"
    SEARCH_UNIT = "search_unit"
    CHARACTERS = "characters"
    AUDIO_SECONDS = "audio_seconds"
    IMAGES = "images"


CACHE_WRITES = (Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H, Unit.CACHE_WRITE_12H)
# Together the whole prompt, which decides the long-context tier. All but `input` lie inside the
# prompt total of an inclusive count.
PROMPT = (
    Unit.INPUT,
    Unit.CACHE_READ,
    *CACHE_WRITES,
    Unit.AUDIO_INPUT,
    Unit.IMAGE_INPUT,
    Unit.CACHE_READ_AUDIO,
)
TOKENS = frozenset({*PROMPT, Unit.OUTPUT, Unit.REASONING, Unit.AUDIO_OUTPUT, Unit.IMAGE_OUTPUT})
_IN_PROMPT = frozenset(PROMPT)
_INSIDE_INPUT = PROMPT[1:]
_INSIDE_OUTPUT = (Unit.AUDIO_OUTPUT, Unit.IMAGE_OUTPUT)
_UNITS: Mapping[str, Unit] = {unit.value: unit for unit in Unit}


class Usage:
    """Disjoint buckets of non-negative ints; only `reasoning` lies inside another (`output`).

    `counts` holds the buckets that are not zero. Raises InvalidUsage.
    """

    __slots__ = ("counts",)

    def __init__(self, buckets: Mapping[Unit, int] | Mapping[str, int]) -> None:
        counts: dict[Unit, int] = {}
        for name, quantity in buckets.items():
            unit = _UNITS.get(name)
            if unit is None:
                raise InvalidUsage(f"unknown bucket {name!r}, expected one of {', '.join(_UNITS)}")
            _check(unit, quantity)
            if quantity:
                counts[unit] = quantity
        if Unit.REASONING in counts and counts[Unit.REASONING] > counts.get(Unit.OUTPUT, 0):
            raise InvalidUsage(
                f"reasoning ({counts[Unit.REASONING]}) lies inside output "
                f"({counts.get(Unit.OUTPUT, 0)}) and can't exceed it"
            )
        self.counts: Mapping[Unit, int] = counts

    @classmethod
    def from_inclusive(cls, *, input: int = 0, output: int = 0, **parts: int) -> Usage:  # noqa: A002 (the bucket's name)
        """Counts as OpenAI and Google state them: the totals contain their parts.

        `input` contains cache reads and writes, audio and image tokens of the prompt; `output`
        contains reasoning, audio and image tokens. `parts` are named like the other buckets.
        """
        rest = dict(parts)
        rest[Unit.INPUT] = _remainder("input", input, _INSIDE_INPUT, parts)
        rest[Unit.OUTPUT] = _remainder("output", output, _INSIDE_OUTPUT, parts)
        return cls(rest)

    @classmethod
    def from_exclusive(cls, *, input: int = 0, output: int = 0, **parts: int) -> Usage:  # noqa: A002 (the bucket's name)
        """Counts as Anthropic and Bedrock state them: `input` is what no other bucket counts."""
        return cls({**parts, Unit.INPUT: input, Unit.OUTPUT: output})

    @property
    def prompt(self) -> int:
        """Tokens of the whole prompt, cached or not."""
        return sum([q for unit, q in self.counts.items() if unit in _IN_PROMPT])

    def get(self, unit: Unit) -> int:
        """The count of one bucket, 0 if there is none."""
        return self.counts.get(unit, 0)

    def __add__(self, other: Usage) -> Usage:
        total = dict(self.counts)
        for unit, quantity in other.counts.items():
            total[unit] = total.get(unit, 0) + quantity
        return Usage(total)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Usage) and self.counts == other.counts

    def __hash__(self) -> int:
        return hash(frozenset(self.counts.items()))

    def __repr__(self) -> str:
        inside = ", ".join(f"{unit}={quantity}" for unit, quantity in self.counts.items())
        return f"Usage({inside})"


def _check(name: str, quantity: object) -> None:
    if type(quantity) is not int or quantity < 0:
        raise InvalidUsage(f"{name}: expected a count of 0 or more, got {quantity!r}")


def _remainder(name: str, total: int, inside: Iterable[Unit], parts: Mapping[str, int]) -> int:
    """What is left of a total without its parts."""
    _check(name, total)
    rest = total
    for unit in inside:
        if unit in parts:
            _check(unit, parts[unit])
            rest -= parts[unit]
    if rest < 0:
        taken = " + ".join(f"{unit} {parts[unit]}" for unit in inside if unit in parts)
        raise InvalidUsage(f"{taken} lie inside {name} ({total}) and can't exceed it")
    return rest
