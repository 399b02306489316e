"""Where a span of a trace is: in which transaction, and under which root. No money, no clock.

A transaction is what one entry span set off: the subtree below a SERVER or CONSUMER span, a span
whose parent is in another process, or a root, down to the next entry span. Every span is in one.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from costspan.ledger.forest import ROOT, Forest


class Places:
    """The ways up through one forest, each walked once. Ids are 8 bytes."""

    def __init__(self, forest: Forest) -> None:
        self._links = forest.links
        self._entries = forest.entries
        self._entry: dict[bytes, bytes] = {}
        self._top: dict[bytes, bytes] = {}
        # most traces are one tree: then nobody has to climb to find its root
        one = forest.roots == 1 and not (forest.orphans or forest.cycles)
        self._only = forest.root.span_id if forest.root and one else b""
        self._entered = not self._only or bool(forest.entries - {self._only})

    def transaction(self, span_id: bytes) -> bytes:
        """The entry span at or above it; where the way up breaks off, the last span on it."""
        if not self._entered:
            return self._only
        return self._climb(span_id, self._entries, self._entry)

    def root(self, span_id: bytes) -> bytes:
        """The span without a parent above it (or itself); ROOT where the way up breaks off."""
        if self._only:
            return self._only
        top = self._climb(span_id, frozenset(), self._top)
        return top if self._links.get(top) == ROOT else ROOT

    def _climb(self, span_id: bytes, stops: AbstractSet[bytes], memo: dict[bytes, bytes]) -> bytes:
        links = self._links
        path: list[bytes] = []
        while span_id not in memo:
            path.append(span_id)
            above = links.get(span_id, ROOT)
            if span_id in stops or above not in links:
                memo[span_id] = span_id
            else:
                span_id = above
        found = memo[span_id]
        for passed in path:
            memo[passed] = found
        return found
