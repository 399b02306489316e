"""Laws of the ledger's restarts: wherever a process ends, every span is in one row, once.

A run is a list of things that happen to a ledger over a journal that outlives it: frames come,
time passes, the thread takes a turn and may be killed at any of its operations, the process is
stopped, the newest checkpoint is damaged. At the end all is read, and the rows are asked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from costspan.ledger.checkpoint import Checkpoints, Draft, Pieces
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.reader import READER, LedgerReader
from costspan.ledger.rollup import rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.model import (
    ALREADY_METERED,
    CALL_ROWS,
    TRACE_TOTALS,
    TRACES,
    WITNESS,
    Frame,
    LlmCall,
    ReaderSpec,
    TraceTotals,
    decode_calls,
    decode_totals,
)
from costspan.telemetry import Telemetry
from costspan.testing import START, ManualClock
from durable_journal import DurableJournal, Fuse, Killed
from ledger_samples import Span, body_of, calls, frame, ident, span_of
from ledger_strategies import drawn_traces, traces
from trace_answers import answers_of, right, spans_of, summed, sums_of
from trace_drawing import FLAT, Told
from trace_oracle import Truth

LEDGER = ReaderSpec(READER, frozenset({TRACES}), "drop_oldest", counted=False, releases=True)
SHARED_MEMORY = Path("/dev/shm")
# Mostly too short for a checkpoint: what happened since the last one is what a replay may get wrong
PAUSES = st.sampled_from([0.0, 0.1, 0.2, 0.2, 0.4, 0.4, 0.4, 11.0])
QUICK = LedgerSettings(root_grace=0.2, quiet=0.2, idle=0.3, late_window=0.3, amend_debounce=0.2)
LIMITS = [
    QUICK,
    QUICK,
    replace(QUICK, max_traces=1),
    replace(QUICK, max_traces=2),
    replace(QUICK, max_spans=3),
    replace(QUICK, idle=30.0, checkpoint=0.1, local_roots=True),
    LedgerSettings(),
]
WARM = replace(QUICK, late_window=1e9, max_age=1e9)


class Burning:
    """Pieces; each may be where it ends."""

    def __init__(self, pieces: Pieces, fuse: Fuse) -> None:
        self._pieces, self._fuse = pieces, fuse

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._fuse.burn()
            yield piece


class FusedCheckpoints(Checkpoints):
    """Each of its operations is a place to be killed at; a checkpoint takes many turns."""

    fuse: Fuse
    drawn_up: Draft | None = None

    def draft(self, seq: int, pieces: Pieces) -> Draft | None:
        self.fuse.burn()
        self.drawn_up = super().draft(seq, Burning(pieces, self.fuse))
        self.fuse.burn()
        return self.drawn_up

    def _sync_directory(self) -> None:
        self.fuse.burn()
        super()._sync_directory()

    def die(self) -> None:
        """As the kernel does with its files."""
        if self.drawn_up is not None:
            self.drawn_up.discard()


class Store:
    """What a store would hold of all rows that ever were in the journal."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.totals: dict[tuple[bytes, str, int], TraceTotals] = {}
        self.calls: dict[tuple[bytes, bytes], LlmCall] = {}
        for one in frames:
            if one.signal == TRACE_TOTALS:
                for row in decode_totals(one.body):
                    key = (row.trace_id, row.writer, row.generation)
                    if key not in self.totals or self.totals[key].version <= row.version:
                        self.totals[key] = row
            rows = decode_calls(one.body if one.signal == CALL_ROWS else one.calls)
            for call in rows:
                held = self.calls.get((call.trace_id, call.span_id))
                if held is None or held.version <= call.version:
                    self.calls[call.trace_id, call.span_id] = call


class Process(NamedTuple):
    """One life of the ledger."""

    telemetry: Telemetry
    reader: LedgerReader
    checkpoints: FusedCheckpoints


