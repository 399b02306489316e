"""Who of roots and agents' runs waits, when they leave, and what they carry then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from costspan import wire
from costspan.errors import Full
from costspan.journal.memory import BACKPRESSURE, MemoryJournal
from costspan.ledger.agents import is_agents
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.reader import READER, LedgerReader
from costspan.ledger.waiting import WAITING_READER, Waiting, WithTotals, apart
from costspan.ledger.waiting_sender import WaitingSender
from costspan.model import (
    HELD,
    RELEASED,
    TRACES,
    WITNESS,
    Frame,
    Metadata,
    ReaderSpec,
    decode_calls,
)
from costspan.processor.trace_facts import TOTAL, with_totals
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock, request, span
from costspan.wire.values import any_value
from durable_journal import DurableJournal
from ledger_samples import DOLLAR, START, TRACE, Span, body_of, frame, ident, record
from ledger_samples import span as sample
from records import totals

LEDGER = ReaderSpec(READER, frozenset({TRACES, HELD}), BACKPRESSURE, counted=False)
HOLDER = ReaderSpec(WAITING_READER, frozenset({HELD}), BACKPRESSURE, counted=False)
OTLP = ReaderSpec("otlp", frozenset({TRACES, RELEASED}), BACKPRESSURE)
CALL, ROOT = sample(2, 1, call=record()), sample(1)  # the call costs 200 attos
RUN = [
    f"window.financial.agent.{name}"
    for name in ("name", "total_cost_exact", "own_cost", "llm_calls")
]
SERVER = 2  # Span.kind
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
        telling: WithTotals = with_totals,
    ) -> None:
        self.telemetry, self.clock = Telemetry(), ManualClock(START)
        self.journal = MemoryJournal([LEDGER, OTLP], max_bytes, self.telemetry, self.clock)
        waiting = Waiting(room, telling, self.telemetry)
        sender = WaitingSender(self.journal, waiting, self.telemetry, max_bytes, durable=False)
        ledger = TraceLedger(
            settings or LedgerSettings(), "w", self.telemetry, rows=False, ended=waiting.close
        )
        self.reader = LedgerReader(self.journal, ledger, self.clock, self.telemetry, waiting=sender)

    def send(self, *spans: Span, metadata: Metadata = ()) -> None:
        made = frame(0, spans)._replace(body=body_of(spans), metadata=metadata)
        self.journal.append(apart(made, runs_of(spans)))
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
        """The spans that waited and left since the last call: id and exact total, "" without."""
        return [
            (one.span_id, said(one)) for got in self.frames() if got.signal == RELEASED
            for one in spans_of(got)
        ]  # fmt: skip

    def agents(self) -> dict[int, tuple[object, ...]]:
        """By span that waited and left since the last call: agent, total, own cost, calls; ()."""
        return {
            int.from_bytes(one.span_id): tuple(
                facts(one)[name] for name in RUN if name in facts(one)
            )
            for got in self.frames()
            if got.signal == RELEASED
            for one in spans_of(got)
        }

    def outcomes(self, outcome: str) -> int:
        return self.telemetry.released_spans.exact(outcome)


def runs_of(spans: Sequence[Span]) -> list[int]:
    """Their ordinals, which the calls get too."""
    for ordinal, one in enumerate(spans):
        if one.call is not None:
            one.call.ordinal = ordinal
    return [n for n, one in enumerate(spans) if one.call is not None and is_agents(one.call)]


def run(number: int, parent: int, agent: str, *, start: float = 0.0) -> Span:
    """A run of an agent, as its library tells it."""
    call = record(None, role=WITNESS, agent=agent)
    call.operation = "invoke_agent"
    return sample(number, parent, start=start, call=call)


def spent(number: int, parent: int, mills: int, agent: str = "") -> Span:
    """A call that begins after those of lower numbers, and costs thousandths of a dollar."""
    call = record(cost=mills * DOLLAR // 1000, agent=agent)
    return sample(number, parent, start=number / 10, call=call)


def spans_of(got: Frame) -> list[OtlpSpan]:
    resources = ExportTraceServiceRequest.FromString(got.body).resource_spans
    return [one for resource in resources for scope in resource.scope_spans for one in scope.spans]


def facts(one: OtlpSpan) -> dict[str, object]:
    return {kv.key: any_value(kv.value) for kv in one.attributes}


def said(one: OtlpSpan) -> str:
    return str(facts(one).get(EXACT, ""))


def test_a_root_waits_for_the_close_and_carries_the_total_and_its_clients_headers() -> None:
    line = Line()
    line.send(ROOT, CALL, metadata=(("tenant", "blue"),))
    (others,) = line.frames()
    assert (others.signal, others.items, wire.count(others.body)) == (TRACES, 1, 1)
    line.wait(5.9)
    assert line.frames() == []
    line.wait(0.1)
    (got,) = line.frames()
    assert (got.signal, got.items, got.metadata) == (RELEASED, 1, (("tenant", "blue"),))
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


def test_copies_of_a_root_leave_together_and_a_second_root_plain() -> None:
    """Which of several is the root is known at the close: the one that begins first."""
    line = Line()
    line.send(sample(9, start=0.5))
    line.send(ROOT, CALL)
    line.send(ROOT)
    line.wait(6)
    assert line.left() == [(ident(9), ""), (ident(1), COST), (ident(1), COST)]
    assert (line.outcomes("totals"), line.outcomes("no_totals")) == (2, 1)


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
    broken = Frame(0, START, HELD, 0, (), b"\xff\xff", b"", 3)
    line.journal.append([broken])
    line.reader.step()
    (got,) = line.frames()
    assert (got.signal, got.body, got.items) == (RELEASED, b"\xff\xff", 3)


def test_a_stop_lets_all_go() -> None:
    line = Line()
    line.send(ROOT, CALL, sample(1, trace=b"\x02" * 16))
    line.reader.stop(line.clock.monotonic() + 10**9)
    assert line.left() == [(ident(1), COST), (ident(1), "")]


def test_what_finds_no_room_waits_and_at_the_end_is_counted() -> None:
    line = Line(max_bytes=2000)
    line.send(ROOT, CALL)
    line.journal.append([frame(0, [CALL])._replace(body=bytes(600))])  # too little is left
    with pytest.raises(Full):
        line.journal.append([frame(0, [CALL])._replace(body=bytes(200))])
    line.wait(6)
    line.reader.stop(line.clock.monotonic() + 10**9)
    assert line.telemetry.dropped.exact("ledger", RELEASED, "shutdown") == 1


SUPERVISOR = (
    run(2, 1, "Supervisor"),
    spent(3, 2, 12),
    run(4, 2, "Researcher", start=0.35),
    spent(5, 4, 30),
    spent(6, 4, 10),
)


def test_each_outermost_run_of_an_agent_carries_what_it_came_to() -> None:
    """$0.052 = $0.012 of the supervisor's own + $0.040 below it; only calls leave at once."""
    line = Line()
    line.send(ROOT, *SUPERVISOR)
    (others,) = line.frames()
    assert [one.span_id for one in spans_of(others)] == [ident(3), ident(5), ident(6)]
    line.wait(5.9)
    assert line.frames() == []
    line.wait(0.1)
    (got,) = line.frames()
    root, supervisor, researcher = map(facts, spans_of(got))
    assert root[EXACT] == "0.052"
    assert not root.keys() & set(RUN)
    assert tuple(researcher[name] for name in RUN) == ("Researcher", "0.04", 0.04, 2)
    assert supervisor == {
        "window.financial.agent.name": "Supervisor",
        "window.financial.agent.total_cost": 0.052,
        "window.financial.agent.total_cost_exact": "0.052",
        "window.financial.agent.own_cost": 0.012,
        "window.financial.agent.llm_calls": 3,
        "window.financial.agent.input_tokens": 300,
        "window.financial.agent.output_tokens": 30,
        "window.financial.agent.completion": "verified",
    }


