"""The straight line up to the ack: what leaves, what is counted, what is refused."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan import testing, wire
from costspan.errors import Full, Undecodable
from costspan.journal.memory import MemoryJournal
from costspan.model import LOGS, SOLO, TRACES, Frame, ReaderSpec, Value, decode_calls
from costspan.pipeline import MAX_PIECE, Meter, Pipeline
from costspan.processor.enrich import OWN_KEYS
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock
from costspan_pricing import Context, Pricer, Quote, Usage, load_book
from costspan_pricing.ratecard.load import read_card
from hits import BOOK, SECOND, START
from rate_cards import discount

OTLP = ReaderSpec("otlp", frozenset({TRACES, LOGS}), "backpressure")


class BrokenPricer(Pricer):
    """A price book with a fault nobody thought of."""

    def quote(self, usage: Usage | None, context: Context) -> Quote:
        raise RuntimeError(f"{usage} {context}")


class Line:
    """A pipeline over a memory journal, and what came out of it."""

    def __init__(
        self, pricer: Pricer | None = None, max_bytes: int = 1 << 30, *, hold_spans: bool = False
    ) -> None:
        self.telemetry = Telemetry()
        clock = ManualClock()
        journal = MemoryJournal([OTLP], max_bytes, self.telemetry, clock)
        meter = Meter.by(pricer or Pricer(load_book()))
        self.journal = journal
        self.pipeline = Pipeline(journal, meter, self.telemetry, clock, hold_spans=hold_spans)

    def accept(self, body: bytes, signal: str = TRACES) -> list[Frame]:
        self.pipeline.accept(signal, body, (), "grpc")
        frames = self.journal.read("otlp", 1 << 30, 0)
        if frames:
            self.journal.commit("otlp", frames[-1].seq)
        return frames


def spans(body: bytes) -> list[Span]:
    message = ExportTraceServiceRequest.FromString(body)
    return [s for r in message.resource_spans for c in r.scope_spans for s in c.spans]


def attributes(span: Span) -> dict[str, object]:
    return {kv.key: getattr(kv.value, str(kv.value.WhichOneof("value"))) for kv in span.attributes}


def test_a_request_without_usage_leaves_as_the_object_that_came() -> None:
    request = testing.request(testing.span({"http.request.method": "GET"}))

    (frame,) = Line().accept(request)

    assert frame.body is request
    assert frame.calls == b""


def test_a_priced_span_keeps_what_it_had_and_gains_only_our_attributes() -> None:
    request = testing.request(testing.span(testing.usage(1000, 100)), testing.span({"a": 1}))

    (frame,) = Line().accept(request)
    before, after = spans(request), spans(frame.body)
    gained = {k: v for k, v in attributes(after[0]).items() if k not in attributes(before[0])}

    assert gained.keys() <= OWN_KEYS
    assert gained["window.financial.total_cost_exact"] == "0.0035"
    assert after[1] == before[1]
    assert [call.charge.total for call in decode_calls(frame.calls)] == ["3500000000000000"]


def test_a_request_that_only_a_shallow_reading_accepts_travels_alone_and_verbatim() -> None:
    line = Line()
    request = testing.request(testing.span(testing.usage())).replace(b"gpt-4o", b"gpt-4\xff")

    (frame,) = line.accept(request)

    assert frame.body is request
    assert frame.flags == SOLO
    assert line.telemetry.unreadable_requests.exact() == 1


def test_undecodable_bytes_are_refused_and_leave_nothing_behind() -> None:
    line = Line()

    with pytest.raises(Undecodable):
        line.accept(b"\xff\xff")
    assert line.journal.backlog("otlp").frames == 0


def test_an_empty_request_is_a_success_that_stores_nothing() -> None:
    assert Line().accept(b"") == []


def test_a_fault_in_pricing_is_a_counter_and_the_span_leaves_untouched() -> None:
    line = Line(BrokenPricer(load_book()))
    request = testing.request(testing.span(testing.usage()))

    (frame,) = line.accept(request)

    assert frame.body is request
    assert line.telemetry.intake_errors.exact() == 1
    assert line.telemetry.accepted.exact("grpc", TRACES) == 1


def test_received_is_accepted_plus_refused() -> None:
    line = Line(max_bytes=4000)
    request = testing.request(*[testing.span({"a": "x" * 100}) for _ in range(10)])
    line.pipeline.accept(TRACES, request, (), "grpc")

    with pytest.raises(Full):
        line.pipeline.accept(TRACES, request, (), "grpc")
    telemetry = line.telemetry

    assert telemetry.received.exact() == 20
    assert telemetry.accepted.exact() == 10
    assert telemetry.refused.exact("grpc", TRACES, "full") == 10


def test_a_large_request_is_cut_and_every_piece_fits_after_it_was_enriched() -> None:
    drawn = [
        testing.span({**testing.usage(), "text": "x" * 200}, span_id=n.to_bytes(8, "big"))
        for n in range(8400)
    ]
    request = testing.request(*drawn)

    frames = Line().accept(request)

    assert len(request) < MAX_PIECE < sum(len(frame.body) for frame in frames)
    assert all(len(frame.body) <= MAX_PIECE for frame in frames)
    ids = [span.span_id for frame in frames for span in spans(frame.body)]
    assert ids == [span.span_id for span in drawn]
    for frame in frames:
        ordinals = [call.ordinal for call in decode_calls(frame.calls)]
        assert ordinals == list(range(wire.count(frame.body)))


def test_other_signals_pass_untouched() -> None:
    request = testing.request(testing.span(testing.usage()))  # the outline of all signals is one

    (frame,) = Line().accept(request, LOGS)

    assert frame.body is request
    assert frame.signal == LOGS


def test_what_another_costspan_has_metered_is_forwarded_and_not_billed_again() -> None:
    line = Line()
    (first,) = line.accept(testing.request(testing.span(testing.usage())))

    (second,) = line.accept(first.body)

    assert second.body is first.body
    assert [call.role for call in decode_calls(second.calls)] == ["already_metered"]
    assert not any(call.billed for call in decode_calls(second.calls))


def test_a_cost_that_the_provider_reported_is_not_billed_by_the_next_costspan_either() -> None:
    line = Line()
    reported = {**testing.usage(model="nobody-knows-it"), "gen_ai.usage.cost": 0.25}
    (first,) = line.accept(testing.request(testing.span(reported)))

    (second,) = line.accept(first.body)

    assert [call.charge.status for call in decode_calls(first.calls)] == ["provider_reported"]
    assert [call.billed for call in decode_calls(second.calls)] == [False]


def test_without_a_meter_the_line_only_forwards() -> None:
    telemetry, clock = Telemetry(), ManualClock()
    journal = MemoryJournal([OTLP], 1 << 20, telemetry, clock)
    request = testing.request(testing.span(testing.usage()))

    Pipeline(journal, None, telemetry, clock).accept(TRACES, request, (), "http")

    assert journal.read("otlp", 1 << 20, 0)[0].body is request


CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}


def test_prices_in_force_are_swapped_between_requests() -> None:
    """1000 tokens at 2.5 and 100 at 10; the new card's scope is read off the resource at once."""
    scope = "applies_to: {resource: {deployment.tier: [gold]}}\n"
    book, gold = load_book(BOOK), read_card(discount("0.5") + scope, "acme.yaml")
    line = Line(Pricer(book))

    def cost(tier: str) -> object:
        chat = testing.span(CHAT, start_ns=START + SECOND)
        (frame,) = line.accept(testing.request(chat, resource={"deployment.tier": tier}))
        return attributes(spans(frame.body)[0])["window.financial.total_cost_exact"]

    assert "0.0035" == cost("gold")
    line.pipeline.swap(Meter.by(Pricer(book, (gold,))))
    assert ("0.00175", "0.0035") == (cost("gold"), cost("lead"))


