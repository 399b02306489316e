"""What came out of an import, and every row that is not as it was in the source. Text only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

_TITLES = {
    "repaired": "Rates with binary float noise, rounded to 12 significant digits",
    "free": "Rows without a rate whose id ends in :free, taken as 0",
    "split": "Parts of the day, attached to the dated row before them",
}


def report(
    title: str,
    providers: Mapping[str, Json],
    corrected: Mapping[str, Sequence[str]],
    notes: Mapping[str, Sequence[str]],
) -> str:
    """Corrections first, an entry a line; then what the conversion changed, a row a line."""
    out = [title, *_summary(providers)]
    for provider, entries in corrected.items():
        out += _section(f"Corrections of {provider}", entries)
    for key, heading in _TITLES.items():
        out += _section(heading, notes[key])
    return "\n".join(out) + "\n"


def _summary(providers: Mapping[str, Json]) -> list[str]:
    models = [model for content in providers.values() for model in content["models"]]
    dated = sum(len(model["prices"]) > 1 for model in models)
    banded = sum(any("bands" in price for price in model["prices"]) for model in models)
    varied = sum("variants" in model for model in models)
    variants = sum(len(model.get("variants", ())) for model in models)
    uplifts = sum(len(content.get("uplifts", ())) for content in providers.values())
    return [
        f"{len(providers)} providers, {len(models)} models",
        f"{dated} with dated prices, {banded} with bands, {varied} with variants",
        f"{variants} variants, {uplifts} uplifts",
    ]


def _section(heading: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{heading}: {len(lines)}", *(f"  {line}" for line in lines)]