class Lives(RuleBasedStateMachine):
    """One ledger after another over the same journal. Subclasses say what is sent and expected."""

    choices: Sequence[LedgerSettings] = LIMITS

    def __init__(self) -> None:
        super().__init__()
        parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        self.directory = Path(tempfile.mkdtemp(dir=parent))
        self.fuse = Fuse()
        self.clock = ManualClock(START)
        self.journal = DurableJournal([LEDGER], self.fuse)
        self.limits = self.choices[0]
        self.kills = 0
        self.sent: dict[bytes, dict[bytes, Span]] = {}
        self.process = self.started()

    def started(self) -> Process:
        telemetry = Telemetry()
        ledger = TraceLedger(self.limits, "w", telemetry)
        checkpoints = FusedCheckpoints(self.directory, self.journal.identity, telemetry)
        checkpoints.fuse, checkpoints.at_once = self.fuse, 1 + self.kills % 3
        reader = LedgerReader(self.journal, ledger, self.clock, telemetry, checkpoints)
        return Process(telemetry, reader, checkpoints)

    def restarted(self) -> None:
        self.fuse.set(None)
        self.kills += 1
        self.process.checkpoints.die()
        self.journal.restart()
        self.clock.advance(-3600 if self.kills % 2 else 3600)  # a monotonic clock starts anywhere
        self.process = self.started()

    def turn(self, operations: int | None) -> None:
        self.fuse.set(operations)
        try:
            self.process.reader.step()
        except Killed:
            self.restarted()
        self.fuse.set(None)

    def send(self, spans: Sequence[Span]) -> None:
        for one in spans:
            self.sent.setdefault(one.head.trace_id, {})[one.head.span_id] = one
        made = frame(0, spans, self.clock.now())
        self.journal.append([made._replace(body=body_of(spans))])

    def draw_spans(self, drawn: Sequence[Sequence[Span]]) -> None:
        """One trace of each."""
        self.pool = [
            span_of(one, bytes([number]) * 16)
            for number, spans in enumerate(drawn, 1)
            for one in spans
        ]

    def remember_all(self) -> None:
        """A trace is remembered from its first usage-bearing span on; one without is dropped."""
        bearing = [one for one in self.pool if one.call is not None and one.call.role != WITNESS]
        first = {one.head.trace_id: one for one in reversed(bearing)}
        self.pool = [one for one in self.pool if one.head.trace_id in first] or self.pool
        self.send(list(first.values()))

    @rule(
        picked=st.lists(st.integers(0, 99), min_size=1, max_size=4),
        pauses=st.lists(PAUSES, max_size=4),
    )
    def a_request_comes(self, picked: list[int], pauses: list[float]) -> None:
        """Any spans of any traces, some of them again; then the thread takes its turns."""
        self.send([self.pool[number % len(self.pool)] for number in picked])
        self.time_passes(pauses)

    @rule(pauses=st.lists(PAUSES, min_size=1, max_size=4))
    def time_passes(self, pauses: list[float]) -> None:
        for pause in pauses:
            self.clock.advance(pause)
            self.turn(None)

    @rule(pause=PAUSES, operations=st.integers(0, 25))
    def it_is_killed_in_a_turn(self, pause: float, operations: int) -> None:
        self.clock.advance(pause)
        self.turn(operations)

    @rule(ends=st.sampled_from(["killed", "killed", "stopped", "killed while it stopped", "rot"]))
    def it_ends(self, ends: str) -> None:
        """What was released is in the older checkpoint too, so the newest may rot."""
        if "stopped" in ends:
            self.fuse.set(None if ends == "stopped" else 12)
            with suppress(Killed):
                self.process.reader.stop(self.clock.monotonic() + 10**9)
        if ends == "rot" and (files := self.files()):
            content = bytearray(files[-1].read_bytes())
            content[len(content) // 2] ^= 1
            files[-1].write_bytes(content)
        self.restarted()

    def files(self) -> list[Path]:
        return sorted(self.directory.glob("checkpoint-*"))

    def drained(self) -> Store:
        """Read all, wait until all is closed and forgotten, stop."""
        for pause in (0.0, 1.0, 5000.0, 5000.0):
            self.clock.advance(pause)
            self.turn(None)
        self.process.reader.stop(self.clock.monotonic() + 10**9)
        assert self.process.telemetry.intake_errors.exact() == 0
        return Store(self.journal.frames)

    def teardown(self) -> None:
        try:
            self.check(self.drained())
        finally:
            shutil.rmtree(self.directory)

    def check(self, store: Store) -> None:
        raise NotImplementedError


class Audited(Lives):
    """Traces that a naive oracle has an answer for."""

    def draw_told(self, drawn: Sequence[Sequence[Told]]) -> None:
        """One trace of each."""
        ids = [bytes([number]) * 16 for number in range(1, len(drawn) + 1)]
        made = zip(ids, drawn, strict=True)
        self.told = {trace: {ident(one.id): one for one in told} for trace, told in made}
        self.pool = [
            one for trace, told in self.told.items() for one in spans_of([*told.values()], trace)
        ]

    def check(self, store: Store) -> None:
        for trace_id, spans in self.sent.items():
            truth = Truth([self.told[trace_id][span_id] for span_id in spans])
            rows = [row for row in store.totals.values() if row.trace_id == trace_id]
            billed = [
                call
                for (trace, _), call in store.calls.items()
                if trace == trace_id and call.billed
            ]
            assert sum(call.charge.attos or 0 for call in billed) == summed(truth).cost
            assert len(billed) == summed(truth).calls
            self.audit(rows, truth)

    def audit(self, rows: Sequence[TraceTotals], truth: Truth) -> None:
        raise NotImplementedError


class AnyTiming(Audited):
    """What no span around it repeats: idle, evicted, forgotten, late, and killed at any point."""

    @initialize(
        drawn=st.lists(drawn_traces(FLAT), min_size=1, max_size=3),
        limits=st.sampled_from(LIMITS),
    )
    def begin(self, drawn: list[list[Told]], limits: LedgerSettings) -> None:
        self.draw_told(drawn)
        self.limits = limits
        self.process = self.started()

    def audit(self, rows: Sequence[TraceTotals], truth: Truth) -> None:
        assert sums_of(rows) == summed(truth)


class Whole(Audited):
    """Everything that a row says, of traces that are never forgotten."""

    choices = (WARM,)

    @initialize(drawn=st.lists(drawn_traces(), min_size=1, max_size=2))
    def begin(self, drawn: list[list[Told]]) -> None:
        self.draw_told(drawn)
        self.remember_all()

    def audit(self, rows: Sequence[TraceTotals], truth: Truth) -> None:
        known = any(one.kind in ("call", "sum") for one in truth.spans.values())
        assert [answers_of(row) for row in rows] == [right(truth)] * known


class Remembered(Lives):
    """Wrappers too, in traces that are never forgotten: each ends as the batch of its spans."""

    choices = (WARM,)

    @initialize(drawn=st.lists(traces(), min_size=1, max_size=2))
    def begin(self, drawn: list[list[Span]]) -> None:
        self.draw_spans(drawn)
        self.remember_all()

    def check(self, store: Store) -> None:
        for trace_id, spans in self.sent.items():
            self.check_trace(store, trace_id, list(spans.values()))

    def check_trace(self, store: Store, trace_id: bytes, spans: list[Span]) -> None:
        batch = rollup(calls(spans), [one.head[1:] for one in spans])
        rows = [row for row in store.totals.values() if row.trace_id == trace_id]
        assert len(rows) == batch.counts
        for row in rows:
            stamp = Stamp(*[getattr(row, name) for name in Stamp._fields])
            assert row == totals(batch, stamp)
        for span_id, held in batch.decisions.items():
            shown = store.calls[trace_id, span_id]
            if batch.counts and held.reason != ALREADY_METERED:
                assert (shown.billed, shown.billed_reason) == (held.billed, held.reason)
                assert shown.identity == held.identity


EXAMPLES = settings(stateful_step_count=30, max_examples=250 if os.environ.get("CI") else 25)
TestAnyTiming = AnyTiming.TestCase
TestWhole = Whole.TestCase
TestRemembered = Remembered.TestCase
TestAnyTiming.settings = TestWhole.settings = TestRemembered.settings = EXAMPLES
