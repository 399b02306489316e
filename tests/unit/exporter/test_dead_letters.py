"""Dead letters: kept exactly, bounded, and sent again without losing any."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.clock import SystemClock
from costspan.errors import CostspanError, Refused, Unreachable, UnsupportedFormat
from costspan.exporter import letter as codec
from costspan.exporter.dead_letters import DeadLetters, exporters, letters
from costspan.exporter.destination import Delivered
from costspan.exporter.letter import Letter
from costspan.exporter.replay import Outcome, Replay
from costspan.model import LOGS, SOLO, Frame
from costspan.telemetry import Telemetry
from costspan.testing import MemoryDestination, frame, request, span

NAME = "otlphttp/langfuse"
SECOND = 1_000_000_000


class Kept:
    """The letters of one exporter in a directory."""

    def __init__(self, root: Path, max_size: int = 1 << 20) -> None:
        self.root, self.telemetry, self.clock = root, Telemetry(), SystemClock()
        self.dead_letters = DeadLetters(root, NAME, max_size, self.telemetry)

    def keep(self, *bodies: bytes, reason: str = "invalid_argument", at: int = 1) -> None:
        self.dead_letters.keep(Letter(at, reason, "bad span", [frame(body) for body in bodies]))

    def bodies(self) -> list[bytes]:
        return [f.body for letter in letters(self.root, NAME) for f in letter.frames]

    def replay(
        self, destination: MemoryDestination, reason: str = "", seconds: float = 5
    ) -> Outcome:
        deadline = self.clock.monotonic() + round(seconds * SECOND)
        return Replay(
            self.dead_letters,
            lambda: destination,
            lambda letter: reason in ("", letter.reason),
            self.clock,
            deadline,
        ).run()

    def lost(self, reason: str) -> int:
        return self.telemetry.dead_letters_lost.exact(NAME, reason)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "dead-letters")


@given(
    st.lists(
        st.builds(
            Letter,
            st.integers(0, 2**63 - 1),
            st.text(max_size=20),
            st.text(max_size=200),
            st.lists(
                st.builds(
                    frame,
                    st.binary(max_size=50),
                    calls=st.binary(max_size=9),
                    items=st.integers(0, 9),
                    signal=st.sampled_from(["traces", "note"]),
                ).map(lambda f: f._replace(seq=7, flags=SOLO, metadata=(("x-tenant", "ä"),))),
                min_size=1,
                max_size=3,
            ),
        ),
        max_size=4,
    ),
    st.data(),
)
def test_what_is_written_is_read_and_a_torn_end_costs_the_last_letter_only(
    written: list[Letter], data: st.DataObject
) -> None:
    encoded = [codec.encode(letter) for letter in written]
    whole = codec.FIRST_LINE + b"".join(encoded)

    assert list(codec.read(whole)) == written
    cut = data.draw(st.integers(0, len(whole)))
    complete = [
        letter
        for n, letter in enumerate(written)
        if len(codec.FIRST_LINE) + sum(map(len, encoded[: n + 1])) <= cut
    ]
    assert list(codec.read(whole[:cut])) == complete


def test_a_file_of_another_format_is_named_and_left(kept: Kept) -> None:
    kept.keep(b"a")
    [path] = kept.root.rglob("*.letters")
    path.write_bytes(b"costspan dead letters 2\n?")

    with pytest.raises(UnsupportedFormat, match="expected a file that begins with"):
        kept.replay(MemoryDestination(NAME))
    assert path.read_bytes().endswith(b"?")


def test_only_the_owner_may_read_them(kept: Kept) -> None:
    os.umask(0)
    kept.keep(b"a")
    os.umask(0o022)

    [path] = kept.root.rglob("*.letters")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert exporters(kept.root) == [NAME]


def test_above_the_limit_the_oldest_file_goes_and_is_counted(tmp_path: Path) -> None:
    kept = Kept(tmp_path, max_size=8000)
    for n in range(40):
        kept.keep(bytes([n]) * 500)

    remaining = [body[0] for body in kept.bodies()]
    assert remaining == list(range(40 - len(remaining), 40))
    assert kept.lost("max_size") == 40 - len(remaining) > 0
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.letters")) <= 8000


def test_what_can_not_be_written_is_counted_and_does_not_hold_up_the_line(tmp_path: Path) -> None:
    (tmp_path / "dead-letters").write_bytes(b"a file in the place of the directory")
    kept = Kept(tmp_path / "dead-letters")
    kept.keep(b"a", b"b")

    assert kept.lost("write_failed") == 2


def test_a_new_process_does_not_write_behind_a_torn_end(kept: Kept) -> None:
    kept.keep(b"a")
    [path] = kept.root.rglob("*.letters")
    path.write_bytes(path.read_bytes() + b"torn")
    Kept(kept.root).keep(b"b")

    assert kept.bodies() == [b"a", b"b"]


def test_what_is_accepted_goes_and_what_was_not_asked_for_stays(kept: Kept) -> None:
    kept.keep(b"a", b"b", reason="not_found")
    kept.keep(b"c", reason="too_large")
    destination = MemoryDestination(NAME)

    assert kept.replay(destination, "not_found") == Outcome(accepted=2)
    assert [f.body for f in destination.delivered] == [b"a", b"b"]
    assert kept.bodies() == [b"c"]
    assert kept.replay(destination) == Outcome(accepted=1)
    assert kept.bodies() == []
    assert list(kept.root.rglob("*.letters")) == []


def test_what_is_refused_again_is_kept_with_the_new_reason(kept: Kept) -> None:
    both = frame(request(span(name="good"), span(name="bad")), items=2)
    kept.dead_letters.keep(Letter(1, "not_found", "", [both]))

    class Picky(MemoryDestination):
        def deliver(self, frames: Sequence[Frame]) -> Delivered:
            if any(b"bad" in f.body for f in frames):
                raise Refused("bad span", "invalid_argument")
            return super().deliver(frames)

    outcome = kept.replay(Picky(NAME))
    assert (outcome.accepted, outcome.refused) == (1, 1)
    [again] = letters(kept.root, NAME)
    assert (again.reason, again.text) == ("invalid_argument", "bad span")
    assert b"good" not in again.frames[0].body


def test_what_gets_no_answer_stays(kept: Kept) -> None:
    for body in (b"a", b"b"):
        kept.keep(body)
    destination = MemoryDestination(NAME)
    destination.failures = [Unreachable("down")] * 1000

    outcome = kept.replay(destination, seconds=0.05)

    assert (outcome.accepted, outcome.left, outcome.error) == (0, 2, "down")
    assert kept.bodies() == [b"a", b"b"]


def test_a_signal_that_the_exporter_no_longer_takes_stays(kept: Kept) -> None:
    kept.dead_letters.keep(Letter(1, "refused", "", [frame(b"log", signal=LOGS)]))

    assert kept.replay(MemoryDestination(NAME)) == Outcome()
    assert kept.bodies() == [b"log"]


def test_a_replay_that_dies_is_taken_up_by_the_next_one(kept: Kept) -> None:
    """As after a kill: the file is claimed, and nobody gave it back."""
    kept.keep(b"a")
    kept.dead_letters.claim()
    kept.keep(b"b")
    destination = MemoryDestination(NAME)

    assert kept.bodies() == [b"a", b"b"]
    assert kept.replay(destination) == Outcome(accepted=2)
    assert [f.body for f in destination.delivered] == [b"a", b"b"]


def test_what_is_refused_while_letters_are_sent_again_is_kept_too(kept: Kept) -> None:
    """The running costspan writes on; it never touches a file that is being sent."""
    kept.keep(b"a")

    class WhileWriting(MemoryDestination):
        def deliver(self, frames: Sequence[Frame]) -> Delivered:
            kept.keep(b"new")
            return super().deliver(frames)

    assert kept.replay(WhileWriting(NAME)) == Outcome(accepted=1)
    assert kept.bodies() == [b"new"]


def test_two_replays_at_once_are_refused(kept: Kept) -> None:
    kept.keep(b"a")
    other = Kept(kept.root)

    with (
        kept.dead_letters.replaying(),
        pytest.raises(CostspanError, match="are being sent again already"),
    ):
        other.replay(MemoryDestination(NAME))
    assert kept.bodies() == [b"a"]
