"""Laws of spans that wait: each copy that came leaves once, whole, whatever happens meanwhile.

A run is a list of things that happen to a ledger over a journal that outlives it: requests come,
time passes, the thread takes a turn and may be killed at any of its operations, the process is
stopped, the journal has no room for what leaves, or too much of it is kept for what waits.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan import wire
from costspan.ledger.agents import is_agents
from costspan.ledger.checkpoint import Checkpoints
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.reader import READER, LedgerReader
from costspan.ledger.waiting import WAITING_READER, Waiting, apart
from costspan.ledger.waiting_sender import WaitingSender
from costspan.model import HELD, RELEASED, TRACES, Frame, Metadata, ReaderSpec
from costspan.processor.trace_facts import with_totals
from costspan.telemetry import Telemetry
from costspan.testing import START, ManualClock
from durable_journal import DurableJournal, Fuse, Killed
from ledger_samples import Span, body_of, frame, span_of
from ledger_strategies import traces

READERS = [
    ReaderSpec(READER, frozenset({TRACES, HELD}), "backpressure", False, True),  # noqa: FBT003  (a record's fields)
    ReaderSpec(WAITING_READER, frozenset({HELD}), "backpressure", counted=False),
]
SHARED_MEMORY = Path("/dev/shm")
PAUSES = st.sampled_from([0.0, 0.1, 0.1, 0.2, 0.4, 1.0, 11.0, 80.0])
QUICK = LedgerSettings(root_grace=1.0, quiet=0.5, idle=0.3, late_window=0.3, amend_debounce=0.2)
LIMITS = [QUICK, replace(QUICK, max_traces=1), replace(QUICK, max_spans=3), LedgerSettings()]
TENANTS: list[Metadata] = [(), (("tenant", "a"),)]
TOLD = ("window.financial.trace.", "window.financial.agent.")
Copy = tuple[Metadata, bytes]
"""One span with its resource and scope, and the headers of its client."""


def copies(metadata: Metadata, body: bytes) -> Iterable[Copy]:
    """What a body holds, without what we add to it."""
    for one in wire.each(body):
        message = ExportTraceServiceRequest.FromString(one)
        attributes = message.resource_spans[0].scope_spans[0].spans[0].attributes
        kept = [kv for kv in attributes if not kv.key.startswith(TOLD)]
        del attributes[:]
        attributes.extend(kept)
        yield metadata, message.SerializeToString()


def runs(one: Span) -> bool:
    """Whether it waits for what its agent comes to."""
    return one.call is not None and is_agents(one.call)


class WaitingOnDisk(RuleBasedStateMachine):
    """One ledger after another over the same journal."""

    @initialize(
        drawn=st.lists(traces(), min_size=1, max_size=3),
        limits=st.sampled_from(LIMITS),
        room=st.sampled_from([1 << 20, 1500, 0]),
    )
    def begin(self, drawn: list[list[Span]], limits: LedgerSettings, room: int) -> None:
        parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        self.directory = Path(tempfile.mkdtemp(dir=parent))
        self.limits, self.room = limits, room
        self.fuse, self.clock = Fuse(), ManualClock(START)
        self.journal = DurableJournal(READERS, self.fuse)
        self.came: Counter[Copy] = Counter()
        self.pool = [
            span_of(one, bytes([number]) * 16)
            for number, spans in enumerate(drawn, 1)
            for one in spans
        ]
        self.start()

    def start(self) -> None:
        telemetry = Telemetry()
        waiting = Waiting(self.room, with_totals, telemetry)
        sender = WaitingSender(self.journal, waiting, telemetry, room=100, durable=True)
        self.reader = LedgerReader(
            self.journal,
            TraceLedger(self.limits, "w", telemetry, ended=waiting.close),
            self.clock,
            telemetry,
            Checkpoints(self.directory, self.journal.identity, telemetry),
            waiting=sender,
        )

    def restart(self) -> None:
        self.fuse.set(None)
        self.journal.restart()
        self.start()

    def turn(self, operations: int | None = None) -> None:
        self.fuse.set(operations)
        try:
            self.reader.step()
        except Killed:
            self.restart()
        self.fuse.set(None)

    @rule(
        picked=st.lists(st.integers(0, 99), min_size=1, max_size=5),
        tenant=st.sampled_from(TENANTS),
        pauses=st.lists(PAUSES, max_size=3),
    )
    def a_request_comes(self, picked: list[int], tenant: Metadata, pauses: list[float]) -> None:
        spans = [self.pool[number % len(self.pool)] for number in picked]
        for ordinal, one in enumerate(spans):
            if one.call is not None:
                one.call.ordinal = ordinal
        made = frame(0, spans)._replace(body=body_of(spans), metadata=tenant)
        self.came.update(copies(tenant, made.body))
        self.journal.append(apart(made, [n for n, one in enumerate(spans) if runs(one)]))
        for pause in pauses:
            self.clock.advance(pause)
            self.turn()

    @rule(pause=PAUSES, operations=st.integers(0, 30))
    def it_is_killed_in_a_turn(self, pause: float, operations: int) -> None:
        self.clock.advance(pause)
        self.turn(operations)

    @rule(full=st.booleans(), kept=st.sampled_from([0, 60]))
    def the_journal_is_full(self, *, full: bool, kept: int) -> None:
        self.journal.full, self.journal.kept = full, kept

    @rule(operations=st.one_of(st.none(), st.integers(0, 20)))
    def it_stops(self, operations: int | None) -> None:
        self.journal.full = False
        self.fuse.set(operations)
        with suppress(Killed):
            self.reader.stop(self.clock.monotonic() + 10**9)
        self.restart()

    def teardown(self) -> None:
        try:
            self.journal.full, self.journal.kept = False, 0
            for pause in (0.0, 1.0, 5000.0, 5000.0):
                self.clock.advance(pause)
                self.turn()
            self.check(self.journal.frames)
            assert self.journal.backlog(WAITING_READER).frames == 0
        finally:
            shutil.rmtree(self.directory)

    def check(self, frames: Sequence[Frame]) -> None:
        """What an OTLP destination takes is what came."""
        left: Counter[Copy] = Counter()
        for one in frames:
            if one.signal in (TRACES, RELEASED):
                left.update(copies(one.metadata, one.body))
                assert one.items == wire.count(one.body)
        assert left == self.came


TestWaitingOnDisk = WaitingOnDisk.TestCase
TestWaitingOnDisk.settings = settings(
    stateful_step_count=30, max_examples=250 if os.environ.get("CI") else 25
)
