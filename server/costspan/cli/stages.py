"""Progress on stderr: bars on a terminal, one line per stage elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.text import Text


class Stages:
    """A stack of stages, each with its bar. `with Stages(console) as stages:`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(complete_style="magenta", finished_style="green", pulse_style="magenta"),
            _Count(),
            _Elapsed(),
            console=console,
            disable=not self._live,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the bars stand as they are."""
        self._progress.stop()

    @contextmanager
    def stage(self, text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """One stage; the callable says how much of `total` is done. None: nobody knows."""
        if not self._live:
            self._console.print(f"{text} ...", markup=False)
        task = self._progress.add_task(text, total=total)
        yield lambda done: self._progress.update(task, completed=done)
        if total is None:
            self._progress.update(task, total=1, completed=1)


class _Count(ProgressColumn):
    """How many of how many, for stages that know it."""

    def render(self, task: Task) -> Text:
        known = task.total is not None and task.total > 1
        return Text(f"{task.completed:.0f}/{task.total:.0f}" if known else "")


class _Elapsed(ProgressColumn):
    """Seconds since the stage began; rich's own column is yellow, which a light ground swallows."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_time or task.elapsed or 0:.1f} s", style="dim")
