"""The rates of one entry of LiteLLM's map, each with the call that is billed at it. No names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from typing import Any, NamedTuple

_TWELVE = Context(prec=12)  # a float's noise begins later; published rates have fewer digits
_UNITS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "cache_creation_input_token_cost_above_12hr": "cache_write_12h",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "cache_read_input_audio_token_cost": "cache_read_audio",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
}
_MODES = {
    "": {},
    "batches": {"batch": "true"},
    "flex": {"tier": "flex"},
    "priority": {"tier": "priority"},
    "ultrafast": {"tier": "ultrafast"},
}
_KEY = re.compile(
    rf"(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})"
    r"(?:_above_(?P<over>\d+)k_tokens)?(?:_(?P<mode>batches|flex|priority|ultrafast))?"
)


class Rate(NamedTuple):
    """What LiteLLM says one token costs. `over`: for prompts of more tokens than that."""

    unit: str
    mode: str
    over: int
    usd: Decimal

    @property
    def label(self) -> str:
        """How reasons call it: input, input/batches, input>200000, input/flex>272000."""
        mode = f"/{self.mode}" if self.mode else ""
        return f"{self.unit}{mode}" + (f">{self.over}" if self.over else "")

    @property
    def context(self) -> Mapping[str, str]:
        """Fields of a call's context."""
        return _MODES[self.mode]


def rates(entry: Mapping[str, Any]) -> Iterator[Rate]:
    """Every rate for tokens, in the order of the entry; keys that are not read are left out."""
    for key, value in entry.items():
        found = _KEY.fullmatch(key)
        if found and _number(value):
            over = int(found["over"] or 0) * 1000
            yield Rate(_UNITS[found["unit"]], found["mode"] or "", over, exact(value))
    for band in entry.get("tiered_pricing", ()):
        for key, value in band.items():
            if key in _UNITS and _number(value):
                yield Rate(_UNITS[key], "", int(band["range"][0]), exact(value))


def exact(value: float) -> Decimal:
    """The decimal that was meant by a float: its shortest text, 12 significant digits."""
    return rounded(Decimal(repr(value)))


def rounded(value: Decimal) -> Decimal:
    """12 significant digits, without trailing zeros."""
    return _TWELVE.plus(value).normalize()


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
