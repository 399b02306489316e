"""The benchmark beside the Collector runs, and the Collector prices there what costspan does."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from beside import ORDER
from collector import collector
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from ratios import Load, Record, markdown
from workloads import Workload

from costspan.model import Value
from costspan.testing import key_values
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink, attributes

pytestmark = [pytest.mark.slow, pytest.mark.collector]
_BESIDE = Path(__file__).parents[2] / "benchmarks" / "beside.py"
_FIGURES = ("us_per_span", "cpu_percent", "spans_per_second", "ack_p50_ms", "ack_p99_ms",
            "resident_average", "resident_peak", "private_average")  # fmt: skip


@pytest.mark.usefixtures("otelcol")
def test_a_smoke_run_gives_every_figure_and_counts_every_span(tmp_path: Path) -> None:
    """Every job under a closed and an open load; how large the figures are is nobody's business."""
    path = tmp_path / "record.json"
    command = [sys.executable, str(_BESIDE), "--quick", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  ours
    assert done.returncode == 0, done.stderr[-2000:]
    record = Record(**json.loads(path.read_text()))
    assert done.stdout == markdown(record) + "\n"
    for load in (Load("W2", 512), Load("W2", 100, 10_000)):
        rows = {row["job"]: row for row in record.rows if load.chosen(row)}
        assert rows.keys() == set(ORDER)
        for job, row in rows.items():
            assert all(math.isfinite(row[key]) and row[key] > 0 for key in _FIGURES), row
            stored = row["sent"] if job in ("J3", "costspan + ClickHouse") else 0
            assert (row["arrived"], row["inserted"]) == (row["sent"], stored), row


def test_the_prices_of_the_collectors_job_are_those_of_our_own_arithmetic(
    otelcol: Path, tmp_path: Path
) -> None:
    """USD of the four models, cached tokens at their own price, by hand; no usage, no attribute."""
    spans = [
        _call("gpt-4o-2024-08-06", 10_000, 2_000, 500),
        _call("gpt-4o-mini-2024-07-18", 10_000, None, 500),
        _call("claude-sonnet-4-5-20250929", 12_000, 10_000, 500),
        _call("gemini-2.5-flash", 10_000, 1_000, 500),
        Span(name="GET", attributes=key_values({"http.route": "/v1"})),
    ]
    priced = _through_job_2(otelcol, tmp_path, _request(spans), 5)
    expected = [
        (8_000 * 2.50e-6 + 2_000 * 1.25e-6, 500 * 10e-6, "hit"),
        (10_000 * 0.15e-6, 500 * 0.60e-6, None),
        (2_000 * 3e-6 + 10_000 * 0.30e-6, 500 * 15e-6, "hit"),
        (9_000 * 0.30e-6 + 1_000 * 0.03e-6, 500 * 2.50e-6, "hit"),
    ]
    for span, (prompt, answer, status) in zip(priced[:4], expected, strict=True):
        found = attributes(span)
        assert found["window.financial.input_cost"] == pytest.approx(prompt, rel=1e-12)
        assert found["window.financial.output_cost"] == pytest.approx(answer, rel=1e-12)
        assert found["window.financial.total_cost"] == pytest.approx(prompt + answer, rel=1e-12)
        assert found.get("finops.cache.status") == status
    assert list(attributes(priced[4])) == ["http.route"]


def test_the_collectors_job_prices_every_call_of_the_workload(
    otelcol: Path, tmp_path: Path
) -> None:
    """A model that its configuration does not name would make it look cheap."""
    request = Workload("W1").request(200)
    priced = _through_job_2(otelcol, tmp_path, request.body, 200)
    assert request.calls == 200
    assert all("window.financial.total_cost" in attributes(span) for span in priced)


def _through_job_2(binary: Path, folder: Path, body: bytes, spans: int) -> list[Span]:
    """The spans as the sink gets them."""
    with (
        OtlpSink() as sink,
        collector(binary, "J2", folder, spans=sink.port) as running,
    ):
        export(int(running.address.rpartition(":")[2]), body)
        return sink.wait_for_spans(spans)


def _request(spans: list[Span]) -> bytes:
    groups = [ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    return ExportTraceServiceRequest(resource_spans=groups).SerializeToString()


def _call(model: str, prompt: int, cached: int | None, answer: int) -> Span:
    usage: dict[str, Value] = {
        "gen_ai.usage.input_tokens": prompt,
        "gen_ai.usage.output_tokens": answer,
    }
    if cached is not None:
        usage["gen_ai.usage.cache_read.input_tokens"] = cached
    return Span(name="chat", attributes=key_values({"gen_ai.response.model": model, **usage}))
