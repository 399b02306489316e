"""The loop of one destination: every item ends in one counter, and nothing is sent twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.clock import SystemClock
from costspan.errors import Permanent, Refused, Retryable, TooLarge, Unreachable
from costspan.exporter.dead_letters import DeadLetters, letters
from costspan.exporter.destination import Delivered
from costspan.exporter.retry import RetryPolicy
from costspan.exporter.runner import Runner, join_all
from costspan.journal.memory import MemoryJournal
from costspan.model import LOGS, OWN, SOLO, TRACES, Frame, ReaderSpec
from costspan.telemetry import Telemetry
from costspan.testing import frame, request, span

NAME = "otlp"
SECOND = 1_000_000_000
SOON = RetryPolicy(initial=0.001, maximum=0.002)


class Scripted:
    """A destination that answers by what it is given and by the attempt's number."""

    name = NAME
    takes = frozenset({TRACES, LOGS})

    def __init__(self, answer: Callable[[Sequence[Frame], int], Delivered | None]) -> None:
        self._answer = answer
        self.attempts: list[list[bytes]] = []
        self.attempted = threading.Event()
        self.closed = threading.Event()

    def open(self) -> None:
        """Nothing to prepare."""

    def group(self, frames: Sequence[Frame]) -> list[list[Frame]]:
        """One group per signal."""
        groups = [[f for f in frames if f.signal == signal] for signal in (TRACES, LOGS)]
        return [group for group in groups if group]

    def deliver(self, frames: Sequence[Frame]) -> Delivered:
        self.attempts.append([f.body for f in frames])
        self.attempted.set()
        said = self._answer(frames, len(self.attempts))
        return said or Delivered(sum(f.items for f in frames))

    def close(self) -> None:
        self.closed.set()


class Line:
    """A journal, a scripted destination and its runner."""

    def __init__(
        self,
        answer: Callable[[Sequence[Frame], int], Delivered | None] = lambda *_: None,
        *,
        retry: RetryPolicy = SOON,
        linger: float = 0.0,
        max_batch_bytes: int = 4 << 20,
        consumers: int = 1,
        durable: bool = False,
        dead_letters: Path | None = None,
    ) -> None:
        self.telemetry, self.clock = Telemetry(), SystemClock()
        box = DeadLetters(dead_letters, NAME, 1 << 20, self.telemetry) if dead_letters else None
        spec = ReaderSpec(NAME, Scripted.takes, "backpressure")
        self.journal = MemoryJournal([spec], 1 << 20, self.telemetry, self.clock)
        self.destination = Scripted(answer)
        self.runner = Runner(
            self.destination, self.journal, self.telemetry, self.clock, retry=retry, linger=linger,
            max_batch_bytes=max_batch_bytes, consumers=consumers, durable=durable, dead_letters=box,
        )  # fmt: skip

    def append(self, *frames: Frame) -> None:
        self.journal.append(frames)

    def drain(self, seconds: float = 5.0) -> int:
        self.runner.drain(self.clock.monotonic() + round(seconds * SECOND))
        return join_all([self.runner])

    def run(self, *frames: Frame) -> int:
        """Deliver these frames, all in one batch, and stop."""
        self.append(*frames)
        self.runner.drain(self.clock.monotonic() + 5 * SECOND)
        self.runner.start()
        return join_all([self.runner])

    def accounts(self) -> dict[str, int]:
        t = self.telemetry
        table = (t.sent, t.rejected, t.dead_lettered, t.dropped)
        names = ("sent", "rejected", "dead_lettered", "dropped")
        return {n: c.exact(NAME) for n, c in zip(names, table, strict=True) if c.exact(NAME)}


def frames(*bodies: bytes, signal: str = TRACES) -> list[Frame]:
    return [frame(body, signal=signal) for body in bodies]


def test_small_requests_leave_joined() -> None:
    line = Line()
    line.run(*frames(b"a", b"b", b"c"))

    assert line.destination.attempts == [[b"a", b"b", b"c"]]
    assert line.accounts() == {"sent": 3}
    assert line.telemetry.export_requests.exact(NAME) == 1
    assert line.telemetry.exporter_up.value(NAME) == 1


def test_what_arrives_while_it_lingers_joins_the_batch() -> None:
    line = Line(linger=30)
    line.append(*frames(b"a"))
    line.runner.start()
    line.append(*frames(b"b"))  # during the 30 s, which the drain cuts short
    line.drain()

    assert line.destination.attempts == [[b"a", b"b"]]


