"""costspan as it ships, which kills itself at the k-th passage of a point: a script, run by a test.

COSTSPAN_CRASH is `point:k`. COSTSPAN_MUTATION breaks a promise on purpose, to see that the checks
of the crash rounds notice. COSTSPAN_CLOCK_STEP: each SIGUSR1 sets the wall clock by so many
seconds, as this process sees it. The product has no hooks for this: functions are wrapped from
outside, and a name that is no longer there ends it loudly.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

CRASH, MUTATION = "COSTSPAN_CRASH", "COSTSPAN_MUTATION"
CLOCK_STEP = "COSTSPAN_CLOCK_STEP"
BEFORE, AFTER, HALFWAY = "before", "after", "halfway"
_LATE = 0.3  # seconds
_CHECKPOINT_EVERY = 300_000_000  # nanoseconds, in place of 10 s: these lives are short


class Point(NamedTuple):
    """Where in the program, and whether before or after it was done."""

    function: str  # module:qualified.name
    when: str


POINTS = {
    "before append": Point("costspan.journal.disk:DiskJournal.append", BEFORE),
    "torn write": Point("costspan.journal.segment:_write_all", HALFWAY),
    "before fsync": Point("costspan.journal.segment:SegmentFile.sync", BEFORE),
    "after fsync": Point("costspan.journal.segment:SegmentFile.sync", AFTER),
    "before ack": Point("costspan.pipeline:Pipeline.accept", AFTER),
    "after plan": Point("costspan.journal.disk:DiskJournal.plan", AFTER),
    "before send": Point("costspan.exporter.otlp.grpc:OtlpGrpc.deliver", BEFORE),
    "after send": Point("costspan.exporter.otlp.grpc:OtlpGrpc.deliver", AFTER),
    "before insert": Point("costspan.exporter.clickhouse.connection:Connection.insert", BEFORE),
    "after insert": Point("costspan.exporter.clickhouse.connection:Connection.insert", AFTER),
    "before cursor": Point("costspan.journal.cursor:Cursor.write", BEFORE),
    "after cursor": Point("costspan.journal.cursor:Cursor.write", AFTER),
    "new segment": Point("costspan.journal.segment:SegmentFile.__init__", AFTER),
    "before checkpoint": Point("costspan.ledger.checkpoint:Checkpoints.publish", BEFORE),
    "after checkpoint": Point("costspan.ledger.checkpoint:Checkpoints.publish", AFTER),
    "before release": Point("costspan.journal.disk:DiskJournal.release", BEFORE),
    "in replay": Point("costspan.ledger.ledger:TraceLedger.resume", AFTER),
    "in recovery": Point("costspan.journal.recovery:recover", BEFORE),
}


def _owner(function: str) -> tuple[Any, str]:
    module, _, path = function.partition(":")
    *parents, name = path.split(".")
    owner: Any = import_module(module)
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, name


def _replace(function: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    owner, name = _owner(function)
    setattr(owner, name, make(getattr(owner, name)))


class _Countdown:
    """The k-th passage is the last thing that this process does."""

    def __init__(self, passages: int) -> None:
        self._left = passages
        self._lock = threading.Lock()

    def last(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left == 0

    def passage(self) -> None:
        if self.last():
            die()


def die() -> None:
    """As the kernel does it: no handler, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def arm(point: Point, passages: int) -> None:
    """Die at this passage of the point."""
    countdown = _Countdown(passages)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            if point.when == BEFORE:
                countdown.passage()
            if point.when == HALFWAY and countdown.last():
                tear(*args)
            done = original(*args, **named)
            if point.when == AFTER:
                countdown.passage()
            return done

        return wrapped

    _replace(point.function, make)


def tear(fd: int, parts: Sequence[bytes], at: int) -> None:
    """Write half of what should be written, and die."""
    data = b"".join(parts)
    os.pwrite(fd, data[: len(data) // 2], at)
    die()


def ack_before_append(original: Callable[..., int]) -> Callable[..., int]:
    """Return at once and append a little later."""

    def early(journal: Any, frames: Any) -> int:
        timer = threading.Timer(_LATE, original, (journal, frames))
        timer.daemon = True
        timer.start()
        return 0

    return early


def cursor_before_delivery(original: Callable[..., None]) -> Callable[..., None]:
    """Pass what is about to be tried, as if it had arrived."""

    def early(journal: Any, reader: str, seq: int) -> None:
        original(journal, reader, seq)
        journal.commit(reader, seq)

    return early


MUTATIONS: dict[str, tuple[str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "ack before append": ("costspan.journal.disk:DiskJournal.append", ack_before_append),
    "cursor before delivery": ("costspan.journal.disk:DiskJournal.plan", cursor_before_delivery),
}


def step_clock(seconds: float) -> None:
    """Set `SystemClock` by this at every SIGUSR1; the monotonic clock goes on."""
    steps = 0

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal steps
        steps += 1

    def make(original: Callable[[Any], int]) -> Callable[[Any], int]:
        return lambda clock: original(clock) + round(steps * seconds * 1e9)

    signal.signal(signal.SIGUSR1, on_signal)
    _replace("costspan.clock:SystemClock.now", make)


def main() -> None:
    """`costspan run` with what the environment asks for."""
    if mutation := os.environ.get(MUTATION):
        _replace(*MUTATIONS[mutation])
    if seconds := os.environ.get(CLOCK_STEP):
        step_clock(float(seconds))
    if crash := os.environ.get(CRASH):
        point, _, passages = crash.partition(":")
        import_module("costspan.ledger.continuity")._EVERY = _CHECKPOINT_EVERY  # type: ignore[attr-defined]
        arm(POINTS[point], int(passages))
    from costspan.cli import main as costspan  # noqa: PLC0415  (the functions are in place now)

    costspan()


if __name__ == "__main__":
    main()
