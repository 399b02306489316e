"""What is said of traces and of agents' runs: the names in one table, attributes, events. No sums.

These totals never bear the name of a span's cost: a back end that adds up spans would count them a
second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from costspan import __version__
from costspan.model import AgentTotals, Signal, TraceTotals
from costspan.processor.enrich import Attribute
from costspan.wire import encode_attribute, splice
from costspan_pricing import format_usd
from costspan_pricing.usage import PROMPT

_ATTOS = 10**18
_OUTPUT = ("output", "audio_output", "image_output")  # reasoning lies inside output
_SCOPE = "costspan"
_INFO, _WARN = 9, 13  # SeverityNumber of opentelemetry-proto

TOTAL = "window.financial.trace.total_cost"
TOTAL_EXACT = "window.financial.trace.total_cost_exact"
CALLS = "window.financial.trace.llm_calls"
UNPRICED = "window.financial.trace.unpriced_calls"
INPUT_TOKENS = "window.financial.trace.input_tokens"
OUTPUT_TOKENS = "window.financial.trace.output_tokens"
SAVINGS = "window.financial.trace.cache_savings"
COMPLETION = "window.financial.trace.completion"
VERSION = "window.financial.trace.version"
WRITER = "window.financial.trace.writer"
SIGNAL = "window.financial.trace.signal"
VALUE = "window.financial.trace.signal.value"
LIMIT = "window.financial.trace.signal.limit"
AGENT = "window.financial.agent.name"
AGENT_TOTAL = "window.financial.agent.total_cost"
AGENT_TOTAL_EXACT = "window.financial.agent.total_cost_exact"
AGENT_OWN = "window.financial.agent.own_cost"
AGENT_CALLS = "window.financial.agent.llm_calls"
AGENT_UNPRICED = "window.financial.agent.unpriced_calls"
AGENT_INPUT_TOKENS = "window.financial.agent.input_tokens"
AGENT_OUTPUT_TOKENS = "window.financial.agent.output_tokens"
AGENT_COMPLETION = "window.financial.agent.completion"

TRACE_ATTRIBUTES = (
    Attribute(TOTAL, "double", "Cost of the trace in USD: of its billed calls with a known price."),
    Attribute(TOTAL_EXACT, "string", "The same, exact: a plain decimal."),
    Attribute(CALLS, "int", "Billed model calls, those without a price too."),
    Attribute(UNPRICED, "int", "How many of them have no known price; only if there are any."),
    Attribute(INPUT_TOKENS, "int", "Prompt tokens, cached ones included."),
    Attribute(OUTPUT_TOKENS, "int", "Generated tokens, reasoning included."),
    Attribute(SAVINGS, "double", "USD saved by caches, what writing them cost taken off; if any."),
    Attribute(
        COMPLETION,
        "string",
        "verified (every parent is here and nothing outlives the root), quiet (the root, and"
        " silence since), forced (closed for another reason), open (more will come).",
    ),
)
AGENT_ATTRIBUTES = (
    Attribute(AGENT, "string", "Whose run the span is."),
    Attribute(
        AGENT_TOTAL,
        "double",
        "Cost in USD of the run with all that is below it, other agents too: of billed calls with a"
        " known price.",
    ),
    Attribute(AGENT_TOTAL_EXACT, "string", "The same, exact: a plain decimal."),
    Attribute(
        AGENT_OWN,
        "double",
        "The part that is the agent's own, without what agents below it spent. No call is in the"
        " parts of two spans, so these can be added up.",
    ),
    Attribute(AGENT_CALLS, "int", "Billed model calls of all that, those without a price too."),
    Attribute(AGENT_UNPRICED, "int", "How many of them have no known price; only if any."),
    Attribute(AGENT_INPUT_TOKENS, "int", "Their prompt tokens, cached ones included."),
    Attribute(AGENT_OUTPUT_TOKENS, "int", "Their generated tokens, reasoning included."),
    Attribute(
        AGENT_COMPLETION,
        "string",
        "That of the trace; forced also where the run did not wait for the trace's end, so that"
        " another run of the agent may be around it, whose parts hold these.",
    ),
)
EVENT_ATTRIBUTES = (
    Attribute(VERSION, "int", "Of several events of a writer on a trace the highest counts."),
    Attribute(WRITER, "string", "Who added up; the sums of several writers add up."),
)
SIGNAL_ATTRIBUTES = (
    Attribute(
        SIGNAL, "string", "Which limit was passed: cost, calls, repeats, growth or tool_repeats."
    ),
    Attribute(VALUE, "double", "What was counted when it was passed."),
    Attribute(LIMIT, "double", "The limit."),
)
Facts = dict[str, str | int | float]
"""Attributes by name."""
TRACE_EVENT = "window.financial.trace"
SIGNAL_EVENT = "window.financial.trace.signal"


def trace_facts(total: TraceTotals) -> Facts:
    """The attributes of a trace, by name."""
    usage = total.usage
    facts: Facts = {
        TOTAL: int(total.cost) / _ATTOS,  # ints divide to the nearest double
        TOTAL_EXACT: format_usd(int(total.cost)),
        CALLS: total.llm_calls,
        INPUT_TOKENS: sum(usage.get(unit, 0) for unit in PROMPT),
        OUTPUT_TOKENS: sum(usage.get(unit, 0) for unit in _OUTPUT),
        COMPLETION: total.grade,
    }
    if total.unpriced_calls:
        facts[UNPRICED] = total.unpriced_calls
    if int(total.cache_savings):
        facts[SAVINGS] = int(total.cache_savings) / _ATTOS
    return facts


def agent_facts(agent: AgentTotals) -> Facts:
    """The attributes of an agent's run, by name."""
    facts: Facts = {
        AGENT: agent.name,
        AGENT_TOTAL: agent.cost / _ATTOS,
        AGENT_TOTAL_EXACT: format_usd(agent.cost),
        AGENT_OWN: agent.own_cost / _ATTOS,
        AGENT_CALLS: agent.calls,
        AGENT_INPUT_TOKENS: agent.input_tokens,
        AGENT_OUTPUT_TOKENS: agent.output_tokens,
        AGENT_COMPLETION: agent.grade,
    }
    if agent.unpriced_calls:
        facts[AGENT_UNPRICED] = agent.unpriced_calls
    return facts


