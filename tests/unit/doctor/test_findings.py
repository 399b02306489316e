"""Every finding, from spans as they arrive: once where it holds, once where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan.cli.price import price_requests
from costspan.doctor.examine import examine
from costspan.doctor.finding import MEANINGS, Finding, Severity, severity
from costspan.doctor.report import Diagnosis, Report
from costspan.doctor.snapshot import SignalSighting, Snapshot
from costspan.doctor.survey import Survey
from costspan.model import LOGS, METRICS, Value
from costspan.testing import SECOND, START, request, span
from hits import small_pricer

Values = Mapping[str, Value]

CHAT: Values = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.agent.name": "planner",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
SDK = ("opentelemetry.instrumentation.genai.openai", "1.3b0")
FRAMEWORK = ("openinference.instrumentation.langchain", "0.1.80")


def ident(number: int, size: int = 8) -> bytes:
    return number.to_bytes(size, "big")


def sent(
    values: Values,
    number: int = 1,
    *,
    parent: int = 0,
    trace: int = 1,
    scope: tuple[str, str] = SDK,
    dropped: int = 0,
    **more: Any,
) -> bytes:
    """A request with one span of one second."""
    one = span(
        values,
        trace_id=ident(trace, 16),
        span_id=ident(number),
        parent_span_id=ident(parent) if parent else b"",
        **more,
    )
    body = request(one, scope=scope, resource={"service.name": "shop"})
    message = ExportTraceServiceRequest.FromString(body)
    message.resource_spans[0].scope_spans[0].spans[0].dropped_attributes_count = dropped
    return message.SerializeToString()


def without(*keys: str, **more: Value) -> Values:
    return {key: value for key, value in {**CHAT, **more}.items() if key not in keys}


def report(*requests: bytes, signals: Sequence[tuple[str, bytes]] = ()) -> Report:
    """What the doctor says of complete traces."""
    survey = Survey(complete=True)
    for signal, body in signals:
        survey.note(signal, body)
    priced = price_requests([("test", each) for each in requests], small_pricer())
    for trace_id, rolled in priced.traces.items():
        survey.take(trace_id, rolled)
    return examine(survey.snapshot(), "test")


def found(*requests: bytes, **more: Any) -> dict[Finding, Diagnosis]:
    return {each.id: each for one in report(*requests, **more).services for each in one.findings}


NO_TOKENS = without("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
AGENT: Values = {
    **CHAT,
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.usage.input_tokens": 1000,
}
RAN: dict[str, Any] = {"start_ns": START, "end_ns": START + SECOND}
INSIDE: dict[str, Any] = {"start_ns": START + SECOND // 4, "end_ns": START + SECOND // 2}
CACHED = {**CHAT, "gen_ai.usage.cache_read.input_tokens": 400}
UNKNOWN_MODEL = {**CHAT, "gen_ai.request.model": "x", "gen_ai.response.model": "my-own"}
DETAILS = "metadata.usage_object"

# finding -> (spans where it holds, spans where it does not)
CASES: Mapping[Finding, tuple[list[bytes], list[bytes]]] = {
    Finding.NO_USAGE: ([sent(NO_TOKENS)], [sent(NO_TOKENS, status=2)]),
    Finding.UNPRICED: (
        [sent(UNKNOWN_MODEL)],
        [sent(NO_TOKENS)],
    ),
    Finding.INVALID_USAGE: (
        [sent({**CHAT, "gen_ai.usage.cache_read.input_tokens": 2000})],
        [sent(CACHED)],
    ),
    Finding.CONVENTION_ASSUMED: (
        [sent(CACHED, scope=("my.client", "1"))],
        [sent(CACHED), sent(CHAT, 2, trace=2, scope=("my.client", "1"))],
    ),
    Finding.TRUNCATED: ([sent(CHAT, dropped=3)], [sent({**CHAT, DETAILS: "{'a': 1}"})]),
    Finding.ONLY_AGGREGATES: ([sent(AGENT)], [sent(AGENT), sent(CHAT, 2, parent=1)]),
    Finding.UNCOVERED_USAGE: (
        [sent({**AGENT, "gen_ai.usage.input_tokens": 9000}), sent(CHAT, 2, parent=1)],
        [sent(AGENT), sent(CHAT, 2, parent=1)],
    ),
    Finding.PARENT_OVERWRITTEN: (
        [sent({**CHAT, "litellm.cache_hit": False}, scope=("app", "1"))],
        [sent({**CHAT, "litellm.cache_hit": False}, scope=("litellm", ""))],
    ),
    Finding.DOUBLED: (
        [
            sent({**CHAT, "gen_ai.response.id": "r"}, **RAN, scope=FRAMEWORK),
            sent({**CHAT, "gen_ai.response.id": "r"}, 2, parent=1, **INSIDE),
        ],
        [
            sent({**CHAT, "gen_ai.response.id": "r"}, **RAN, scope=FRAMEWORK),
            sent({**CHAT, "gen_ai.response.id": "s"}, 2, trace=2),
        ],
    ),
    Finding.DOUBLED_ACROSS_TRACES: (
        [sent(CHAT, **RAN, scope=FRAMEWORK), sent(CHAT, 2, trace=2, **INSIDE)],
        [sent(CHAT, **RAN), sent(CHAT, 2, trace=2, **INSIDE)],
    ),
    Finding.WRAPPER_REPEATS: ([sent(AGENT), sent(CHAT, 2, parent=1)], [sent(CHAT)]),
    Finding.MISSING_PARENTS: ([sent(CHAT, parent=9)], [sent(CHAT)]),
    Finding.SEVERAL_ROOTS: ([sent(CHAT), sent(CHAT, 2)], [sent(CHAT), sent(CHAT, 2, trace=2)]),
    Finding.NO_RESPONSE_MODEL: ([sent(without("gen_ai.response.model"))], [sent(CHAT)]),
    Finding.NO_PROVIDER: ([sent(without("gen_ai.provider.name"))], [sent(CHAT)]),
    Finding.NO_OPERATION: ([sent(without("gen_ai.operation.name"))], [sent(CHAT)]),
    Finding.NO_AGENT: (
        [sent(without("gen_ai.agent.name"))],
        [sent(AGENT), sent(without("gen_ai.agent.name"), 2, parent=1)],
    ),
    Finding.UNKNOWN_ATTRIBUTES: ([sent({**CHAT, "gen_ai.usage.dreams": 3})], [sent(CHAT)]),
    Finding.COST_DIFFERS: (
        [sent({**CHAT, "gen_ai.usage.cost": 1.5})],
        [sent({**CHAT, "gen_ai.usage.cost": 0.0035})],
    ),
    Finding.ALREADY_METERED: (
        [sent({**CHAT, "window.financial.price_ref": "book"})],
        [sent(CHAT)],
    ),
    Finding.LIBRARY_MISCOUNTS: (
        [sent(CHAT, scope=("opentelemetry.instrumentation.openai_v2", "2.4b0"))],
        [sent(CHAT)],
    ),
    Finding.LIBRARY_OMITS: ([sent(CHAT, scope=("litellm", ""))], [sent(CHAT)]),
}


@pytest.mark.parametrize("finding", CASES)
def test_it_is_found_where_it_holds_and_nowhere_else(finding: Finding) -> None:
    where, elsewhere = CASES[finding]

    assert finding in found(*where)
    assert finding not in found(*elsewhere)


def test_running_sums_are_told_of() -> None:
    """Spring AI 1: the second call of a tool loop reports the sum with the first."""
    boot = ("org.springframework.boot", "3.5.0")
    first = sent(CHAT, **RAN, scope=boot)
    second = {**CHAT, "gen_ai.usage.input_tokens": 3000, "gen_ai.usage.output_tokens": 300}
    later = {"start_ns": START + SECOND // 8, "end_ns": START + SECOND}
    around = sent(second, 2, scope=boot, start_ns=START - SECOND, end_ns=START + 2 * SECOND)
    inside = sent(CHAT, 3, parent=2, scope=boot, **later)

    assert Finding.RUNNING_SUMS in found(around, inside)
    assert Finding.RUNNING_SUMS not in found(first)


def metrics(name: str) -> bytes:
    message = ExportMetricsServiceRequest()
    resource = message.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = resource.scope_metrics.add()
    scope.scope.name = "meter"
    scope.metrics.add(name=name)
    return message.SerializeToString()


def logs(event: str, key: str) -> bytes:
    message = ExportLogsServiceRequest()
    resource = message.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    record = resource.scope_logs.add().log_records.add(event_name=event)
    record.attributes.add(key=key).value.int_value = 5
    return message.SerializeToString()


TOKENS = (METRICS, metrics("gen_ai.client.token.usage"))
EVENT = (LOGS, logs("gemini_cli.api_response", "input_token_count"))


@pytest.mark.parametrize(
    ("signal", "finding"), [(TOKENS, Finding.ONLY_METRICS), (EVENT, Finding.ONLY_LOGS)]
)
def test_usage_that_no_span_tells_of_is_found(signal: tuple[str, bytes], finding: Finding) -> None:
    """Not where spans of the same service do."""
    alone = found(signals=[signal])[finding]

    assert alone.subjects in {("gen_ai.client.token.usage",), ("gemini_cli.api_response",)}
    assert finding not in found(sent(CHAT), signals=[signal])
    assert finding not in found(signals=[(METRICS, metrics("http.client.duration"))])


def test_json_that_was_cut_is_named() -> None:
    usage = "{'completion_tokens': 200, 'prompt_tokens_details': {'cach"
    cut = found(sent({**CHAT, DETAILS: usage}, scope=("litellm", "")))[Finding.TRUNCATED]

    assert cut.subjects == (DETAILS,)
    assert "1 of 1 spans lost" in cut.sentence


def test_what_was_seen_before_is_left_out() -> None:
    """A setting was changed, and the old findings say nothing of it."""
    survey = Survey(complete=True)
    late: dict[str, Any] = {"start_ns": START + 50 * SECOND, "end_ns": START + 60 * SECOND}
    requests = [sent(NO_TOKENS), sent(CHAT, 2, trace=2, **late)]
    priced = price_requests([("test", each) for each in requests], small_pricer())
    for trace_id, rolled in priced.traces.items():
        survey.take(trace_id, rolled)
    snapshot = survey.snapshot()

    assert examine(snapshot, "").accuracy_findings == 1
    assert examine(snapshot, "", START + 30 * SECOND).accuracy_findings == 0


@pytest.mark.parametrize("signal", [METRICS, LOGS])
def test_claude_code_without_spans_is_told_how_to_send_them(signal: str) -> None:
    """One switch, whether it was seen in metrics or in logs."""
    scope = "com.anthropic.claude_code"
    snapshot = Snapshot(signals=[SignalSighting("me", scope, signal, 1, ("x",))])
    (service,) = examine(snapshot, "").services
    (finding,) = service.findings

    assert finding.library == "Claude Code"
    assert "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1" in finding.fix


def test_every_finding_has_a_case() -> None:
    tested = {*CASES, Finding.RUNNING_SUMS, Finding.ONLY_METRICS, Finding.ONLY_LOGS}

    assert tested == set(Finding)


def test_a_library_s_own_setting_goes_before_general_advice() -> None:
    """LiteLLM's streams have another switch than an unknown client's."""
    litellm = found(sent(NO_TOKENS, scope=("litellm", "")))[Finding.NO_USAGE]
    unknown = found(sent(NO_TOKENS, scope=("my.client", "1")))[Finding.NO_USAGE]

    assert "always_include_stream_usage" in litellm.fix
    assert litellm.library == "LiteLLM"
    assert "always_include_stream_usage" not in unknown.fix
    assert unknown.library == ""
    assert unknown.fix


def test_a_setting_for_one_provider_is_no_advice_for_another() -> None:
    """An unknown model of OpenAI's is no deployment of Azure's."""
    azure = {**UNKNOWN_MODEL, "gen_ai.provider.name": "azure.ai.openai"}

    assert "deployment" in found(sent(azure))[Finding.UNPRICED].fix
    assert "deployment" not in found(sent(UNKNOWN_MODEL))[Finding.UNPRICED].fix


def test_a_gap_of_one_provider_is_no_matter_of_another() -> None:
    claude = {**CHAT, "gen_ai.provider.name": "anthropic", "gen_ai.response.model": ""}
    langchain = ("opentelemetry.instrumentation.langchain", "0.62.4")

    assert Finding.LIBRARY_MISCOUNTS in found(sent(claude, scope=langchain))
    assert Finding.LIBRARY_MISCOUNTS not in found(sent(CHAT, scope=langchain))


def test_what_costs_accuracy_comes_first_and_is_counted() -> None:
    """By that number the command's exit code is made."""
    told = report(sent(without("gen_ai.agent.name")), sent(NO_TOKENS, 2, trace=2))
    (service,) = told.services

    assert service.findings[0].severity is Severity.ACCURACY
    assert told.accuracy_findings == 1
    assert report(sent(without("gen_ai.agent.name"))).accuracy_findings == 0


