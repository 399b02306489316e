"""A fault has a place and a sentence; all of them are collected before anybody is told."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple


class Mark(NamedTuple):
    """A place. Line 0: the source has no lines (an environment variable)."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Fault(NamedTuple):
    """One thing that is wrong. `path` is the key, dotted; "" for the whole source."""

    mark: Mark
    path: str
    sentence: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.mark), self.path, self.sentence) if part)


class Faults:
    """Collects faults."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, mark: Mark, path: str, sentence: str) -> None:
        self._faults.append(Fault(mark, path, sentence))

    def below(self, path: str) -> bool:
        """Whether the key, or one below it, has a fault already: what follows from it is none."""
        return any(f.path == path or f.path.startswith(f"{path}.") for f in self._faults)

    def __len__(self) -> int:
        return len(self._faults)

    def sentences(self) -> list[str]:
        """One sentence each, in the order of the file."""
        return [str(fault) for fault in sorted(self._faults)]


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known name that was probably meant; `cutoff` 1 takes only the same one."""
    folded = {each.lower(): each for each in known}
    close = get_close_matches(name.lower().replace("-", "_"), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name."""
    names = sorted(known)
    close = nearest(name, names)
    return f"the nearest is {close!r}" if close else f"known are {', '.join(names)}"