def test_what_is_in_a_hurry_takes_along_what_waits_for_company() -> None:
    line = Line(linger=30)
    line.append(*frames(b"a"))
    line.runner.start()
    line.append(*frames(b"b", signal=LOGS))
    line.runner.hurry()

    assert line.destination.attempted.wait(10)
    line.drain()
    assert line.destination.attempts == [[b"a"], [b"b"]]


def test_who_is_behind_by_more_than_a_batch_does_not_linger() -> None:
    """Frames seldom fill a batch to the byte: waiting for more would cap what a line can carry."""
    line = Line(linger=30, max_batch_bytes=3)
    line.append(*frames(b"aa", b"bb"))
    line.runner.start()

    assert line.destination.attempted.wait(10)
    line.drain()
    assert line.destination.attempts == [[b"aa"], [b"bb"]]


def test_a_group_is_tried_until_it_is_accepted() -> None:
    def third_time(_frames: Sequence[Frame], attempt: int) -> None:
        if attempt < 3:
            raise Unreachable("down", reason="unavailable")

    line = Line(third_time)
    line.run(*frames(b"a"))

    assert line.destination.attempts == [[b"a"]] * 3
    assert line.telemetry.send_failures.exact(NAME, "unavailable") == 2
    assert line.accounts() == {"sent": 1}
    assert line.runner.last_error == ""


def test_a_later_group_that_fails_does_not_send_an_earlier_one_again() -> None:
    def logs_fail_first(given: Sequence[Frame], attempt: int) -> None:
        if given[0].signal == LOGS and attempt < 4:
            raise Unreachable("down")

    line = Line(logs_fail_first)
    line.run(*frames(b"span"), *frames(b"log", signal=LOGS))

    assert line.destination.attempts == [[b"span"], [b"log"], [b"log"], [b"log"]]


def test_the_cursor_moves_once_everything_that_was_read_has_a_verdict() -> None:
    line = Line()
    line.run(*frames(b"a", b"b"))

    assert line.journal.backlog(NAME).frames == 0


def test_the_delay_that_a_destination_asks_for_is_kept() -> None:
    line = Line(_asks_for_a_minute)
    line.append(*frames(b"a"))
    line.runner.start()
    line.destination.attempted.wait(5)

    assert line.drain(0.05) == 1  # it was still waiting: one attempt, and one after the wake-up
    assert len(line.destination.attempts) <= 2


def _asks_for_a_minute(*_: object) -> None:
    raise Unreachable("slow down", after=60.0)


def test_a_drain_wakes_a_destination_that_waits_and_tries_once_more() -> None:
    def second_time(_frames: Sequence[Frame], attempt: int) -> None:
        if attempt == 1:
            raise Unreachable("down", after=60.0)

    line = Line(second_time)
    line.append(*frames(b"a"))
    line.runner.start()
    line.destination.attempted.wait(5)

    assert line.drain() == 0
    assert line.accounts() == {"sent": 1}


def test_a_poisoned_frame_is_dead_lettered_and_its_neighbours_go_through() -> None:
    def poison(given: Sequence[Frame], _attempt: int) -> None:
        if any(f.body == b"bad" for f in given):
            raise Refused("bad span", "invalid_argument")

    line = Line(poison)
    line.run(*frames(b"a", b"b", b"bad", b"c", b"d"))

    assert line.accounts() == {"sent": 4, "dead_lettered": 1}
    assert line.telemetry.dead_lettered.exact(NAME, TRACES, "invalid_argument") == 1


def test_a_batch_that_is_too_large_is_halved_in_order() -> None:
    def at_most_two(given: Sequence[Frame], _attempt: int) -> None:
        if len(given) > 2:
            raise TooLarge("larger than max")

    line = Line(at_most_two)
    line.run(*frames(b"a", b"b", b"c", b"d"))

    assert line.destination.attempts[1:] == [[b"a", b"b"], [b"c", b"d"]]
    assert line.accounts() == {"sent": 4}


def test_a_refusal_of_the_sender_is_not_repeated_for_each_frame() -> None:
    def no_service(*_: object) -> None:
        raise Refused("no such service", "unimplemented", Refused.SENDER)

    line = Line(no_service)
    line.run(*frames(b"a", b"b", b"c", b"d"))

    assert len(line.destination.attempts) == 1
    assert line.accounts() == {"dead_lettered": 4}
    assert line.runner.last_error == "no such service"


