"""When a trace is closed, amended and forgotten, and what goes out and is counted then."""

from __future__ import annotations

import pytest

from costspan.ledger.ledger import Closing, LedgerSettings, TraceLedger
from costspan.model import AGGREGATE, ALREADY_METERED, WITNESS, Charge, TraceTotals
from costspan.telemetry import Telemetry
from ledger_samples import START, TRACE, Span, frame, heads, ident, record, span

SECOND = 1_000_000_000
OTHER = b"\x02" * 16


def entered(one: Span) -> Span:
    """The same span, as a server has it."""
    return one._replace(head=one.head._replace(kind=2))


class Bench:
    """A ledger, a clock in seconds and what came out."""

    def __init__(self, settings: LedgerSettings | None = None) -> None:
        self.telemetry = Telemetry()
        self.ledger = TraceLedger(settings or LedgerSettings(), "w", self.telemetry)
        self.seq = 0
        self.out: list[Closing] = []

    def add(self, now: float, *spans: Span) -> None:
        self.seq += 1
        received = START + self.seq
        self.ledger.add(frame(self.seq, spans, received), heads(spans), round(now * SECOND))

    def expire(self, now: float) -> list[TraceTotals]:
        closings = self.ledger.expire(round(now * SECOND))
        self.out += closings
        return [closing.totals for closing in closings]

    def shutdown(self, now: float) -> list[TraceTotals]:
        closings = self.ledger.shutdown(round(now * SECOND))
        self.out += closings
        return [closing.totals for closing in closings]

    def closes_at(self, now: float) -> TraceTotals:
        """The one row that goes out at `now` and not a nanosecond earlier."""
        assert self.expire(now - 1e-9) == []
        (totals,) = self.expire(now)
        return totals

    def net(self) -> int:
        return self.telemetry.cost.exact() - self.telemetry.cost_retracted.exact()


@pytest.mark.parametrize(
    ("arrivals", "closed", "reason"),
    [
        ([(0, True)], 6, "root_quiet"),
        ([(0, True), (0.5, False)], 6, "root_quiet"),
        ([(0, True), (3, False)], 8, "root_quiet"),
        ([(0, False), (4, True)], 10, "root_quiet"),
        ([(0, True), *((n * 4.0, False) for n in range(1, 15))], 60, "root_quiesce_max"),
        ([(0, False)], 300, "idle_no_root"),
        ([(0, False), (250, False)], 550, "idle_no_root"),
        ([(n * 250.0, False) for n in range(15)], 3600, "max_age"),
    ],
)
def test_a_trace_is_closed_at_its_deadline(
    arrivals: list[tuple[float, bool]], closed: float, reason: str
) -> None:
    """Root + 6 s, last span + 5 s, at most root + 60 s; else idle or too old."""
    bench = Bench(LedgerSettings(checkpoint=0))
    for number, (now, root) in enumerate(arrivals, 2):
        assert bench.expire(now) == []
        bench.add(now, span(number, 0 if root else 1, call=record()))
    totals = bench.closes_at(closed)
    assert (totals.reason, totals.llm_calls) == (reason, len(arrivals))


@pytest.mark.parametrize(
    ("spans", "grade"),
    [
        ([span(1, end=5), span(2, 1, end=4, call=record())], "verified"),
        ([span(1, end=5), span(2, 1, end=6, call=record())], "quiet"),
        ([span(1, end=5), span(2, 99, call=record())], "quiet"),
    ],
    ids=["whole", "outlives the root", "missing parent"],
)
def test_the_grade_says_what_may_be_missing(spans: list[Span], grade: str) -> None:
    bench = Bench()
    bench.add(0, *spans)
    assert bench.closes_at(6).grade == grade


def test_the_row_is_named_by_its_first_frame_and_versioned_by_its_last() -> None:
    bench = Bench()
    bench.add(0, span(9, trace=OTHER))
    bench.add(1, span(2, 1, call=record()))
    bench.add(2, span(1))
    totals = bench.closes_at(8)
    assert (totals.generation, totals.version) == (2, 3 * 8 + 2)
    assert totals.arrived_ns == START + 2
    assert totals.writer == "w"


def test_a_trace_without_usage_is_dropped_in_silence() -> None:
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record(None, role=WITNESS, agent="a")))
    assert bench.shutdown(100) == []
    assert bench.ledger.next_deadline() is None or bench.expire(1e6) == []
    assert bench.telemetry.traces.exact() == 0


