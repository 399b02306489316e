"""Applies corrections of single rows: whole rows, amended rates, more names. No contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from prices.corrections import Placed
from prices.document import CorrectionError
from prices.periods import changed, overlap, same_place, start_of
from prices.shape import Alias, Amend, Band, Hours, Price, Row, Variant
from prices.units import in_order, plain

Json = dict[str, Any]


class Rows:
    """One provider's rows while they are corrected. `notes` says what was done, an entry a line."""

    def __init__(self, provider: str, rows: list[Json]) -> None:
        self.provider = provider
        self.rows = rows
        self.notes: list[str] = []
        self._corrected: dict[str, str] = {}  # id -> where its entry stands
        self._claimed: dict[str, str] = {}  # literal name -> the id of the row that claims it

    def named(self, globs: Sequence[str]) -> list[Json]:
        """The rows that a list of ids and globs names. Raises ValueError if one names none."""
        chosen: dict[str, Json] = {}
        for glob in globs:
            wanted = glob.removeprefix("!")
            hits = [row for row in self.rows if fnmatchcase(row["id"], wanted)]
            if not hits:
                raise ValueError(f"no model of {self.provider} is called {wanted!r}")
            for row in hits:
                if glob.startswith("!"):
                    chosen.pop(row["id"], None)
                else:
                    chosen[row["id"]] = row
        return list(chosen.values())

    def correct(self, placed: Placed[Row]) -> None:
        """Replace parts of a row, or put a new one in front, where its names win."""
        entry = placed.entry
        if before := self._corrected.setdefault(entry.id, ""):
            raise ValueError(f"{entry.id} has an entry already, at {before}")
        self._corrected[entry.id] = placed.place
        row = next((row for row in self.rows if row["id"] == entry.id), None)
        if row is None:
            if entry.prices is None:
                raise ValueError("there is no such row: expected `prices`, got none")
            row = {"id": entry.id}
            self.rows.insert(0, row)
            if entry.match is None:
                self._claim(row, f"={entry.id.lower()}")
            done = "added"
        else:
            done = "corrected"
        if entry.match is not None:
            row["match"] = list(entry.match)
            for clause in entry.match:
                self._claim(row, clause)
        if entry.prices is not None:
            row["prices"] = [price_json(price) for price in entry.prices]
        if entry.variants:
            row["variants"] = _replaced(row.get("variants", []), entry.variants)
        if entry.billed:
            row["billed"] = {unit: msgspec.to_builtins(b) for unit, b in entry.billed.items()}
        _in_book_order(row)
        self.notes.append(f"{done} {entry.id}: {_words(entry.because)}")

    def amend(self, placed: Placed[Amend]) -> None:
        """Change a few rates over an interval."""
        entry = placed.entry
        rows = self.named(entry.models)
        total = 0
        for row in rows:
            where = f"{row['id']}: "
            count = _amend_variants(row, entry) if entry.when else _amend_prices(row, entry)
            if not count:
                raise ValueError(f"{where}nothing is in force between `from` and `to`")
            total += count
        units = ", ".join(sorted(entry.units))
        self.notes.append(
            f"amended {' '.join(entry.models)}: {units}: {len(rows)} rows, {total} prices: "
            + _words(entry.because)
        )

    def alias(self, placed: Placed[Alias]) -> None:
        """Give a row more names; a name that another row has moves."""
        entry = placed.entry
        row = next((row for row in self.rows if row["id"] == entry.model), None)
        if row is None:
            raise ValueError(f"no model of {self.provider} is called {entry.model!r}")
        for name in entry.names:
            clause = f"={name.lower()}"
            moved = self._claim(row, clause)
            row.setdefault("match", [f"={row['id'].lower()}"])
            if clause not in row["match"]:
                row["match"].append(clause)
            elif not moved:
                raise ValueError(f"{entry.model} already has the name {name!r}")
        _in_book_order(row)
        self.notes.append(f"named {entry.model}: {' '.join(entry.names)}: {_words(entry.because)}")

    def _claim(self, row: Json, clause: str | Sequence[str]) -> bool:
        """Take a literal name away from every other row; one without a name left goes."""
        if isinstance(clause, str) and not clause.startswith("="):
            return False
        owner = self._claimed.setdefault(str(clause), row["id"])
        if owner != row["id"]:
            raise ValueError(f"{clause[1:]!r} is claimed by {owner} too")
        others = [other for other in self.rows if other is not row and clause in _clauses(other)]
        for other in others:
            rest = [each for each in _clauses(other) if each != clause]
            if rest:
                other["match"] = rest
                _in_book_order(other)
            else:
                self.rows.remove(other)
                self.notes.append(f"removed {other['id']}: its name means {row['id']}")
        return bool(others)