def spans(*names: str) -> bytes:
    return request(*(span(name=name) for name in names))


def test_one_bad_span_inside_a_request_costs_itself_and_a_few_attempts() -> None:
    def poison(given: Sequence[Frame], _attempt: int) -> None:
        if any(b"poison" in f.body for f in given):
            raise Refused("bad span", "invalid_argument")

    line = Line(poison)
    names = [f"span {n:02}" for n in range(63)]
    line.run(frame(spans(*names[:40], "poison", *names[40:]), items=64))

    assert line.accounts() == {"sent": 63, "dead_lettered": 1}
    assert len(line.destination.attempts) == 13  # log2(64) cuts, and both halves of each


def test_a_refused_span_is_written_down_with_the_destinations_words(tmp_path: Path) -> None:
    def poison(given: Sequence[Frame], _attempt: int) -> None:
        if any(b"poison" in f.body for f in given):
            raise Refused("bad span", "invalid_argument")

    line = Line(poison, dead_letters=tmp_path)
    line.run(frame(spans("a", "poison", "b"), items=3)._replace(metadata=(("x-tenant", "blue"),)))

    [letter] = letters(tmp_path, NAME)
    assert (letter.reason, letter.text, letter.items) == ("invalid_argument", "bad span", 1)
    assert letter.frames[0].body == spans("poison")
    assert letter.frames[0].metadata == (("x-tenant", "blue"),)


def test_a_part_that_was_accepted_is_not_sent_again_when_its_sibling_fails() -> None:
    attempts: list[str] = []

    def second_half_is_slow(given: Sequence[Frame], attempt: int) -> None:
        attempts.append("".join(name for name in "abcd" if name.encode() * 9 in given[0].body))
        if attempt == 1:
            raise TooLarge("larger than max")
        if attempt in (3, 4):
            raise Unreachable("down")

    line = Line(second_half_is_slow)
    line.run(frame(spans("a" * 9, "b" * 9, "c" * 9, "d" * 9), items=4))

    assert attempts == ["abcd", "ab", "cd", "cd", "cd"]
    assert line.accounts() == {"sent": 4}


def test_a_frame_that_must_not_be_opened_is_refused_alone() -> None:
    def refuse_everything(*_: object) -> None:
        raise Refused("bad span", "invalid_argument")

    line = Line(refuse_everything)
    line.run(frame(spans("a", "b"), items=2)._replace(flags=SOLO))

    assert len(line.destination.attempts) == 1
    assert line.accounts() == {"dead_lettered": 2}


def test_a_destination_that_refuses_everything_is_not_asked_for_every_span() -> None:
    def refuse_everything(*_: object) -> None:
        raise Refused("no", "invalid_argument")

    line = Line(refuse_everything)
    line.run(frame(spans(*map(str, range(1000))), items=1000))

    assert line.accounts() == {"dead_lettered": 1000}
    assert len(line.destination.attempts) < 150


def test_a_limit_that_a_destination_names_is_kept_to() -> None:
    sizes: list[int] = []

    def at_most_300(given: Sequence[Frame], _attempt: int) -> None:
        sizes.append(sum(len(f.body) for f in given))
        if sizes[-1] > 300:
            raise TooLarge(f"larger than max ({sizes[-1]} vs. 300)", limit=300)

    line = Line(at_most_300)
    line.run(*(frame(spans(*"abcdef"), items=6) for _ in range(4)))

    assert [size for size in sizes if size > 300] == sizes[:1]
    assert line.accounts() == {"sent": 24}


def test_a_refusal_that_may_be_the_destinations_own_fault_is_believed_the_fifth_time() -> None:
    """Failures of another kind do not count: a server that comes back says such things too."""

    def comes_back(_given: Sequence[Frame], attempt: int) -> None:
        if attempt < 9:
            raise Unreachable("down")
        if attempt < 13:
            raise Refused("INTERNAL", "internal", Refused.DOUBTFUL)

    def crashes(given: Sequence[Frame], _attempt: int) -> None:
        if any(f.body == b"bad" for f in given):
            raise Refused("INTERNAL", "internal", Refused.DOUBTFUL)

    passing, poisoned = Line(comes_back), Line(crashes)
    passing.run(*frames(b"a"))
    poisoned.run(*frames(b"a", b"bad"))

    assert passing.accounts() == {"sent": 1}
    assert poisoned.accounts() == {"sent": 1, "dead_lettered": 1}
    assert len(poisoned.destination.attempts) == 5 + 2  # its halves are believed at once