def test_a_run_inside_another_of_its_agent_and_one_without_calls_leave_plain() -> None:
    """And a call that another agent's run is around is not its own."""
    line = Line()
    inner = (run(2, 1, "A"), run(3, 2, "B"), run(4, 3, "A"), run(5, 1, "C"))
    line.send(ROOT, *inner, spent(6, 4, 5), spent(7, 3, 3, agent="A"))
    line.wait(6)
    assert line.agents() == {
        1: (), 2: ("A", "0.008", 0.008, 2), 3: ("B", "0.008", 0.0, 2), 4: (), 5: ()
    }  # fmt: skip
    assert (line.outcomes("totals"), line.outcomes("no_totals")) == (3, 2)


def test_a_request_that_names_its_agent_hides_no_run_of_it() -> None:
    line = Line()
    entry = sample(2, 1, call=record(None, role=WITNESS, agent="A"))
    line.send(ROOT, entry, run(3, 2, "A"), spent(4, 3, 5))
    line.wait(6)
    assert line.agents() == {1: (), 3: ("A", "0.005", 0.005, 1)}


def test_a_root_that_is_a_run_carries_both_totals() -> None:
    line = Line()
    line.send(run(1, 0, "A"), spent(2, 1, 5))
    line.wait(6)
    ((root,),) = map(spans_of, (got for got in line.frames() if got.signal == RELEASED))
    assert (said(root), facts(root)["window.financial.agent.total_cost_exact"]) == ("0.005",) * 2


def test_a_second_root_that_is_a_run_carries_its_agents_totals() -> None:
    line = Line()
    line.send(ROOT, run(2, 0, "A", start=0.5), spent(3, 2, 5))
    line.wait(6)
    assert line.agents() == {1: (), 2: ("A", "0.005", 0.005, 1)}


