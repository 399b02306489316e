"""Who of the roots waits, when it leaves, and what it carries then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from costspan import wire
from costspan.errors import Full
from costspan.journal.memory import BACKPRESSURE, MemoryJournal
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.reader import READER, LedgerReader
from costspan.ledger.root_sender import RootSender
from costspan.ledger.roots import ROOTS_READER, Roots, apart
from costspan.model import HELD_ROOTS, ROOTS, TRACES, Frame, Metadata, ReaderSpec, decode_calls
from costspan.processor.trace_facts import TOTAL, with_totals
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock, request, span
from costspan.wire.values import any_value
from durable_journal import DurableJournal
from ledger_samples import START, Span, body_of, frame, ident, record
from ledger_samples import span as sample

LEDGER = ReaderSpec(READER, frozenset({TRACES, HELD_ROOTS}), BACKPRESSURE, counted=False)
HELD = ReaderSpec(ROOTS_READER, frozenset({HELD_ROOTS}), BACKPRESSURE, counted=False)
OTLP = ReaderSpec("otlp", frozenset({TRACES, ROOTS}), BACKPRESSURE)
CALL, ROOT = sample(2, 1, call=record()), sample(1)  # the call costs 200 attos
EXACT = "window.financial.trace.total_cost_exact"
COST = "0.0000000000000002"


class Line:
    """A journal, the ledger behind it, and what an OTLP destination reads."""

    def __init__(
        self,
        *,
        room: int = 1 << 20,
        settings: LedgerSettings | None = None,
        max_bytes: int = 1 << 20,
    ) -> None:
        self.telemetry, self.clock = Telemetry(), ManualClock(START)
        self.journal = MemoryJournal([LEDGER, OTLP], max_bytes, self.telemetry, self.clock)
        roots = Roots(room, with_totals, self.telemetry)
        sender = RootSender(self.journal, roots, self.telemetry, max_bytes, durable=False)
        ledger = TraceLedger(
            settings or LedgerSettings(), "w", self.telemetry, rows=False, ended=roots.close
        )
        self.reader = LedgerReader(self.journal, ledger, self.clock, self.telemetry, roots=sender)

    def send(self, *spans: Span, metadata: Metadata = ()) -> None:
        made = frame(0, spans)._replace(body=body_of(spans), metadata=metadata)
        self.journal.append(apart(made))
        self.reader.step()

    def wait(self, seconds: float) -> None:
        """So long, and the turn after it."""
        self.clock.advance(seconds)
        self.reader.step()

    def frames(self) -> list[Frame]:
        frames = self.journal.read("otlp", 1 << 20, 0)
        if frames:
            self.journal.commit("otlp", frames[-1].seq)
        return frames

    def left(self) -> list[tuple[bytes, str]]:
        """The roots that left since the last call: id and exact total, "" without."""
        return [
            (one.span_id, said(one)) for got in self.frames() if got.signal == ROOTS
            for one in spans_of(got)
        ]  # fmt: skip

    def outcomes(self, outcome: str) -> int:
        return self.telemetry.root_spans.exact(outcome)


def spans_of(got: Frame) -> list[OtlpSpan]:
    resources = ExportTraceServiceRequest.FromString(got.body).resource_spans
    return [one for resource in resources for scope in resource.scope_spans for one in scope.spans]


def said(one: OtlpSpan) -> str:
    return str({kv.key: any_value(kv.value) for kv in one.attributes}.get(EXACT, ""))


def test_a_root_waits_for_the_close_and_carries_the_total_and_its_clients_headers() -> None:
    line = Line()
    line.send(ROOT, CALL, metadata=(("tenant", "blue"),))
    (others,) = line.frames()
    assert (others.signal, others.items, wire.count(others.body)) == (TRACES, 1, 1)
    line.wait(5.9)
    assert line.frames() == []
    line.wait(0.1)
    (got,) = line.frames()
    assert (got.signal, got.items, got.metadata) == (ROOTS, 1, (("tenant", "blue"),))
    assert said(spans_of(got)[0]) == COST
    before = wire.each(body_of([ROOT]))[0]
    assert got.body == wire.splice(before, {0: got.body[got.body.index(b"\x4a") :]})


def test_a_root_of_a_trace_without_calls_leaves_plain_at_the_close() -> None:
    line = Line()
    line.send(ROOT, sample(2, 1))
    line.wait(5.9)
    assert line.left() == []
    line.wait(0.1)
    assert line.left() == [(ident(1), "")]


def test_copies_of_a_root_leave_together_and_a_second_root_at_once() -> None:
    line = Line()
    line.send(ROOT, CALL)
    line.send(ROOT)
    line.send(sample(9))
    assert line.left() == [(ident(9), "")]
    line.wait(6)
    assert line.left() == [(ident(1), COST)] * 2


def test_a_root_that_comes_after_the_close_leaves_at_once_without_totals() -> None:
    """While the trace is remembered whole, and when only its spans are."""
    line = Line()
    line.send(CALL)
    line.wait(300)
    line.send(ROOT)
    assert line.left() == [(ident(1), "")]
    line.wait(600)
    line.send(ROOT)
    assert line.left() == [(ident(1), "")]
    assert line.outcomes("late") == 2


def test_above_the_limit_of_bytes_a_root_leaves_at_once() -> None:
    line = Line(room=1000)
    line.send(ROOT, sample(1, trace=b"\x02" * 16))
    assert line.left() == [(ident(1), "")]
    assert line.outcomes("limit") == 1


def test_a_trace_that_is_evicted_lets_its_root_go_with_what_is_known() -> None:
    line = Line(settings=replace(LedgerSettings(), max_traces=1))
    line.send(ROOT, CALL)
    line.send(sample(5, trace=b"\x02" * 16))
    assert line.left() == [(ident(1), COST)]


def test_whatever_becomes_of_its_trace_a_root_leaves() -> None:
    """Even if the ledger has never heard of it."""
    line = Line()
    line.send(ROOT, CALL)
    line.reader._ledger._ended = None
    line.wait(74)
    assert line.left() == []
    line.wait(1)
    assert line.left() == [(ident(1), "")]
    assert line.outcomes("timeout") == 1


def test_roots_that_nobody_can_take_apart_leave_as_they_came() -> None:
    line = Line()
    broken = Frame(0, START, HELD_ROOTS, 0, (), b"\xff\xff", b"", 3)
    line.journal.append([broken])
    line.reader.step()
    (got,) = line.frames()
    assert (got.signal, got.body, got.items) == (ROOTS, b"\xff\xff", 3)


def test_a_stop_lets_all_go() -> None:
    line = Line()
    line.send(ROOT, CALL, sample(1, trace=b"\x02" * 16))
    line.reader.stop(line.clock.monotonic() + 10**9)
    assert line.left() == [(ident(1), COST), (ident(1), "")]


def test_what_finds_no_room_waits_and_at_the_end_is_counted() -> None:
    line = Line(max_bytes=2000)
    line.send(ROOT, CALL)
    line.journal.append([frame(0, [CALL])._replace(body=bytes(1000))])  # room for 400 bytes more
    with pytest.raises(Full):
        line.journal.append([frame(0, [CALL])._replace(body=bytes(200))])
    line.wait(6)
    line.reader.stop(line.clock.monotonic() + 10**9)
    assert line.telemetry.dropped.exact("ledger", ROOTS, "shutdown") == 1


def test_totals_of_another_costspan_are_left_alone() -> None:
    body = request(span({TOTAL: 1.5}))
    assert with_totals(body, None) is body  # type: ignore[arg-type]  # it is not even asked


class OnDisk:
    """The same over a journal that outlives the process."""

    def __init__(self) -> None:
        self.clock, self.journal = ManualClock(START), DurableJournal([LEDGER, HELD])
        self.start()

    def start(self) -> None:
        self.telemetry = Telemetry()
        self.roots = Roots(1 << 20, with_totals, self.telemetry)
        self.sender = RootSender(self.journal, self.roots, self.telemetry, 100, durable=True)

    def send(self, *traces: int) -> None:
        spans = [sample(1, trace=bytes([trace]) * 16) for trace in traces]
        self.journal.append(apart(frame(0, spans)._replace(body=body_of(spans))))
        self.sender.take(self.journal.frames[-1], self.clock.monotonic())

    def turn(self) -> None:
        self.sender.look(self.clock.monotonic())
        self.sender.turn(self.clock.now())

    def restart(self) -> None:
        self.journal.restart()
        self.start()

    def pinned(self) -> int:
        return self.journal.backlog(ROOTS_READER).frames

    def left(self) -> list[int]:
        found = [one for got in self.journal.frames if got.signal == ROOTS for one in spans_of(got)]
        return [one.trace_id[0] for one in found]


def test_the_journal_keeps_a_root_until_the_frame_that_brings_it_is_appended() -> None:
    line = OnDisk()
    line.send(1)
    line.send(2)
    line.roots.close(b"\x02" * 16, None)
    line.turn()
    assert (line.left(), line.pinned()) == ([2], 2)
    line.roots.close(b"\x01" * 16, None)
    line.journal.full = True
    line.turn()
    assert (line.left(), line.pinned()) == ([2], 2)
    line.journal.full = False
    line.turn()
    assert (line.left(), line.pinned()) == ([2, 1], 0)


def test_the_older_half_leaves_when_too_much_of_the_journal_is_kept_for_them() -> None:
    line = OnDisk()
    for number in range(1, 5):
        line.send(number)
    line.journal.kept = 51  # of 100
    line.turn()
    assert (line.left(), line.pinned()) == ([1, 2], 2)


def test_what_an_earlier_process_held_leaves_before_anything_is_committed() -> None:
    """Though there is no room for it at first, and new roots come and go."""
    line = OnDisk()
    line.send(1, 2)
    line.roots.close(b"\x01" * 16, None)
    line.turn()
    line.restart()
    line.journal.full = True
    line.send(3)
    line.turn()
    assert line.pinned() == 2
    line.journal.full = False
    line.turn()
    assert line.left() == [1, 2]
    line.roots.close(b"\x03" * 16, None)
    line.turn()
    assert (line.left(), line.pinned()) == ([1, 2, 3], 0)
    line.restart()
    line.turn()
    assert line.left() == [1, 2, 3]


def test_calls_stay_with_their_spans_when_roots_are_set_apart() -> None:
    """And know their root and entry span, which neither half shows."""
    spans = [CALL, sample(1, call=record()), sample(3, 2, call=record())]
    for ordinal, one in enumerate(spans):
        assert one.call is not None
        one.call.ordinal = ordinal
    rest, held = apart(frame(0, spans)._replace(body=body_of(spans)))
    calls = [(call.span_id, call.ordinal, call.root, call.transaction)
             for half in (rest, held) for call in decode_calls(half.calls)]  # fmt: skip
    assert calls == [
        (ident(2), 0, ident(1), ident(1)),
        (ident(3), 1, ident(1), ident(1)),
        (ident(1), 0, ident(1), ident(1)),
    ]
    assert (rest.items, held.items, held.signal) == (2, 1, HELD_ROOTS)