def test_a_trace_that_another_costspan_metered_is_counted_and_not_totalled() -> None:
    bench = Bench()
    bench.add(0, span(1, call=record(role=ALREADY_METERED)))
    assert bench.shutdown(1) == []
    assert bench.telemetry.already_metered_spans.exact("app") == 1
    assert bench.net() == 0


def test_a_late_span_makes_a_new_version_after_a_pause() -> None:
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record()))
    first = bench.closes_at(6)
    bench.add(8, span(3, 1, call=record()))
    bench.add(9, span(4, 1, call=record()))
    second = bench.closes_at(13)
    assert (second.reason, second.generation) == ("amend", first.generation)
    assert second.version > first.version
    assert (first.cost, second.cost) == ("200", "600")
    assert bench.telemetry.late_spans.exact("warm") == 2
    assert bench.telemetry.traces.exact() == 1


def test_a_late_span_of_a_forgotten_trace_starts_a_generation_that_closes_soon() -> None:
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record()))
    first = bench.closes_at(6)
    bench.expire(15)
    bench.add(16, span(3, 1, call=record()))
    second = bench.closes_at(22)
    assert second.reason == "late_fragment"
    assert second.generation > first.generation
    assert (first.cost, second.cost) == ("200", "200")
    assert bench.telemetry.late_spans.exact("cold") == 1


def test_a_step_that_comes_alone_still_leads_to_the_wrapper_above_it() -> None:
    """Call, step and wrapper, each after the one before was forgotten: one call, billed once."""
    bench = Bench()
    for now, one in (
        (0, span(3, 2, start=2, end=3, call=record())),
        (400, span(2, 1, start=1, end=4)),
        (800, span(1, start=0, end=5, call=record())),
    ):
        bench.expire(now)
        bench.add(now, one)
    bench.shutdown(1200)
    newest = {closing.totals.generation: closing.totals for closing in bench.out}
    assert bench.net() == sum(int(row.cost) for row in newest.values()) == 200


def test_a_span_sent_again_is_counted_once_open_closed_or_forgotten() -> None:
    bench = Bench()
    sent = [span(1), span(2, 1, call=record())]
    bench.add(0, *sent)
    bench.add(1, *sent)
    bench.expire(7)
    bench.add(8, *sent)
    bench.expire(40)
    bench.add(50, *sent)
    assert bench.shutdown(60) == []
    assert [closing.totals.cost for closing in bench.out] == ["200"]
    assert bench.net() == 200
    assert bench.telemetry.duplicate_spans.exact() == 3
    assert bench.telemetry.calls.exact() == 1


@pytest.mark.parametrize("late", [0.0, 1.0, 100.0, 5000.0])
@pytest.mark.parametrize("first", ["silent", "telling"])
def test_a_state_of_a_span_without_usage_hides_nothing(first: str, late: float) -> None:
    """Whichever comes first, ends last or comes again: the span that was used up is counted."""
    bench = Bench()
    silent = span(1, end=9, call=record(None, role=WITNESS, agent="a"))
    telling = span(1, end=8, call=record(100, role=AGGREGATE, agent="a"))
    states = (silent, telling) if first == "silent" else (telling, silent)
    for number, state in enumerate((*states, telling)):
        bench.expire(number * late)
        bench.add(number * late, state)
    bench.shutdown(1e6)
    newest = {closing.totals.generation: closing.totals for closing in bench.out}
    assert sum(row.llm_calls for row in newest.values()) == 1
    assert sum(int(row.cost) for row in newest.values()) == bench.net() == 200


def test_a_frame_read_again_after_a_missing_commit_changes_nothing() -> None:
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record()))
    bench.seq -= 1
    bench.add(0, span(1), span(2, 1, call=record()))
    assert bench.closes_at(6).cost == "200"
    assert bench.telemetry.duplicate_spans.exact() == 0


def test_what_a_wrapper_repeats_is_taken_back_when_the_trace_is_closed() -> None:
    """Both leaves were counted on arrival; the outer one is covered."""
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record(50, 5)), span(3, 2, call=record(50, 5)))
    assert bench.net() == 200
    totals = bench.closes_at(6)
    assert totals.cost == "100"
    assert bench.telemetry.cost.exact() == 200
    assert bench.telemetry.cost_retracted.exact() == 100
    saved = bench.telemetry.cache_savings.exact() - bench.telemetry.cache_surcharge.exact()
    assert saved == int(totals.cache_savings)