def test_while_the_root_does_not_come_a_run_waits_75_seconds_and_tells_what_is_known() -> None:
    """One that came up to ten seconds later leaves with it, one that came later waits."""
    line = Line()
    line.send(run(2, 1, "A"), spent(3, 2, 5))
    line.wait(10)
    line.send(run(4, 1, "B"), spent(5, 4, 7))
    line.wait(1)
    line.send(run(6, 1, "C"), spent(7, 6, 1))
    line.wait(63)
    assert line.agents() == {}
    line.wait(1)
    assert line.agents() == {2: ("A", "0.005", 0.005, 1), 4: ("B", "0.007", 0.007, 1)}
    assert line.outcomes("early") == 2
    line.send(ROOT)
    line.wait(6)
    assert line.agents() == {6: ("C", "0.001", 0.001, 1), 1: ()}


def test_with_local_roots_a_run_waits_for_the_span_by_which_the_process_was_entered() -> None:
    line = Line(settings=replace(LedgerSettings(), local_roots=True))
    entry = sample(2, 99)
    line.send(run(3, 2, "A"), spent(4, 3, 5), entry._replace(head=entry.head._replace(kind=SERVER)))
    line.wait(6)
    (got,) = [got for got in line.frames() if got.signal == RELEASED]
    (said,) = map(facts, spans_of(got))
    assert said["window.financial.agent.total_cost"] == 0.005
    assert said["window.financial.agent.completion"] == "quiet"


def test_a_fault_in_what_is_known_of_an_open_trace_keeps_no_run() -> None:
    line = Line()
    line.send(run(2, 1, "A"), spent(3, 2, 5))
    line.reader._ledger._open[TRACE].heads += b"odd"
    line.wait(75)
    assert line.agents() == {2: ()}
    assert line.outcomes("timeout") == 1


def test_a_fault_in_writing_totals_keeps_no_span() -> None:
    def broken(_body: bytes, _total: object, _agent: object) -> bytes:
        raise ValueError

    line = Line(telling=broken)
    line.send(ROOT, CALL)
    line.wait(6)
    assert line.left() == [(ident(1), "")]
    assert line.telemetry.intake_errors.exact("totals") == 1


def test_runs_leave_half_of_the_room_to_roots() -> None:
    line = Line(room=1200)
    line.send(run(2, 1, "A"), run(3, 1, "B"), ROOT)
    assert line.left() == [(ident(3), "")]
    assert line.outcomes("limit") == 1


def test_a_run_that_comes_after_the_close_leaves_at_once() -> None:
    line = Line()
    line.send(ROOT, CALL)
    line.wait(6)
    line.left()
    line.send(run(3, 1, "A"))
    assert line.left() == [(ident(3), "")]
    assert line.outcomes("late") == 1


def test_totals_of_another_costspan_are_left_alone() -> None:
    body = request(span({TOTAL: 1.5}))
    assert with_totals(body, totals(), None) is body


class OnDisk:
    """The same over a journal that outlives the process."""

    def __init__(self) -> None:
        self.clock, self.journal = ManualClock(START), DurableJournal([LEDGER, HOLDER])
        self.start()

    def start(self) -> None:
        self.telemetry = Telemetry()
        self.waiting = Waiting(1 << 20, with_totals, self.telemetry)
        self.sender = WaitingSender(self.journal, self.waiting, self.telemetry, 100, durable=True)

    def send(self, *traces: int) -> None:
        spans = [sample(1, trace=bytes([trace]) * 16) for trace in traces]
        self.journal.append(apart(frame(0, spans)._replace(body=body_of(spans)), ()))
        self.sender.take(self.journal.frames[-1], self.clock.monotonic())

    def turn(self) -> None:
        self.sender.look(self.clock.monotonic(), lambda _trace: {})
        self.sender.turn(self.clock.now())

    def restart(self) -> None:
        self.journal.restart()
        self.start()

    def pinned(self) -> int:
        return self.journal.backlog(WAITING_READER).frames

    def left(self) -> list[int]:
        found = [
            one for got in self.journal.frames if got.signal == RELEASED for one in spans_of(got)
        ]
        return [one.trace_id[0] for one in found]


def test_the_journal_keeps_a_root_until_the_frame_that_brings_it_is_appended() -> None:
    line = OnDisk()
    line.send(1)
    line.send(2)
    line.waiting.close(b"\x02" * 16, None, {})
    line.turn()
    assert (line.left(), line.pinned()) == ([2], 2)
    line.waiting.close(b"\x01" * 16, None, {})
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
    line.waiting.close(b"\x01" * 16, None, {})
    line.turn()
    line.restart()
    line.journal.full = True
    line.send(3)
    line.turn()
    assert line.pinned() == 2
    line.journal.full = False
    line.turn()
    assert line.left() == [1, 2]
    line.waiting.close(b"\x03" * 16, None, {})
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
    rest, held = apart(frame(0, spans)._replace(body=body_of(spans)), ())
    calls = [(call.span_id, call.ordinal, call.root, call.transaction)
             for half in (rest, held) for call in decode_calls(half.calls)]  # fmt: skip
    assert calls == [
        (ident(2), 0, ident(1), ident(1)),
        (ident(3), 1, ident(1), ident(1)),
        (ident(1), 0, ident(1), ident(1)),
    ]
    assert (rest.items, held.items, held.signal) == (2, 1, HELD)