def doubles(frame: Frame) -> list[tuple[object, object]]:
    """(status, total cost) of each span."""
    found = map(attributes, spans(frame.body))
    return [
        (said.get("window.financial.status"), said.get("window.financial.total_cost_exact"))
        for said in found
    ]


def framework_over_sdk() -> list[Span]:
    """A call told of twice; the outer one does not know what came from the cache."""
    outer = testing.span(testing.usage(), span_id=b"\x01" * 8, end_ns=START + 3 * SECOND)
    step = testing.span({"a": 1}, span_id=b"\x02" * 8, parent_span_id=b"\x01" * 8)
    cached: dict[str, Value] = {"gen_ai.usage.cache_read.input_tokens": 800}
    inner = testing.span(testing.usage() | cached, span_id=b"\x03" * 8, parent_span_id=b"\x02" * 8)
    return [outer, step, inner]


def test_a_span_that_the_request_shows_to_be_a_double_leaves_with_a_status_and_no_cost() -> None:
    """200 tokens at 2.5, 800 cached ones at 1.25 and 100 at 10 dollars a million: once."""
    (frame,) = Line().accept(testing.request(*framework_over_sdk()))

    assert doubles(frame) == [("covered", None), (None, None), ("priced", "0.0025")]
    outer, inner = decode_calls(frame.calls)
    assert (outer.billed, outer.billed_reason) == (False, "covered")
    assert outer.charge.total == "3500000000000000"  # the evidence stays
    assert inner.billed


def test_in_two_requests_both_keep_their_cost() -> None:
    """Nobody can know what comes later: the ledger corrects the row and the total."""
    outer, step, inner = framework_over_sdk()
    line = Line()
    (first,) = line.accept(testing.request(inner))
    (second,) = line.accept(testing.request(step, outer))

    assert doubles(first) == [("priced", "0.0025")]
    assert doubles(second) == [(None, None), ("priced", "0.0035")]


def test_a_double_that_another_costspan_found_gains_no_cost_when_it_comes_alone() -> None:
    line = Line()
    (first,) = line.accept(testing.request(*framework_over_sdk()))
    (second,) = line.accept(testing.request(spans(first.body)[0]))

    assert doubles(second) == [("covered", None)]
    assert [call.billed for call in decode_calls(second.calls)] == [False]


def test_a_fault_in_counting_is_a_counter_and_every_span_keeps_its_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(request: bytes, trace_ids: object) -> None:
        raise RuntimeError(request, trace_ids)

    monkeypatch.setattr(wire, "links", broken)
    line = Line()
    (frame,) = line.accept(testing.request(*framework_over_sdk()))

    assert doubles(frame) == [("priced", "0.0035"), (None, None), ("priced", "0.0025")]
    assert line.telemetry.intake_errors.exact("doubles") == 1


def test_roots_wait_in_frames_of_their_own_but_not_those_of_an_unreadable_request() -> None:
    line = Line(hold_spans=True)
    child = testing.span(span_id=b"\x02" * 8, parent_span_id=b"\x01" * 8)
    (rest,) = line.accept(testing.request(testing.span(), child))
    assert (rest.items, spans(rest.body)) == (1, [child])
    broken = testing.request(testing.span(name="caf\u00e9")).replace("é".encode(), b"\xff\xff")
    (whole,) = line.accept(broken)
    assert (whole.flags, whole.body) == (SOLO, broken)