def test_a_fallback_is_counted_at_the_close_and_taken_back_when_its_call_comes_late() -> None:
    bench = Bench()
    bench.add(0, span(1, call=record(50, 5, role=AGGREGATE)))
    assert bench.net() == 0
    assert bench.closes_at(6).flags == ("fallback",)
    assert bench.net() == 100
    bench.add(7, span(2, 1, call=record(30, 5)))
    assert bench.closes_at(12).cost == "80"
    assert bench.net() == 80
    corrected = [call.billed_reason for call in bench.out[1].corrections]
    assert corrected == ["not_inference", "leaf"]  # the call came without the root above it


def test_a_correction_goes_out_only_for_rows_that_say_something_else() -> None:
    bench = Bench()
    bench.add(
        0,
        span(1, call=record(None, role=WITNESS, agent="a")),
        span(2, 1, call=record(agent="a")),
        span(3, 1, call=record()),
    )
    bench.closes_at(6)
    (fixed,) = bench.out[0].corrections
    assert (fixed.span_id[-1], fixed.identity.agent, fixed.version) == (3, "a", 8 + 2)
    bench.add(7, span(1), span(4, 1, call=record(agent="a")))
    bench.closes_at(12)
    assert bench.out[1].corrections == []


def test_a_call_that_came_without_the_spans_above_it_is_told_where_it_is() -> None:
    """Its row as it arrived names no transaction and no root: its request did not hold them."""
    bench = Bench()
    bench.add(0, span(3, 2, call=record()))
    bench.add(1, entered(span(2, 1)), span(1))
    bench.closes_at(7)
    (fixed,) = bench.out[0].corrections
    assert (fixed.transaction, fixed.root, fixed.billed) == (ident(2), ident(1), True)


def test_a_conflicting_copy_is_corrected_even_if_it_changes_nothing_else() -> None:
    """Rows of one version that differ: the store may keep either."""
    bench = Bench()
    bench.add(0, span(1, call=record(cost=5)))
    bench.add(1, span(1, call=record(cost=9)))
    assert bench.net() == 9
    assert bench.closes_at(6).cost == "9"
    assert len(bench.out[0].corrections) == 1
    assert bench.net() == 9


def test_shutdown_closes_everything_and_is_forced() -> None:
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record()))
    bench.add(1, span(2, 1, trace=OTHER, call=record()))
    rows = bench.shutdown(2)
    assert [(row.trace_id, row.reason, row.grade) for row in rows] == [
        (TRACE, "shutdown", "forced"),
        (OTHER, "shutdown", "forced"),
    ]
    assert bench.telemetry.trace_cost.count("app") == 2


def test_the_final_value_is_observed_once_though_the_trace_was_amended() -> None:
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record()))
    bench.expire(7)
    bench.add(8, span(3, 1, call=record()))
    bench.expire(60)
    assert bench.telemetry.trace_calls.count("app") == 1


def test_too_many_traces_close_the_heaviest_of_the_oldest() -> None:
    bench = Bench(LedgerSettings(max_traces=2))
    bench.add(0, span(1, trace=b"a" * 16, call=record()))
    bench.add(1, *[span(n, trace=b"b" * 16, call=record()) for n in range(1, 9)])
    bench.add(2, span(1, trace=b"c" * 16, call=record()))
    (row,) = bench.expire(2)
    assert (row.trace_id, row.reason, row.grade) == (b"b" * 16, "evict_count", "forced")
    assert bench.telemetry.evicted_traces.exact("evict_count") == 1


def test_memory_is_bounded_and_no_money_is_lost_by_it() -> None:
    bench = Bench(LedgerSettings(max_bytes=400_000))
    for number in range(1000):
        trace = number.to_bytes(16, "big")
        bench.add(number / 1000, span(1, trace=trace), span(2, 1, trace=trace, call=record()))
    bench.expire(1)
    bench.shutdown(2)
    assert bench.telemetry.evicted_traces.exact("evict_memory") > 500
    assert sum(int(closing.totals.cost) for closing in bench.out) == 200_000 == bench.net()


def test_a_giant_trace_goes_on_as_a_new_generation() -> None:
    bench = Bench(LedgerSettings(max_spans=10))
    for number in range(1, 31):
        bench.add(number, span(number, 99, call=record()))
    bench.shutdown(40)
    assert len({closing.totals.generation for closing in bench.out}) == 3
    assert sum(closing.totals.spans for closing in bench.out) == 30
    assert bench.net() == 30 * 200


