"""What is said of a whole trace, as attributes of a span and as log events."""

from __future__ import annotations

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.model import Signal, TraceTotals
from costspan.processor.enrich import OWN_KEYS
from costspan.processor.trace_facts import (
    EVENT_ATTRIBUTES,
    SIGNAL_ATTRIBUTES,
    TRACE_ATTRIBUTES,
    attributes,
    signal_events,
    trace_events,
    trace_facts,
)
from costspan.wire.values import any_value
from records import NOW, SECOND, totals

ROOT = b"\x0a" * 8


def total(**changes: object) -> TraceTotals:
    usage = {"input": 1000, "cache_read": 24, "cache_write_5m": 6, "output": 100, "reasoning": 40}
    return totals(
        **{
            "usage": usage, "cost": "3500000000000001", "cache_savings": "-2", "unpriced_calls": 1,
            "llm_calls": 3, "root_span_id": ROOT, "service": "shop", **changes,
        }
    )  # fmt: skip


FACTS = {
    "window.financial.trace.total_cost": 0.003500000000000001,
    "window.financial.trace.total_cost_exact": "0.003500000000000001",
    "window.financial.trace.llm_calls": 3,
    "window.financial.trace.unpriced_calls": 1,
    "window.financial.trace.input_tokens": 1030,
    "window.financial.trace.output_tokens": 100,
    "window.financial.trace.cache_savings": -2e-18,
    "window.financial.trace.completion": "verified",
}


def test_a_span_can_carry_the_total_of_its_trace() -> None:
    span = Span.FromString(attributes(trace_facts(total())))
    assert {kv.key: any_value(kv.value) for kv in span.attributes} == FACTS
    assert FACTS.keys() == {each.name for each in TRACE_ATTRIBUTES}


def test_what_is_nothing_is_not_said() -> None:
    span = Span.FromString(attributes(trace_facts(total(unpriced_calls=0, cache_savings="0"))))
    said = {kv.key for kv in span.attributes}
    assert FACTS.keys() - said == {
        "window.financial.trace.unpriced_calls", "window.financial.trace.cache_savings",
    }  # fmt: skip


def test_a_total_of_a_trace_never_bears_the_name_of_a_cost_of_a_span() -> None:
    """Whoever adds up spans would count it twice."""
    names = {each.name for each in (*TRACE_ATTRIBUTES, *EVENT_ATTRIBUTES, *SIGNAL_ATTRIBUTES)}
    assert not names & OWN_KEYS
    assert all(name.startswith("window.financial.trace.") for name in names)


def test_an_event_is_linked_to_the_root_and_says_which_version_it_is() -> None:
    other = total(trace_id=b"\x02" * 16, service="other", version=9)
    sent = ExportLogsServiceRequest.FromString(trace_events([total(), other, total()], NOW))
    services = [any_value(each.resource.attributes[0].value) for each in sent.resource_logs]
    assert services == ["shop", "other"]
    first, second = (each.scope_logs[0].log_records for each in sent.resource_logs)
    assert (len(first), len(second)) == (2, 1)
    assert (first[0].trace_id, first[0].span_id) == (b"\x01" * 16, ROOT)
    assert first[0].event_name == "window.financial.trace"
    assert (first[0].time_unix_nano, first[0].observed_time_unix_nano) == (NOW + SECOND, NOW)
    said = {kv.key: any_value(kv.value) for kv in first[0].attributes}
    assert said == FACTS | {
        "window.financial.trace.version": 8, "window.financial.trace.writer": "w1",
    }  # fmt: skip


def test_a_signal_is_a_warning_linked_to_the_call_with_which_the_limit_was_passed() -> None:
    signal = Signal(b"\x01" * 16, ROOT, "shop", "cost", 5.25, 5.0, NOW)
    sent = ExportLogsServiceRequest.FromString(signal_events([signal], NOW + 5))
    (record,) = sent.resource_logs[0].scope_logs[0].log_records
    assert (record.severity_text, record.trace_id, record.span_id) == ("WARN", b"\x01" * 16, ROOT)
    assert {kv.key: any_value(kv.value) for kv in record.attributes} == {
        "window.financial.trace.signal": "cost",
        "window.financial.trace.signal.value": 5.25,
        "window.financial.trace.signal.limit": 5.0,
    }
    assert record.body.string_value == "open trace passed its limit of cost: 5.25 > 5"
