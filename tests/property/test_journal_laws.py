"""The disk journal against a list: whatever is appended, read, killed and damaged.

What was acked comes out for every reader, in order and as it was, unless it is counted as lost.
"""

from __future__ import annotations

import shutil
import tempfile
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from costspan.clock import SystemClock
from costspan.errors import Full
from costspan.journal.disk import DiskJournal, DiskSettings
from costspan.model import LOGS, OWN, SOLO, TRACES, Frame, ReaderSpec
from costspan.telemetry import Telemetry

KIB = 1024
PATIENT = ReaderSpec("otlp", frozenset({TRACES, LOGS}), "backpressure")
HASTY = ReaderSpec("otlphttp/other", frozenset({TRACES}), "drop_oldest")
LEDGER = ReaderSpec("ledger", frozenset({TRACES}), "drop_oldest", counted=False, releases=True)
READERS = (PATIENT, HASTY)
EVERYTHING = 1 << 30
frames = st.builds(
    Frame,
    seq=st.just(0),
    received_ns=st.integers(1, 10**18),
    signal=st.sampled_from([TRACES, LOGS]),
    flags=st.sampled_from([0, SOLO, OWN]),
    metadata=st.sampled_from([(), (("tenant", "a"),)]),
    body=st.integers(0, 3 * KIB).map(lambda size: b"\xf5cjr" + b"b" * size),
    calls=st.sampled_from([b"", b"calls"]),
    items=st.integers(0, 9),
)
readers = st.sampled_from(READERS)


def is_subsequence(some: list[Frame], of: list[Frame]) -> bool:
    rest = iter(of)
    return all(any(each == other for other in rest) for each in some)


