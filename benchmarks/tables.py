"""Figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines without a newline at the end."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def select(columns: Mapping[str, str], rows: Iterable[Row]) -> str:
    """A table of rows; `columns` maps a heading to the key of its figure."""
    return table(tuple(columns), [[number(row[key]) for key in columns.values()] for row in rows])


def number(value: float | str) -> str:
    """Three digits that mean something; texts as they are."""
    if isinstance(value, str):
        return value or "none"
    return f"{value:.0f}" if isinstance(value, int) or value >= 100 else f"{value:.2f}"


def heading(record: Row) -> str:
    """Commit, command, machine and how busy it was."""
    machine = record["machine"]
    return "\n".join(
        (
            f"Recorded {record['date']} at commit `{record['commit']}` by `{record['command']}`.",
            (
                f"Machine: {machine['cpu']}, {machine['cores']} cores, Python {machine['python']},"
                f" Linux {machine['kernel']}; load average {_span(record['load'])}."
            ),
            (
                "Load generator, sink and stores share its cores with what is measured. A fixed"
                f" loop of Python took (ms) {_span(record['loop_ms'])}: compare runs only where"
                " this agrees."
            ),
        )
    )


def _span(pair: Sequence[float]) -> str:
    before, after = pair
    return f"{before:.2f} before and {after:.2f} after"