def check_amendments(entries: Sequence[Placed[Amend]], rows: Rows) -> None:
    """Raise CorrectionError where two entries touch the same rate of a row at the same time."""
    seen: dict[tuple[str, str], list[Placed[Amend]]] = {}
    for placed in entries:
        entry = placed.entry
        for row in rows.named(entry.models):
            for unit in sorted(entry.units):
                before = seen.setdefault((row["id"], unit), [])
                for other in before:
                    span = other.entry.start, other.entry.end
                    if not overlap((entry.start, entry.end), span):
                        continue
                    if entry.when == other.entry.when or same_place(entry.when, other.entry.when):
                        raise CorrectionError(
                            f"{placed.place}: {row['id']} {unit} is amended for the same time "
                            f"at {other.place}"
                        )
                before.append(placed)


def price_json(price: Price | Variant) -> Json:
    """An entry as the book has it: keys in order, nothing that says nothing."""
    out: Json = {"when": dict(price.when)} if isinstance(price, Variant) else {}
    if price.start:
        out["from"] = price.start
    if price.end:
        out["to"] = price.end
    out["rates"] = in_order(price.rates)
    if price.bands:
        out["bands"] = [_band(band) for band in price.bands]
    if isinstance(price, Price) and price.hours:
        out["hours"] = [_hours(hours) for hours in price.hours]
    return out


def _band(band: Band) -> Json:
    return {"over": band.over, "rates": in_order(band.rates)}


def _hours(hours: Hours) -> Json:
    out: Json = {"from": hours.start, "to": hours.end, "rates": in_order(hours.rates)}
    if hours.days != "1234567":
        out["days"] = hours.days
    if hours.except_on:
        out["except_on"] = hours.except_on
    return out


def _replaced(imported: Sequence[Json], ours: Sequence[Variant]) -> list[Json]:
    """Ours, and those imported that have another `when` or another beginning."""
    mine = [price_json(variant) for variant in ours]
    taken = [(variant["when"], start_of(variant)) for variant in mine]
    return [v for v in imported if (v["when"], start_of(v)) not in taken] + mine


def _amend_prices(row: Json, entry: Amend) -> int:
    row["prices"], count = changed(
        row["prices"], entry.start, entry.end, lambda price: _amended(row["id"], price, entry)
    )
    return count


def _amend_variants(row: Json, entry: Amend) -> int:
    variants = row.get("variants", [])
    ours = [variant for variant in variants if variant["when"] == entry.when]
    pieces, count = changed(
        ours, entry.start, entry.end, lambda price: _amended(row["id"], price, entry)
    )
    row["variants"] = [v for v in variants if v["when"] != entry.when] + pieces
    return count


def _amended(model: str, price: Json, entry: Amend) -> Json:
    """A copy of a price with the entry's rates in it."""
    out = dict(price)
    out["rates"] = _with(price["rates"], entry, entry.rates)
    for unit, source in entry.factors.items():
        if price["rates"].keys().isdisjoint(source):
            raise ValueError(f"{model}: {unit} is a factor of {min(source)}, which has no rate")
    bands = {band["over"]: band["rates"] for band in price.get("bands", ())}
    for over in sorted(bands.keys() | entry.bands.keys()):
        bands[over] = _with(bands.get(over, {}), entry, entry.bands.get(over, {}))
    out["bands"] = [{"over": n, "rates": bands[n]} for n in sorted(bands) if bands[n]]
    for hours in price.get("hours", ()):
        if fixed := entry.rates.keys() & hours["rates"].keys():
            raise ValueError(f"{model}: {min(fixed)} depends on the hour: replace the whole price")
    hours = price.get("hours", ())
    out["hours"] = [part | {"rates": _with(part["rates"], entry, {})} for part in hours]
    return {key: value for key, value in out.items() if value or key == "rates"}


def _with(rates: Mapping[str, str], entry: Amend, stated: Mapping[str, str]) -> dict[str, str]:
    made = {**rates, **stated}
    for unit, source in entry.factors.items():
        ((base, factor),) = source.items()
        if base in made:
            made[unit] = times(made[base], factor)
    return in_order({unit: rate for unit, rate in made.items() if unit not in entry.drop})


def times(rate: str, factor: str) -> str:
    """The exact product of two decimals."""
    return plain(Decimal(rate) * Decimal(factor))


def _clauses(row: Json) -> list[Any]:
    """What a row matches; without clauses its id."""
    return list(row.get("match", [f"={row['id'].lower()}"]))


def _in_book_order(row: Json) -> None:
    for key in ("id", "match", "prices", "variants", "billed"):
        if key in row:
            row[key] = row.pop(key)


def _words(text: str) -> str:
    return " ".join(text.split())
