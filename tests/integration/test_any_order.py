"""Re-sent, shuffled and split: the totals are those of the same spans, priced once and in order."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.demo.attach import attach
from costspan.demo.span import Plan, Story
from costspan.demo.stories import stories
from costspan.store.endpoint import read_endpoint
from costspan.testing import SECOND, request, span
from integration.lines import eventually, running
from integration.otlp_client import exporting
from integration.prometheus import value

pytestmark = pytest.mark.slow
SEED = 3
RECENT = time.time_ns() - 600 * SECOND  # what is older than a table's TTL is not kept
CALLS = "SELECT sum(CostUsd), count() FROM llm_calls_latest WHERE Billed"
Totals = Mapping[str, tuple[Decimal, int, int]]  # trace id: cost, calls, unpriced calls


def spans_of(story: Story, number: int) -> Iterator[Span]:
    """The story's spans as they end; ids are counted."""
    trace_id = (number + 1).to_bytes(16)
    story.root.starting(RECENT)
    ids = iter(range(1, 1_000))

    def walk(plan: Plan, parent: bytes) -> Iterator[Span]:
        span_id = next(ids).to_bytes(8)
        for child in plan.children:
            yield from walk(child, span_id)
        yield span(
            dict(plan.attributes),
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=parent,
            name=plan.name,
            start_ns=plan.start_ns,
            end_ns=plan.end_ns,
            status=2 if plan.error else 0,
        )

    return walk(story.root, b"")


def in_order() -> list[list[Span]]:
    """One list for each story."""
    return [list(spans_of(story, number)) for number, story in enumerate(stories(SEED))]


def in_disorder(traces: list[list[Span]]) -> list[bytes]:
    """Requests of up to eight spans, each split in two, a tenth sent twice, all shuffled."""
    rng = random.Random(SEED)  # noqa: S311 (a repeatable disorder)
    pieces = [
        request(*half)
        for spans in traces
        for first in range(0, len(spans), 8)
        for half in (spans[first : first + 8 : 2], spans[first + 1 : first + 8 : 2])
        if half
    ]
    pieces += rng.sample(pieces, len(pieces) // 10)
    rng.shuffle(pieces)
    return pieces


def otlp_json(traces: list[list[Span]]) -> dict[str, Any]:
    """One ExportTraceServiceRequest in OTLP's JSON: ids are hex."""
    everything = request(*(each for spans in traces for each in spans))
    document: dict[str, Any] = MessageToDict(
        ExportTraceServiceRequest.FromString(everything), use_integers_for_enums=True
    )
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for proto, each in zip((s for t in traces for s in t), spans, strict=True):
        each["traceId"], each["spanId"] = proto.trace_id.hex(), proto.span_id.hex()
        each["parentSpanId"] = proto.parent_span_id.hex()
    return document


def priced_offline(file: Path) -> Totals:
    """What `costspan price` says of these spans."""
    command = [sys.executable, "-m", "costspan", "price", str(file), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603
    return {
        trace["trace_id"]: (
            Decimal(trace["cost_usd"] or 0),
            trace["llm_calls"],
            trace["unpriced_calls"],
        )
        for trace in json.loads(done.stdout)["traces"]
    }


def test_totals_equal_those_of_costspan_price(tmp_path: Path) -> None:
    """10 % re-sent, all shuffled, each split: a late span makes a new version, never a drift."""
    traces = in_order()
    (tmp_path / "spans.json").write_text(json.dumps(otlp_json(traces)))
    expected = priced_offline(tmp_path / "spans.json")
    store = tmp_path / "store"
    with running(tmp_path, {"clickhouse": {"directory": str(store)}}, drain="10s") as line:
        with exporting(line.ports.grpc) as export:
            for body in in_disorder(traces):
                export(body)
        with attach(read_endpoint(store).dsn()) as client:
            query = "SELECT TraceId, CostUsd, LlmCalls, UnpricedCalls FROM trace_totals"

            def totals() -> Totals:
                rows = client.query(query).result_rows
                return {str(row[0]): (row[1], row[2], row[3]) for row in rows}

            eventually(lambda: totals() == expected)
            (calls,) = client.query(CALLS).result_rows
            money = sum((cost for cost, *_ in expected.values()), Decimal(0))
            assert tuple(calls) == (money, sum(count for _, count, _ in expected.values()))
            metrics = line.ports.metrics
            shown = value(metrics, "costspan_cost_usd_total")
            assert shown - value(metrics, "costspan_cost_retracted_usd_total") == pytest.approx(
                float(money), rel=1e-12
            )
    assert len(expected) == len(traces)