def test_several_consumers_deliver_side_by_side_and_the_cursor_waits_for_the_slow_one() -> None:
    """The first two deliveries wait for each other, the second then for the others."""
    together, others = threading.Barrier(2, timeout=10), threading.Event()
    rest = iter([b"c", b"d"])

    def meet(given: Sequence[Frame], _attempt: int) -> None:
        body = given[0].body
        if body in (b"a", b"b"):
            together.wait()
        if body == b"b":
            assert others.wait(10)
            assert line.journal.backlog(NAME).frames == 4
        if body in (b"c", b"d") and next(rest) and body == b"d":
            others.set()

    line = Line(meet, consumers=2)
    line.destination.group = lambda given: [[f] for f in given]  # type: ignore[method-assign, assignment]
    line.run(*frames(b"a", b"b", b"c", b"d"))

    assert line.accounts() == {"sent": 4}
    assert line.journal.backlog(NAME).frames == 0


def test_one_failing_consumer_loses_nothing_of_its_neighbours() -> None:
    failing = threading.Semaphore(5)

    def some_fail(given: Sequence[Frame], _attempt: int) -> None:
        if given[0].body in (b"b", b"d") and failing.acquire(blocking=False):
            raise Unreachable("down")

    line = Line(some_fail, consumers=3)
    line.destination.group = lambda given: [[f] for f in given]  # type: ignore[method-assign, assignment]
    line.run(*frames(b"a", b"b", b"c", b"d", b"e"))

    accepted = sorted(body for [body] in line.destination.attempts)
    assert {*accepted} == {b"a", b"b", b"c", b"d", b"e"}
    assert len(accepted) == 5 + 5  # each failure cost one more attempt of the same frame
    assert line.accounts() == {"sent": 5}


def test_a_round_is_planned_before_it_is_tried() -> None:
    """After a restart the same frames must make the same deliveries."""
    planned: list[int] = []

    def is_planned(given: Sequence[Frame], _attempt: int) -> None:
        assert planned[-1] >= given[-1].seq

    def plan(reader: str, seq: int) -> None:
        assert reader == NAME
        planned.append(seq)

    line = Line(is_planned)
    line.journal.plan = plan  # type: ignore[method-assign]  # the journal in memory keeps none
    line.run(*frames(b"a", b"b"))

    assert planned == [2]


def test_what_a_durable_journal_keeps_is_not_counted_as_dropped() -> None:
    """Nor is anything of a round that it will send again counted as sent."""

    def logs_are_down(given: Sequence[Frame], _attempt: int) -> None:
        if given[0].signal == LOGS:
            raise Unreachable("down")

    line = Line(logs_are_down, durable=True)
    line.append(*frames(b"span"), *frames(b"log", b"log", signal=LOGS))
    line.runner.start()

    assert line.drain(0.05) == 3
    assert line.accounts() == {}


def test_destinations_that_hang_are_given_up_side_by_side() -> None:
    over = threading.Event()  # neither the deadline nor close() wakes them

    def hang(*_: object) -> None:
        over.wait(20)

    lines = [Line(hang) for _ in range(3)]
    for line in lines:
        line.append(*frames(b"a"))
        line.runner.start()
        assert line.destination.attempted.wait(5)
        line.runner.drain(line.clock.monotonic())
    started = time.monotonic()

    assert join_all([line.runner for line in lines]) == 3
    over.set()
    assert time.monotonic() - started < 4  # 2 s for all, not for each


def test_dead_letters_are_logged_once_per_kind(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: object) -> None:
        raise Refused("bad span", "invalid_argument")

    with caplog.at_level(logging.ERROR):
        Line(refuse).run(*frames(b"a", b"b", b"c"))

    assert len(caplog.records) == 1
    assert "refused for good (invalid_argument): bad span" in caplog.text


def test_partial_success_is_counted_as_rejected() -> None:
    line = Line(lambda *_: Delivered(sent=1, rejected=2))
    line.run(frame(b"a", items=3))

    assert line.accounts() == {"sent": 1, "rejected": 2}