def with_totals(request: bytes, total: TraceTotals | None, agent: AgentTotals | None) -> bytes:
    """A request of one span, with the totals of its trace and of its agent on it.

    Totals that it holds already are left alone: another costspan saw more of the trace, or less,
    and nobody's attributes are overwritten.
    """
    added = b""
    if total is not None and TOTAL.encode() not in request:
        added += attributes(trace_facts(total))
    if agent is not None and AGENT_TOTAL.encode() not in request:
        added += attributes(agent_facts(agent))
    return splice(request, {0: added})


def attributes(facts: Facts) -> bytes:
    """Facts as encoded attributes, to append to a span."""
    return b"".join(encode_attribute(name, value) for name, value in facts.items())


def trace_events(totals: Sequence[TraceTotals], now: int) -> bytes:
    """One log event a total, linked to the trace's root: an ExportLogsServiceRequest."""
    records = []
    for total in totals:
        facts = trace_facts(total) | {VERSION: total.version, WRITER: total.writer}
        record = _record(TRACE_EVENT, _INFO, total.end_ns, now, facts)
        record.trace_id, record.span_id = total.trace_id, total.root_span_id
        record.body.string_value = (
            f"trace cost ${format_usd(int(total.cost))} in {total.llm_calls} model calls"
        )
        records.append((total.service, record))
    return _request(records)


def signal_events(signals: Sequence[Signal], now: int) -> bytes:
    """One log event a signal, linked to the span with which the limit was passed."""
    records = []
    for one in signals:
        facts: Facts = {SIGNAL: one.name, VALUE: float(one.value), LIMIT: float(one.limit)}
        record = _record(SIGNAL_EVENT, _WARN, one.at, now, facts)
        record.trace_id, record.span_id = one.trace_id, one.span_id
        record.body.string_value = (
            f"open trace passed its limit of {one.name}: {one.value:g} > {one.limit:g}"
        )
        records.append((one.service, record))
    return _request(records)


def _record(name: str, severity: int, at: int, now: int, facts: Facts) -> LogRecord:
    return LogRecord(
        time_unix_nano=at,
        observed_time_unix_nano=now,
        severity_number=severity,  # type: ignore[arg-type]  # an enum on the wire is an int
        severity_text="INFO" if severity == _INFO else "WARN",
        event_name=name,
        attributes=[KeyValue(key=key, value=_value(value)) for key, value in facts.items()],
    )


def _value(value: str | float) -> AnyValue:
    match value:
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=min(value, 2**63 - 1))
        case _:
            return AnyValue(double_value=value)


def _request(records: Iterable[tuple[str, LogRecord]]) -> bytes:
    """Grouped by the service that the trace belongs to."""
    request = ExportLogsServiceRequest()
    scopes = {}
    for service, record in records:
        if service not in scopes:
            resource = request.resource_logs.add()
            if service:
                named = AnyValue(string_value=service)
                resource.resource.attributes.append(KeyValue(key="service.name", value=named))
            scopes[service] = resource.scope_logs.add()
            scopes[service].scope.name = _SCOPE
            scopes[service].scope.version = __version__
        scopes[service].log_records.append(record)
    return request.SerializeToString()
