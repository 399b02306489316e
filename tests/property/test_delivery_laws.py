"""Laws of delivery: whatever a destination answers, every span has one fate and is counted once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan.clock import SystemClock
from costspan.errors import Refused, TooLarge, Unreachable
from costspan.exporter.dead_letters import DeadLetters, letters
from costspan.exporter.destination import Delivered
from costspan.exporter.otlp.request import group
from costspan.exporter.retry import RetryPolicy
from costspan.exporter.runner import Runner, join_all
from costspan.journal.memory import MemoryJournal
from costspan.model import SOLO, TRACES, Frame, ReaderSpec
from costspan.telemetry import Telemetry
from costspan.testing import frame, request, span

NAME = "otlp"
SECOND = 1_000_000_000
POISON = b"poison"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def names_of(frames: Sequence[Frame]) -> list[str]:
    body = b"".join(each.body for each in frames)
    return [
        each.name
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for each in scope.spans
    ]


class Moody:
    """Refuses poison and what is too large, and else answers by its mood."""

    name = NAME
    takes = frozenset({TRACES})

    def __init__(self, line: Line, moods: list[str], limit: int) -> None:
        self._line, self._moods, self._limit = line, iter(moods), limit
        self.accepted: Counter[str] = Counter()
        self.rejected = 0

    def open(self) -> None:
        """Nothing to prepare."""

    def group(self, frames: Sequence[Frame]) -> list[list[Frame]]:
        return group(frames, 2000)

    def deliver(self, frames: Sequence[Frame]) -> Delivered:
        self._line.check()
        items = sum(each.items for each in frames)
        mood = next(self._moods, "")
        if mood == "down":
            raise Unreachable("down")
        if mood == "bug":
            raise ZeroDivisionError
        if mood == "crash":
            raise Refused("INTERNAL", "internal", Refused.DOUBTFUL)
        if sum(len(each.body) for each in frames) > self._limit:
            raise TooLarge("larger than max", self._limit if mood == "partial" else 0)
        if any(POISON in each.body for each in frames):
            raise Refused("bad span", "invalid_argument")
        self.accepted.update(names_of(frames))
        rejected = 1 if mood == "partial" and items else 0
        self.rejected += rejected
        return Delivered(items - rejected, rejected)

    def close(self) -> None:
        """Nothing to close."""


class Line:
    """A journal and a runner in front of a moody destination."""

    def __init__(self, place: Path, moods: list[str], limit: int, consumers: int) -> None:
        self.telemetry, self.clock = Telemetry(), SystemClock()
        self.place = place
        spec = ReaderSpec(NAME, Moody.takes, "backpressure")
        self.journal = MemoryJournal([spec], 1 << 22, self.telemetry, self.clock)
        self.destination = Moody(self, moods, limit)
        self.runner = Runner(
            self.destination, self.journal, self.telemetry, self.clock, linger=0.0,
            retry=RetryPolicy(0.0001, 0.0002), max_batch_bytes=3000, consumers=consumers,
            dead_letters=DeadLetters(place, NAME, 1 << 24, self.telemetry),
        )  # fmt: skip
        self.violations: list[str] = []

    def run(self, frames: Sequence[Frame], seconds: float) -> int:
        self.journal.append(frames)
        self.runner.drain(self.clock.monotonic() + round(seconds * SECOND))
        self.runner.start()
        return join_all([self.runner])

    def check(self) -> None:
        """In the middle of a delivery: nothing that waits has been counted."""
        counted = sum(self.accounts().values()) + self.journal.backlog(NAME).items
        accepted = self.telemetry.exporter_accepted.exact(NAME)
        if counted != accepted:
            self.violations.append(f"{accepted} accepted, {counted} accounted for")

    def dead(self) -> Counter[str]:
        """The spans in the dead letters."""
        kept = [each for letter in letters(self.place, NAME) for each in letter.frames]
        return Counter(names_of(kept))

    def accounts(self) -> dict[str, int]:
        t = self.telemetry
        table = {"sent": t.sent, "rejected": t.rejected, "dead": t.dead_lettered}
        table["dropped"] = t.dropped
        return {name: counter.exact(NAME) for name, counter in table.items()}


moods = st.lists(st.sampled_from(["", "", "", "down", "bug", "crash", "partial"]), max_size=30)


@st.composite
def frame_lists(draw: st.DrawFn) -> list[Frame]:
    """Frames of named spans, some poisoned, some large, some that must not be opened."""
    kinds = st.sampled_from(["", "", "", "", "", POISON.decode(), "x" * 400])
    sizes = draw(st.lists(st.lists(kinds, min_size=1, max_size=9), min_size=1, max_size=6))
    return [
        frame(
            request(*(span(name=f"{f}.{n}.{kind}") for n, kind in enumerate(spans))),
            items=len(spans),
        )._replace(flags=draw(st.sampled_from([0, 0, 0, SOLO])))
        for f, spans in enumerate(sizes)
    ]


@settings(max_examples=120, deadline=None)
@given(frames=frame_lists(), moods=moods, limit=st.integers(200, 3000), consumers=st.integers(1, 3))
def test_every_span_has_one_fate_and_the_accounts_hold_at_every_step(
    frames: list[Frame], moods: list[str], limit: int, consumers: int
) -> None:
    with TemporaryDirectory() as place:
        line = Line(Path(place), moods, limit, consumers)
        left = line.run(frames, 30)
        dead = line.dead()

    accounts, accepted = line.accounts(), line.destination.accepted
    assert line.violations == []
    assert left == accounts["dropped"] == 0
    assert sum(accounts.values()) == sum(each.items for each in frames)
    assert all(count == 1 for count in accepted.values())
    assert accepted.total() == accounts["sent"] + accounts["rejected"]
    assert accounts["rejected"] == line.destination.rejected
    assert dead.total() == accounts["dead"]
    assert accepted + dead == Counter(names_of(frames))


@settings(max_examples=30, deadline=None)
@given(frames=frame_lists(), moods=moods)
def test_an_end_in_the_middle_counts_what_is_left_once(
    frames: list[Frame], moods: list[str]
) -> None:
    """The deadline comes at some delivery: what was accepted until then is sent, the rest lost."""
    with TemporaryDirectory() as place:
        line = Line(Path(place), [*moods, *["down"] * 100_000], 3000, 1)
        left = line.run(frames, 0.02)

    accounts = line.accounts()
    assert left == accounts["dropped"]
    assert sum(accounts.values()) == sum(each.items for each in frames)
    assert line.destination.accepted.total() == accounts["sent"] + accounts["rejected"]
