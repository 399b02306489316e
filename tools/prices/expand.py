"""Makes explicit what rules say about many rows: variants for contexts, uplifts for places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from prices.correct import Rows, times
from prices.corrections import Placed
from prices.document import CorrectionError
from prices.periods import (
    Period,
    dated,
    earliest,
    holds,
    overlap,
    periods,
    same_place,
    start_of,
)
from prices.shape import Rule, Uplift
from prices.units import TOKENS, in_order

Json = dict[str, Any]


def expand(rows: Rows, placed: Placed[Rule]) -> None:
    """A variant for every standard price that the rule's interval meets."""
    rule = placed.entry
    chosen = rows.named(rule.models)
    total = 0
    for row in chosen:
        there = [v for v in row.get("variants", ()) if same_place(v["when"], rule.when)]
        until = _until(rule, there)
        pieces = (_piece(row, period, rule, until) for period in periods(row["prices"]))
        made = [piece for piece in pieces if piece]
        if not made:
            raise ValueError(f"{row['id']}: no standard rate of {', '.join(rule.factors)} then")
        for piece in made:
            _check_room(row, piece, there)
        variants = [*row.get("variants", ()), *made]
        row["variants"] = sorted(variants, key=lambda v: (json.dumps(v["when"]), start_of(v)))
        total += len(made)
    when = " ".join(f"{key}={value}" for key, value in rule.when.items())
    rows.notes.append(
        f"expanded {when} {' '.join(rule.models)}: {len(chosen)} rows, {total} variants: "
        + " ".join(rule.because.split())
    )


def _until(rule: Rule, there: Sequence[Json]) -> str:
    """A rule without an end ends where the next variant for its context begins, as entries do."""
    later = [start_of(variant) for variant in there if start_of(variant) > rule.start]
    return rule.end or min(later, default="")


def _piece(row: Json, period: Period, rule: Rule, until: str) -> Json | None:
    """The variant of one standard price; None if the rule has nothing to say then."""
    start, end = max(period.start, rule.start), earliest(period.end, until)
    if not holds(start, end):
        return None
    if "hours" in period.entry:
        raise ValueError(f"{row['id']}: its price depends on the hour: list its variants")
    rates = _scaled(period.entry["rates"], rule)
    bands = [(band["over"], _scaled(band["rates"], rule)) for band in period.entry.get("bands", ())]
    if rule.bands == "drop":
        rates, bands = _without_bands(period.entry, rule), []
    if not rates:
        return None
    piece = {"when": dict(rule.when)} | dated(start, end) | {"rates": rates}
    kept = [{"over": over, "rates": banded} for over, banded in bands if banded]
    return piece | ({"bands": kept} if kept else {})


def _scaled(rates: Json, rule: Rule) -> dict[str, str]:
    factors = rule.factors
    return {unit: times(rate, factors[unit]) for unit, rate in rates.items() if unit in factors}


def _without_bands(entry: Json, rule: Rule) -> dict[str, str]:
    """Base rates of all units that a band would move, so that no band moves them."""
    banded = {unit for band in entry.get("bands", ()) for unit in band["rates"]}
    wanted = banded | rule.factors.keys()
    factor = rule.factors
    rates = {u: times(r, factor.get(u, "1")) for u, r in entry["rates"].items() if u in wanted}
    return in_order(rates)


def _check_room(row: Json, piece: Json, there: Sequence[Json]) -> None:
    span = start_of(piece), piece.get("to", "")
    for other in there:
        begins = start_of(other)
        ends = other.get("to", "")
        follows = begins < span[0] and not ends  # an open one ends where the next begins
        if not follows and overlap(span, (begins, ends)):
            raise ValueError(
                f"{row['id']}: there are rates for {json.dumps(piece['when'])} from "
                f"{begins or 'ever'} to {ends or 'the next'} already: give the rule a `to`, or "
                f'take the row out with "!{row["id"]}"'
            )


def uplifts(rows: Rows, entries: Sequence[Placed[Uplift]]) -> list[Json]:
    """The book's uplifts of a provider. Raises CorrectionError where two claim the same call."""
    made: list[Json] = []
    for placed in entries:
        try:
            made.append(_uplift(rows, placed.entry))
        except ValueError as error:
            raise CorrectionError(f"{placed.place}: {error}") from error
        _check_uplift(made, placed.place)
    return made


def _uplift(rows: Rows, entry: Uplift) -> Json:
    models = [row["id"] for row in rows.named(entry.models)]
    rows.notes.append(
        f"uplift {' '.join(f'{key}={value}' for key, value in entry.when.items())} x "
        f"{entry.multiplier} {' '.join(entry.models)}: {len(models)} rows: "
        + " ".join(entry.because.split())
    )
    units = TOKENS if entry.units == "tokens" else entry.units
    head = {"when": dict(entry.when), "models": models, "multiplier": entry.multiplier}
    return head | {"units": list(units)} | dated(entry.start, entry.end)


def _check_uplift(made: Sequence[Json], place: str) -> None:
    *before, last = made
    for other in before:
        span, its = ((start_of(each), each.get("to", "")) for each in (last, other))
        models = set(last["models"]) & set(other["models"])
        units = set(last["units"]) & set(other["units"])
        if models and units and overlap(span, its) and same_place(last["when"], other["when"]):
            raise CorrectionError(
                f"{place}: {min(models)} already has a factor for {json.dumps(other['when'])} then"
            )
