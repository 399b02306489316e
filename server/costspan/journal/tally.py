"""Frames, items and bytes by signal: what a segment holds, what a reader has before it. No I/O."""

from __future__ import annotations

from collections.abc import Collection


class Tally:
    """A sum that grows and shrinks. Not safe from several threads."""

    __slots__ = ("_by_signal",)

    def __init__(self) -> None:
        self._by_signal: dict[str, list[int]] = {}  # frames, items, bytes

    def add(self, signal: str, items: int, size: int, frames: int = 1) -> None:
        """Count a frame; `frames=-1` with negative numbers takes it back."""
        sums = self._by_signal.get(signal)
        if sums is None:
            sums = self._by_signal[signal] = [0, 0, 0]
        sums[0] += frames
        sums[1] += items
        sums[2] += size

    def take(self, signal: str, items: int, size: int) -> None:
        """Take a frame back."""
        self.add(signal, -items, -size, -1)

    def include(self, other: Tally, signals: Collection[str], sign: int = 1) -> None:
        """Add what `other` holds of these signals; `sign=-1` takes it back."""
        for signal, (frames, items, size) in other._by_signal.items():
            if signal in signals:
                self.add(signal, sign * items, sign * size, sign * frames)

    @property
    def frames(self) -> int:
        return sum(sums[0] for sums in self._by_signal.values())

    @property
    def bytes(self) -> int:
        return sum(sums[2] for sums in self._by_signal.values())

    @property
    def items(self) -> dict[str, int]:
        """Items by signal."""
        return {signal: sums[1] for signal, sums in self._by_signal.items()}