def test_scopes_are_summed_up_and_named() -> None:
    told = report(
        sent(CACHED),
        sent(AGENT, 2, trace=2),
        sent(UNKNOWN_MODEL, 3, trace=2, parent=2),
    )
    (emitter,) = told.services[0].emitters

    assert (emitter.library, emitter.dialect) == ("OpenTelemetry GenAI for OpenAI", "genai")
    assert (emitter.spans, emitter.with_usage, emitter.billed) == (3, 3, 2)
    assert emitter.unpriced == {"unknown_model": 1}
    assert {(each.convention, each.decided_by) for each in emitter.conventions} == {
        ("inclusive", "emitter")
    }


def test_examples_are_the_newest_three() -> None:
    requests = [
        sent(NO_TOKENS, n, trace=n, start_ns=START + n * SECOND, end_ns=START + (n + 1) * SECOND)
        for n in range(1, 6)
    ]
    examples = found(*requests)[Finding.NO_USAGE].examples

    assert {int(each.span_id, 16) for each in examples} == {3, 4, 5}


def test_every_finding_means_something() -> None:
    """In the order in which they are listed."""
    assert list(MEANINGS) == list(Finding)
    assert [each.severity for each in MEANINGS.values()] == sorted(
        (severity(each) for each in Finding), key=list(Severity).index
    )
