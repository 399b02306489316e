"""What a request shows of calls that are told of twice, and when it is asked at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import pytest

from costspan.ledger.at_intake import mark_doubles
from costspan.model import AGGREGATE, ALREADY_METERED, LEAF, PROVISIONAL, LlmCall
from ledger_samples import Span, calls, record, span


class Request:
    """The spans of a request; it counts how often it is asked for links."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self.asked = 0

    def links(self, trace_ids: AbstractSet[bytes]) -> Mapping[bytes, Mapping[bytes, bytes]]:
        self.asked += 1
        found: dict[bytes, dict[bytes, bytes]] = {trace_id: {} for trace_id in trace_ids}
        for one in self._spans:
            if one.head.trace_id in found:
                found[one.head.trace_id][one.head.span_id] = one.head.parent_span_id
        return found


def ruled(*spans: Span) -> tuple[list[str], int]:
    """(why each call is billed or not, how often links were asked for)."""
    request, told = Request(spans), calls(spans)
    mark_doubles(told, request.links)
    return [call.billed_reason for call in told], request.asked


def test_a_framework_over_an_sdk_with_steps_between_is_covered() -> None:
    spans = [
        span(1, start=0, end=9, call=record()),
        span(2, 1, start=1, end=8),
        span(3, 2, start=2, end=7),
        span(4, 3, start=3, end=6, call=record()),
    ]
    assert ruled(*spans) == (["covered", "leaf"], 1)


def test_a_call_directly_below_another_needs_no_links() -> None:
    """Also where the one below ends last, or another service's clock differs."""
    gateway = record(service="gateway")
    spans = [span(1, start=0, end=1, call=record()), span(2, 1, start=5, end=6, call=gateway)]
    assert ruled(*spans) == (["covered", "leaf"], 0)


def test_an_equal_response_id_is_one_call_wherever_it_is_told() -> None:
    spans = [
        span(1, call=record(response_id="r", usage={"input": 5, "cache_read": 5})),
        span(2, start=8, end=9, call=record(10, 0, response_id="r")),
    ]
    assert ruled(*spans) == (["leaf", "duplicate"], 0)


def test_calls_one_after_the_other_are_not_suspected() -> None:
    spans = [
        span(2, 1, start=0, end=1, call=record(response_id="a")),
        span(4, 3, start=2, end=3, call=record(response_id="b")),
    ]
    assert ruled(*spans) == (["leaf", "leaf"], 0)


def test_calls_at_once_below_one_span_are_not_suspected() -> None:
    """Fan-out: neither can be above the other, whatever is above both."""
    agent = record(None, role=AGGREGATE, agent="a")
    spans = [span(2, 9, end=5, call=agent)]
    spans += [span(number, 2, end=5, call=record()) for number in (3, 4, 5)]
    assert ruled(*spans) == (["not_inference", "leaf", "leaf", "leaf"], 0)


def test_calls_at_once_below_several_spans_are_looked_at_and_stand() -> None:
    spans = [
        span(1, end=5),
        *[span(number, 1, end=5) for number in (2, 3)],
        *[span(number + 2, number, end=5, call=record()) for number in (2, 3)],
    ]
    assert ruled(*spans) == (["leaf", "leaf"], 1)


def test_traces_do_not_mix() -> None:
    spans = [
        span(1, call=record(response_id="r")),
        span(2, 1, trace=b"\x02" * 16, call=record(response_id="r")),
    ]
    assert ruled(*spans) == (["leaf", "leaf"], 0)


def test_an_aggregate_takes_no_cost_from_a_call_above_it() -> None:
    """Its own calls may come later and be less; until then nothing else would carry the cost."""
    spans = [
        span(1, call=record(10, 1)),
        span(2, 1, call=record(10, 1, role=AGGREGATE)),
        span(3, 9, call=record(50, 5)),
    ]
    assert ruled(*spans) == (["leaf", "not_inference", "leaf"], 1)


def test_an_aggregate_between_two_calls_is_a_step_of_the_path() -> None:
    spans = [
        span(1, call=record(10, 1)),
        span(2, 1, call=record(99, 9, role=AGGREGATE)),
        span(3, 2, call=record(10, 1)),
    ]
    assert ruled(*spans)[0] == ["covered", "not_inference", "leaf"]


def test_a_span_over_what_another_costspan_metered_is_covered() -> None:
    below = record(role=ALREADY_METERED)
    below.billed_reason = ALREADY_METERED
    spans = [span(1, call=record()), span(2, 1, call=below)]
    assert ruled(*spans)[0] == ["covered", ALREADY_METERED]


def test_a_span_that_is_twice_in_a_request_carries_its_cost_once() -> None:
    reasons, _ = ruled(span(1, call=record()), span(1, call=record()))
    assert sorted(reasons) == ["duplicate", "leaf"]


@pytest.mark.parametrize("size", [2, 2000])
def test_parents_in_a_circle_end(size: int) -> None:
    spans = [span(1, size, call=record()), *[span(n, n - 1) for n in range(2, size)]]
    spans.append(span(size, size - 1, call=record()))
    assert sorted(ruled(*spans)[0]) == ["covered", "leaf"]


def test_the_record_keeps_all_evidence() -> None:
    """Only the verdict changes, and its version: any other row of the span is heavier."""
    spans = [span(1, call=record()), span(2, 1, call=record())]
    double, _ = told = calls(spans)
    charge, usage = double.charge, double.usage
    mark_doubles(told, Request(spans).links)
    assert (double.billed, double.billed_reason, double.version) == (False, "covered", PROVISIONAL)
    assert (double.charge, double.usage, double.role) == (charge, usage, LEAF)


def test_nothing_is_marked_if_the_links_cannot_be_read() -> None:
    def unreadable(trace_ids: AbstractSet[bytes]) -> Mapping[bytes, Mapping[bytes, bytes]]:
        raise RuntimeError(trace_ids)

    told: list[LlmCall] = calls(
        [
            span(1, call=record(response_id="r")),
            span(2, call=record(response_id="r")),
            span(3, 8, call=record()),
        ]
    )
    with pytest.raises(RuntimeError):
        mark_doubles(told, unreadable)
    assert all(call.billed for call in told)