class JournalMachine(RuleBasedStateMachine):
    """One directory, many lives."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="journal-laws-"))
        self.names = (f"life-{n}" for n in count())
        self.place = self.root / next(self.names)
        self.waiting: dict[ReaderSpec, list[Frame]] = {reader: [] for reader in READERS}
        self.planned: list[Frame] = []
        self.traces: list[Frame] = []  # all that the ledger was ever given
        self.released = 0

    @initialize()
    def begin(self) -> None:
        self.telemetry = Telemetry()
        self.done = dict.fromkeys(READERS, 0)  # items committed in this life
        limits = DiskSettings(self.place, max_size=64 * KIB, fsync="off")
        self.journal = DiskJournal((*READERS, LEDGER), limits, self.telemetry, SystemClock())

    @rule(batch=st.lists(frames, min_size=1, max_size=4))
    def append(self, batch: list[Frame]) -> None:
        try:
            last = self.journal.append(batch)
        except Full:
            return
        for n, frame in enumerate(batch, start=last - len(batch) + 1):
            if frame.signal in LEDGER.takes:
                self.traces.append(frame._replace(seq=n))
            for reader in READERS:
                if frame.signal in reader.takes:
                    self.waiting[reader].append(frame._replace(seq=n))

    @rule(reader=readers, most=st.sampled_from([1, 5 * KIB, EVERYTHING]), part=st.integers(0, 9))
    def read_and_commit(self, reader: ReaderSpec, most: int, part: int) -> None:
        got = self.journal.read(reader.name, most, 0)
        waiting = self.waiting[reader]
        if reader is PATIENT:
            assert got == waiting[: len(got)]
            assert bool(got) == bool(waiting)
        else:
            assert is_subsequence(got, waiting)
        got = got[: part + 1]
        if not got:
            return
        seq = got[-1].seq
        self.journal.commit(reader.name, seq)
        self.done[reader] += sum(frame.items for frame in got)
        self.waiting[reader] = [frame for frame in waiting if frame.seq > seq]
        if reader is PATIENT:
            self.planned = [frame for frame in self.planned if frame.seq > seq]

    @rule(part=st.integers(0, 9), release=st.booleans())
    def the_ledger_reads(self, part: int, *, release: bool) -> None:
        got = self.journal.read(LEDGER.name, 5 * KIB, 0)[: part + 1]
        assert is_subsequence(got, self.traces)
        if got:
            self.journal.commit(LEDGER.name, got[-1].seq)
        if got and release:
            self.released = got[0].seq
            self.journal.release(LEDGER.name, self.released)

    @rule(most=st.integers(1, 20 * KIB))
    def plan(self, most: int) -> None:
        got = self.journal.read(PATIENT.name, most, 0)
        if got:
            self.planned = got
            self.journal.plan(PATIENT.name, got[-1].seq)

    @precondition(lambda self: self.planned)
    @rule()
    def a_planned_round_comes_as_it_was(self) -> None:
        assert self.journal.read(PATIENT.name, 1, 0) == self.planned

    @rule()
    def restart(self) -> None:
        self.journal.end()
        self.begin()
        self.compare(most_lost=0)

    @rule()
    def kill(self) -> None:
        self.leave()
        self.begin()
        self.compare(most_lost=0)

    @rule(junk=st.binary(min_size=1, max_size=300))
    def kill_while_it_writes(self, junk: bytes) -> None:
        self.leave()
        segments = sorted(self.place.glob("*.segment"))
        if segments:
            with segments[-1].open("ab") as newest:
                newest.write(junk)
        self.begin()
        self.compare(most_lost=0)
        if segments:
            assert self.telemetry.journal_truncated.exact() == len(junk)

    @rule(data=st.data())
    def kill_and_flip_a_bit(self, data: st.DataObject) -> None:
        self.leave()
        segments = sorted(self.place.glob("*.segment"))
        if segments:
            path = data.draw(st.sampled_from(segments))
            content = bytearray(path.read_bytes())
            bit = data.draw(st.integers(0, len(content) * 8 - 1))
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)
        self.begin()
        whole = self.telemetry.journal_set_aside.exact()
        self.compare(most_lost=EVERYTHING if whole else 1)
        counted = self.telemetry.journal_corrupt.exact() + self.telemetry.journal_truncated.exact()
        assert whole or counted or not segments

    @rule(frame=frames)
    def damage_is_stepped_over_while_it_runs(self, frame: Frame) -> None:
        """Nothing that is appended after a damaged start gets lost."""
        self.append([frame])

    @invariant()
    def accepted_is_committed_and_dropped_and_queued(self) -> None:
        for reader in READERS:
            accepted = self.telemetry.exporter_accepted.exact(reader.name)
            dropped = self.telemetry.dropped.exact(reader.name)
            queued = self.journal.backlog(reader.name).items
            assert accepted == self.done[reader] + dropped + queued

    @invariant()
    def what_waits_stays_within_its_limit(self) -> None:
        size = sum(path.stat().st_size for path in self.place.glob("*.segment"))
        assert size <= 64 * KIB + 16 * KIB  # one request into an empty journal, or rounds in hand

    def leave(self) -> None:
        """The files as a killed process leaves them."""
        left = self.root / next(self.names)
        shutil.copytree(self.place, left)
        self.journal.end()
        shutil.rmtree(self.place)
        self.place = left

    def compare(self, most_lost: int) -> None:
        """Read all that is left, and remember it as what waits."""
        self.compare_ledger(most_lost)
        planned, self.planned = {frame.seq for frame in self.planned}, []
        for reader in READERS:
            waiting = self.waiting[reader]
            self.journal.read(
                reader.name, EVERYTHING, 0
            )  # ends with a round of which nothing is left
            got = self.journal.read(reader.name, EVERYTHING, 0)
            assert is_subsequence(got, waiting)
            if reader is not PATIENT:
                self.waiting[reader] = got
                continue
            expected = waiting
            if any(frame.seq in planned for frame in got):
                expected = [frame for frame in waiting if frame.seq in planned]
                self.planned = got
            lost = {frame.seq for frame in expected} - {frame.seq for frame in got}
            assert len(lost) <= most_lost
            if most_lost > 1:  # who knows what was in a segment that was set aside
                self.planned = []
                self.journal.commit(reader.name, EVERYTHING)
                self.done[reader] += self.telemetry.exporter_accepted.exact(reader.name)
                self.waiting[reader] = []
            else:
                self.waiting[reader] = [frame for frame in waiting if frame.seq not in lost]

    def compare_ledger(self, most_lost: int) -> None:
        """It gets again all that it has not released, and is told what of it is gone."""
        gone = self.journal.backlog(LEDGER.name).cursor
        got = self.journal.read(LEDGER.name, EVERYTHING, 0)
        assert gone >= self.released
        self.traces = [frame for frame in self.traces if frame.seq > gone]
        assert is_subsequence(got, self.traces)
        assert len(self.traces) - len(got) <= most_lost
        self.traces = got

    def teardown(self) -> None:
        self.journal.end()
        shutil.rmtree(self.root)


JournalMachine.TestCase.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
TestJournal = JournalMachine.TestCase
