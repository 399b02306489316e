"""Totals and signals of traces as log events at a collector, from the real process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.cli.commands import main
from costspan.demo.line import Line
from costspan.testing import request, span
from costspan.wire.values import any_value
from integration.lines import eventually, otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink
from integration.prometheus import value

pytestmark = pytest.mark.slow
ROOT = b"\x0a" * 8
SECOND = 10**9


def chat(number: int, prompt: int) -> Span:
    now = time.time_ns()
    return span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o",
            "gen_ai.agent.name": "planner",
            "gen_ai.usage.input_tokens": prompt,
            "gen_ai.usage.output_tokens": 10,
        },
        span_id=number.to_bytes(8, "big"), parent_span_id=ROOT, start_ns=now,
        end_ns=now + SECOND,
    )  # fmt: skip


def events(sink: OtlpSink, name: str) -> list[LogRecord]:
    return [
        record
        for body in sink.bodies("logs")
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
        if record.event_name == name
    ]


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


def open_trace(line: Line, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `costspan trace` says while it runs; another trace is not there."""
    url = f"http://127.0.0.1:{line.ports.health}"
    assert main(["trace", "09" * 16, "--url", url]) == 1
    assert main(["trace", "01" * 16, "--url", url]) == 0
    assert "4 model calls in 4 spans cost $0.0029" in capsys.readouterr().out
    assert main(["trace", "01" * 16, "--url", url, "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_totals_and_signals_arrive_as_events(
    sink: OtlpSink, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The signal while the trace is open, at once; what it has cost by then, and then its total."""
    processors = {
        "trace_totals": {
            "emit": ["metrics", "log_event"], "root_grace": "1s", "quiet": "1s",
            "signals": {"llm_calls": 2},
        }
    }  # fmt: skip
    patient = {"batch": {"flush_timeout": "1h"}}
    exporters = {"otlp": {**otlp(sink.endpoint), "sending_queue": patient}}
    with running(tmp_path, exporters, processors=processors) as line:
        assert line.ready()
        export(line.ports.grpc, request(*(chat(n, 100 * n) for n in range(1, 5))))
        sink.wait(lambda: bool(events(sink, "window.financial.trace.signal")))
        told = open_trace(line, capsys)
        assert (told["cost_usd"], told["llm_calls"]) == ("0.0029", 4)
        assert [one["name"] for one in told["spans"]] == ["chat gpt-4o"] * 4
        now = time.time_ns()
        export(line.ports.grpc, request(span(span_id=ROOT, start_ns=now, end_ns=now + SECOND)))
        port = line.ports.metrics
        eventually(lambda: value(port, "costspan_traces_total"))
        assert value(port, "costspan_trace_signals_total", signal="calls") == 1
    (signal,) = events(sink, "window.financial.trace.signal")
    said = {kv.key: any_value(kv.value) for kv in signal.attributes}
    assert said["window.financial.trace.signal"] == "calls"
    so_far, total = (
        {kv.key: any_value(kv.value) for kv in event.attributes}
        for event in events(sink, "window.financial.trace")
    )
    assert [event.span_id for event in events(sink, "window.financial.trace")] == [b"", ROOT]
    states = [one["window.financial.trace.completion"] for one in (so_far, total)]
    assert states == ["open", "verified"]
    said = total
    assert said["window.financial.trace.llm_calls"] == 4
    # 1 000 prompt tokens at $2.50 and 40 others at $10 a million
    assert said["window.financial.trace.total_cost_exact"] == "0.0029"
    assert (tmp_path / "costspan.log").read_text().count("passed its limit of calls") == 1
