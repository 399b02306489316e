"""Who pays, through the real line: two services, two requests, and what the tables say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from costspan.demo.attach import attach
from costspan.store.endpoint import read_endpoint
from costspan.testing import SECOND, request, span, usage
from integration.lines import eventually, running
from integration.otlp_client import export

pytestmark = pytest.mark.slow
NOW = time.time_ns() - 60 * SECOND
FRONT, CALL = b"\x0a" * 8, b"\x0b" * 8
CORRECTED = "SELECT SpanName, Dimensions FROM llm_calls_latest WHERE Version > 1"
TRACES = "SELECT Dimensions FROM trace_totals"


def test_a_call_is_paid_for_by_whom_the_request_came_from(tmp_path: Path) -> None:
    """The shared service's own department gives way to what the span above says, its team stays."""
    called = span(usage(), span_id=CALL, parent_span_id=FRONT, start_ns=NOW, end_ns=NOW + SECOND)
    asked = span(
        {"http.route": "/ask", "payer.id": "acme", "department": "legal"},
        span_id=FRONT, name="POST /ask", kind=2, start_ns=NOW, end_ns=NOW + 2 * SECOND,
    )  # fmt: skip
    processors = {"cost": {"dimensions": {"payer": ["payer.id"]}}}
    store = {"clickhouse": {"directory": str(tmp_path / "store")}}
    with running(tmp_path, store, processors=processors) as line:
        assert line.ready()
        shared = {"department": "platform", "team": "ml"}  # OTEL_RESOURCE_ATTRIBUTES
        export(line.ports.grpc, request(called, service="model-proxy", resource=shared))
        export(line.ports.grpc, request(asked, service="front"))
        client = attach(read_endpoint(tmp_path / "store").dsn())
        calls = eventually(lambda: client.query(CORRECTED).result_rows)
        traces = eventually(lambda: client.query(TRACES).result_rows)
        client.close()

    expected = {"payer": "acme", "department": "legal", "team": "ml"}
    assert calls == [("chat gpt-4o", expected)]
    assert traces == [(expected,)]
