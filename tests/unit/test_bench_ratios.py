"""What the README and COLLECTOR.md say of the Collector is what was recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ratios import BEGIN, END, LOADS, OURS, OURS_STORED, Goal, Load, Record, markdown, place, ratio

_ROOT = Path(__file__).parents[2]
_RESULTS = _ROOT / "benchmarks" / "results"
_JOBS = {"J1", "J2", "J3", "J4", OURS, OURS_STORED}
_LOAD = Load("W2", 512)
_README = f"before\n{BEGIN}\nof another day\n{END}\nafter\n"


def test_a_ratio_is_taken_within_each_round_and_the_median_over_them() -> None:
    """Rounds 2x, 3x and 10x: the ratio of the medians (20 / 10 = 2x) would be another."""
    record = _record(ours=(20, 30, 10), theirs=(10, 10, 1))
    assert ratio(record, _LOAD, "us_per_span", OURS, "J4") == (3.0, 2.0, 10.0)


def test_without_a_figure_of_both_there_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="expected figures for W2, 50 spans a request"):
        ratio(_record((1,), (1,), [_LOAD]), Load("W2", 50), "us_per_span", OURS, "J4")


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [(0.6, "met, aim too"), (0.61, "met"), (1.004, "met"), (1.01, "**missed**")],
)
def test_a_target_is_met_up_to_its_limit_as_it_is_shown(figure: float, verdict: str) -> None:
    assert Goal(1.0, 0.6).verdict(figure) == verdict


def test_the_readme_gets_the_table_between_its_markers_and_nothing_else() -> None:
    """Placed twice it is the same; a miss is bold, also where it is far off."""
    record = _record(ours=(20,), theirs=(10,))
    placed = place(_README, record)
    assert placed.startswith(f"before\n{BEGIN}\n|")
    assert placed.endswith(f")\n{END}\nafter\n")
    assert "of another day" not in placed
    assert place(placed, record) == placed
    assert "| W2, 512 spans a request | **2.00x** | 1.0x |" in placed
    assert len(placed.split(BEGIN)[1].split(END)[0].strip().splitlines()) <= 14


def test_a_readme_without_the_place_is_refused() -> None:
    with pytest.raises(ValueError, match="expected <!-- bench-collector -->"):
        place("nothing", _record((1,), (1,)))


def test_readme_and_page_say_what_the_record_that_the_readme_names_says() -> None:
    """Not a digit by hand."""
    readme = (_ROOT / "README.md").read_text()
    record = _recorded(readme)
    assert place(readme, record) == readme
    assert (_ROOT / "benchmarks" / "COLLECTOR.md").read_text() == markdown(record)


def test_the_record_is_whole_and_no_span_was_lost_by_what_does_not_group() -> None:
    """Every job under every load in every round. J4 is left out: groupbytrace may lose a trace."""
    record = _recorded((_ROOT / "README.md").read_text())
    for number in {row["round"] for row in record.rows}:
        rows = [row for row in record.rows if row["round"] == number]
        for load in LOADS:
            assert {row["job"] for row in rows if load.chosen(row)} == _JOBS
    for row in (row for row in record.rows if row["job"] != "J4"):
        stored = row["sent"] if row["job"] in ("J3", OURS_STORED) else 0
        assert (row["arrived"], row["inserted"]) == (row["sent"], stored), row


def _recorded(readme: str) -> Record:
    """The record that the README names. Without one there must be no table."""
    _, _, rest = readme.partition(BEGIN)
    section = rest.partition(END)[0].strip()
    if not section:
        pytest.skip("the README shows no run beside the Collector")
    named = re.search(r"benchmarks/results/(\S+-collector\.json)", section)
    assert named, section
    return Record(**json.loads((_RESULTS / named.group(1)).read_text()))


def _record(
    ours: Sequence[float], theirs: Sequence[float], loads: Iterable[Load] = tuple(LOADS)
) -> Record:
    """Rounds in which every load costs the same; memory is even."""
    rows: list[dict[str, Any]] = []
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        for load in loads:
            for job in sorted(_JOBS):
                cost = mine if job in (OURS, OURS_STORED) else other
                row = {"round": number, "job": job, "us_per_span": cost}
                memory = {"resident_average": 10.0, "resident_peak": 10.0}
                rows.append(row | load._asdict() | memory)
    return Record("2026-01-01", "abc", "python", "otelcol", {}, (0, 0), (0, 0), rows)