def test_a_fault_of_the_destination_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    def bug(_frames: Sequence[Frame], attempt: int) -> None:
        if attempt == 1:
            raise ZeroDivisionError

    line = Line(bug)
    line.run(*frames(b"a"))

    assert line.accounts() == {"sent": 1}
    assert line.telemetry.send_failures.exact(NAME, "internal") == 1
    assert "a delivery failed unexpectedly" in caplog.text


def test_a_fault_while_grouping_does_not_end_the_thread() -> None:
    line = Line()
    grouping = line.destination.group
    faults = iter([ZeroDivisionError()])

    def group(given: Sequence[Frame]) -> list[list[Frame]]:
        for fault in faults:
            raise fault
        return grouping(given)

    line.destination.group = group  # type: ignore[method-assign, assignment]  # the fault under test
    line.run(*frames(b"a"))

    assert line.accounts() == {"sent": 1}


def test_what_the_deadline_leaves_behind_is_counted_per_signal() -> None:
    def logs_are_down(given: Sequence[Frame], _attempt: int) -> None:
        if given[0].signal == LOGS:
            raise Unreachable("down")

    line = Line(logs_are_down)
    line.append(*frames(b"span"), *frames(b"log", b"log", signal=LOGS))
    line.runner.start()
    left = line.drain(0.05)

    assert left == 2
    assert line.telemetry.dropped.exact(NAME, LOGS, "shutdown") == 2
    assert line.accounts() == {"sent": 1, "dropped": 2}


def test_a_delivery_that_hangs_is_cancelled_at_the_deadline() -> None:
    line = Line()

    def hang(*_: object) -> None:
        line.destination.closed.wait(5)
        raise Unreachable("cancelled")

    line.destination._answer = hang
    line.append(*frames(b"a"))
    line.runner.start()
    line.destination.attempted.wait(5)

    assert line.drain(0.01) == 1
    assert line.accounts() == {"dropped": 1}


def test_rows_of_our_own_are_accounted_like_everything_else() -> None:
    line = Line()
    line.run(frame(b"own", items=2)._replace(flags=OWN))

    assert line.destination.attempts == [[b"own"]]
    assert line.accounts() == {"sent": 2}


def test_a_destination_that_never_started_leaves_everything() -> None:
    line = Line()
    line.append(*frames(b"a"))

    assert line.drain(0) == 1


def test_a_closed_journal_does_not_keep_the_drain_waiting() -> None:
    line = Line()
    line.runner.start()
    line.journal.close()

    assert line.drain() == 0


verdicts = st.sampled_from(
    [None, None, Unreachable("down"), Refused("no"), TooLarge("big"), ValueError("bug"), "partial"]
)


@settings(max_examples=40, deadline=None)
@given(said=st.lists(verdicts, max_size=8), sizes=st.lists(st.integers(1, 9), max_size=8))
def test_accepted_is_sent_or_rejected_or_dead_lettered_or_dropped(
    said: list[Exception | str | None], sizes: list[int]
) -> None:
    answers: Iterator[Exception | str | None] = iter(said)

    def answer(given: Sequence[Frame], _attempt: int) -> Delivered | None:
        found = next(answers, None)
        if isinstance(found, Permanent | Retryable | ValueError):
            raise found
        items = sum(f.items for f in given)
        return Delivered(items - 1, 1) if found == "partial" else None

    line = Line(answer)
    logging.disable(logging.CRITICAL)
    left = line.run(*(frame(b"x", items=size) for size in sizes)) if sizes else 0
    logging.disable(logging.NOTSET)

    assert sum(line.accounts().values()) == sum(sizes)
    assert left == line.accounts().get("dropped", 0)


def test_a_destination_without_logs_is_asked_once_and_spared_our_events() -> None:
    """What clients send is not ours to leave out: that is refused each time, and kept."""

    def no_logs(given: Sequence[Frame], _attempt: int) -> None:
        if given[0].signal == LOGS:
            raise Refused("unknown service", "unimplemented", Refused.SENDER)

    line = Line(no_logs, max_batch_bytes=1)  # a round for each frame
    ours = frame(b"ours", signal=LOGS)._replace(flags=OWN)
    line.run(ours, *frames(b"a"), ours, *frames(b"theirs", signal=LOGS), ours)

    assert line.destination.attempts.count([b"ours"]) == 1
    assert line.accounts() == {"sent": 1, "dead_lettered": 1, "dropped": 3}
    assert line.telemetry.dropped.exact(NAME, LOGS, "not_taken") == 3
