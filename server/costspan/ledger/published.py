"""What rows in the journal say was published before a restart. It knows no open trace.

A row's version says how far it reaches: every frame of its trace from its generation's to the last
seq in the version is in it, since a generation takes all spans that come while it lives. So a
replay can tell of each frame in which row its spans are, whatever the clock and the limits do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from costspan.ledger.forest import span_key
from costspan.model import LlmCall, TraceTotals

RANKS = 8
"""Versions are the last seq of the trace times this, plus a rank, so that no two ever tie."""


class Row(NamedTuple):
    """The newest row of one generation of a trace."""

    generation: int
    version: int

    def holds(self, seq: int) -> bool:
        """Whether the spans that the frame has of this trace are in the row."""
        return self.generation <= seq <= self.version // RANKS


class Published:
    """The newest version of each row, and the calls that were corrected."""

    def __init__(self) -> None:
        self._rows: dict[bytes, dict[int, Row]] = {}
        self._corrected: set[tuple[bytes, bytes]] = set()

    def note(self, rows: Iterable[TraceTotals]) -> None:
        for row in rows:
            generations = self._rows.setdefault(row.trace_id, {})
            held = generations.get(row.generation)
            if held is None or held.version < row.version:
                generations[row.generation] = Row(row.generation, row.version)

    def note_corrected(self, calls: Iterable[LlmCall]) -> None:
        self._corrected.update((call.trace_id, span_key(call.span_id)) for call in calls)

    def row(self, trace_id: bytes, seq: int) -> Row | None:
        """The row that holds what a frame has of a trace."""
        for row in self._rows.get(trace_id, {}).values():
            if row.holds(seq):
                return row
        return None

    def version(self, trace_id: bytes, generation: int) -> int:
        """0 if there is no such row."""
        row = self._rows.get(trace_id, {}).get(generation)
        return row.version if row else 0

    def corrected(self, trace_id: bytes, span_id: bytes) -> bool:
        """Whether the call's newest row may be a correction."""
        return (trace_id, span_id) in self._corrected