def test_everything_given_back_leaves_no_bytes() -> None:
    bench = Bench()
    bench.add(0, span(1), span(2, 1, call=record()))
    bench.expire(7)
    bench.expire(30)
    samples = {family.name: family.samples for family in bench.telemetry.collect()}
    assert samples["costspan_open_traces"][0].value == 0
    assert 0 < samples["costspan_ledger_bytes"][0].value < 2000  # the grave


def test_a_frame_that_cannot_be_read_changes_nothing() -> None:
    bench = Bench()
    bad = frame(1, [span(1, call=record())])._replace(calls=b"\x91")
    with pytest.raises(ValueError):  # noqa: PT011  (msgspec words it)
        bench.ledger.add(bad, heads([span(1)]), 0)
    with pytest.raises(ValueError, match="80 bytes each"):
        bench.ledger.add(frame(1, []), b"short", 0)
    bench.add(0, span(1, call=record()))
    assert bench.closes_at(6).llm_calls == 1


def test_a_failed_call_without_usage_is_a_call_and_costs_nothing_known() -> None:
    bench = Bench()
    failed = record(None)
    failed.billed_reason = "no_usage"
    bench.add(0, span(1, status=2, call=failed))
    totals = bench.closes_at(6)
    assert (totals.llm_calls, totals.errors) == (0, 1)
    assert bench.telemetry.calls.exact("app", "openai", "m", "chat", "error") == 1
    assert bench.telemetry.unpriced_spans.exact() == 0


def test_money_that_no_line_explains_is_counted_as_reported() -> None:
    call = record()
    call.charge = type(call.charge)("provider_reported", total="77")
    bench = Bench()
    bench.add(0, span(1, call=call))
    assert bench.telemetry.cost.exact("app", "openai", "m", "reported") == 77
    assert bench.telemetry.tokens.exact("app", "openai", "m", "input") == 100


def test_the_effective_cost_of_a_trace_is_said_only_where_it_is_another() -> None:
    """A provisioned call adds nothing to the bill; its share of the commitment is 150 attos."""
    spread = record()
    spread.charge = Charge("provisioned", total="0", list_total="200", effective_total="150")
    bench = Bench()
    bench.add(0, span(1, call=record()))
    bench.add(0, span(1, trace=OTHER), span(2, 1, trace=OTHER, call=spread))
    bench.add(0, span(3, 1, trace=OTHER, call=record()))
    plain, mixed = bench.expire(6)

    assert ("200", "") == (plain.cost, plain.effective_cost)
    assert ("200", "400", "350") == (mixed.cost, mixed.list_cost, mixed.effective_cost)


@pytest.mark.parametrize(
    ("ours", "theirs", "agreement", "over", "under"),
    [
        (200, 200, "agrees", 0, 0),
        (202, 200, "agrees", 2, 0),  # 1 % of theirs
        (203, 200, "differs", 3, 0),
        (198, 200, "agrees", 0, 2),
        (100, 200, "differs", 0, 100),
        (0, 200, "differs", 0, 200),
    ],
)
def test_the_difference_to_a_reported_cost_is_published(
    ours: int, theirs: int, agreement: str, over: int, under: int
) -> None:
    call = record(cost=ours)
    call.reported_cost = str(theirs)
    bench = Bench()
    bench.add(0, span(1, call=call))
    table, who = bench.telemetry, ("app", "openai", "m")

    assert 1 == table.reported_calls.exact(*who, agreement) == table.reported_calls.exact()
    assert over == table.reported_difference.exact(*who, "over")
    assert under == table.reported_difference.exact(*who, "under")
    assert ours == bench.net()


def test_a_reported_cost_that_is_the_total_has_nothing_to_differ_from() -> None:
    call = record()
    call.charge = Charge("provider_reported", total="77")
    call.reported_cost = "77"
    bench = Bench()
    bench.add(0, span(1, call=call))

    assert 0 == bench.telemetry.reported_calls.exact()


def test_an_estimate_is_in_the_cost_and_is_named() -> None:
    call = record(cost=200)
    call.charge = Charge("estimated", total="200", lines=call.charge.lines)
    bench = Bench()
    bench.add(0, span(1, call=call), span(2, call=record(cost=5)))

    assert 200 == bench.telemetry.estimated_cost.exact("app", "openai", "m")
    assert 205 == bench.telemetry.cost.exact()
