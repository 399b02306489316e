"""Dead letters to their destination again: the same loop, over a journal made of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from costspan.clock import Clock
from costspan.exporter import letter as codec
from costspan.exporter.dead_letters import DeadLetters
from costspan.exporter.destination import Destination
from costspan.exporter.letter import Letter
from costspan.exporter.runner import Runner, join_all
from costspan.journal.memory import BACKPRESSURE, MemoryJournal
from costspan.model import Frame, ReaderSpec
from costspan.telemetry import Telemetry


class Outcome(NamedTuple):
    """What became of the letters that were asked for, in items."""

    accepted: int = 0
    rejected: int = 0  # by a partial success: they are gone
    refused: int = 0  # again; they are kept
    left: int = 0  # no answer came; they are kept
    error: str = ""  # why, in the destination's words

    def plus(self, other: Outcome) -> Outcome:
        """Both together; the later error."""
        return Outcome(
            self.accepted + other.accepted,
            self.rejected + other.rejected,
            self.refused + other.refused,
            self.left + other.left,
            other.error or self.error,
        )


class Replay(NamedTuple):
    """One run over the letters of one exporter."""

    dead_letters: DeadLetters
    make: Callable[[], Destination]  # a destination is closed after each file
    wanted: Callable[[Letter], bool]
    clock: Clock
    deadline: int  # clock.monotonic()

    def run(self) -> Outcome:
        """Send the wanted letters file by file, until no answer comes.

        A kill in the middle sends letters of one file again, and loses none. Raises CostspanError
        if another process does the same, or a file has a format that we do not read.
        """
        outcome = Outcome()
        with self.dead_letters.replaying():
            claimed = self.dead_letters.claim()
            try:
                while claimed and not outcome.left:
                    outcome = outcome.plus(self._file(claimed[0]))
                    del claimed[0]
            finally:
                for path in claimed:
                    self.dead_letters.release(path)
        return outcome

    def _file(self, path: Path) -> Outcome:
        destination = self.make()
        sent: list[Letter] = []
        remaining: list[Letter] = []
        for letter in codec.read(path.read_bytes()):
            chosen = letter.signal in destination.takes and self.wanted(letter)
            (sent if chosen else remaining).append(letter)
        outcome, left = self._deliver(sent, destination)
        self.dead_letters.give_back(path, [*remaining, *left])
        return outcome

    def _deliver(
        self, letters: Sequence[Letter], destination: Destination
    ) -> tuple[Outcome, list[Letter]]:
        """Deliver them. What is refused again has been kept; return what got no answer."""
        telemetry, name = Telemetry(), destination.name
        reader = ReaderSpec(name, destination.takes, BACKPRESSURE)
        journal = MemoryJournal([reader], sys.maxsize, telemetry, self.clock)
        journal.append([frame for letter in letters for frame in letter.frames])
        runner = Runner(
            *(destination, journal, telemetry, self.clock),
            linger=0.0,
            durable=True,  # the letters outlive the journal: what is left is in their file
            dead_letters=self.dead_letters,
        )
        runner.drain(self.deadline)
        runner.start()
        join_all([runner])
        unsent = {frame.seq for frame in journal.read(name, sys.maxsize, 0.0)}
        left = list(_with(letters, unsent))
        outcome = Outcome(
            telemetry.sent.exact(name),
            telemetry.rejected.exact(name),
            telemetry.dead_lettered.exact(name),
            sum(letter.items for letter in left),
            runner.last_error,
        )
        return outcome, left


def _with(letters: Sequence[Letter], seqs: AbstractSet[int]) -> Iterator[Letter]:
    """The letters with only those frames: a new journal numbers them from 1."""
    seq = 0
    for letter in letters:
        kept: list[Frame] = []
        for frame in letter.frames:
            seq += 1
            if seq in seqs:
                kept.append(frame)
        if kept:
            yield letter._replace(frames=kept)
