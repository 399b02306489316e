"""An application with requests of its own, traced by the SDK: a script that times them, as JSON.

Where the spans go says the environment, as for any application. WORKING_APP says how much there is
to do: requests, requests per second, milliseconds of work in each. It knows nothing of costspan.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Tracer

CALLS = 3  # model calls of a request, each a span beside the request's own
_PROCESSED = "otel.sdk.processor.span.processed"


class BookkeepingExporter(SpanExporter):
    """The real exporter, and which spans it says it has handed over."""

    def __init__(self) -> None:
        self.exported: list[str] = []  # span ids, hex
        self.failed = 0
        self._real = OTLPSpanExporter()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._real.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.exported += [format(s.context.span_id, "016x") for s in spans if s.context]
        else:
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        self._real.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._real.force_flush(timeout_millis)


def handle(tracer: Tracer, milliseconds: float) -> None:
    """One request: so much CPU, and what instrumentation records of its model calls."""
    with tracer.start_as_current_span("POST /answer", kind=SpanKind.SERVER):
        for number in range(CALLS):
            with tracer.start_as_current_span("chat gpt-5", kind=SpanKind.CLIENT) as span:
                span.set_attributes(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.provider.name": "openai",
                        "gen_ai.response.model": "gpt-5-2025-08-07",
                        "gen_ai.usage.input_tokens": 1_000 + number,
                        "gen_ai.usage.output_tokens": 100,
                    }
                )
                end = time.thread_time() + milliseconds / 1_000 / CALLS
                while time.thread_time() < end:
                    pass


def serve(tracer: Tracer, requests: int, rate: float, milliseconds: float) -> dict[str, Any]:
    """Requests at fixed times; the latency of each in seconds, from the time it was due."""
    latencies, failures, pause = [], 0, threading.Event()
    begin = time.perf_counter()
    for number in range(requests):
        due = begin + number / rate
        pause.wait(max(0.0, due - time.perf_counter()))
        try:
            handle(tracer, milliseconds)
        except Exception:  # noqa: BLE001  (counting them is the purpose)
            failures += 1
        latencies.append(time.perf_counter() - due)
    return {"requests": requests, "failures": failures, "latencies": latencies}


def dropped(reader: InMemoryMetricReader) -> int:
    """Spans that the SDK says found its queue full."""
    data = reader.get_metrics_data()
    points = [
        point
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == _PROCESSED
        for point in metric.data.data_points
    ]
    full = [p for p in points if dict(p.attributes or {}).get("error.type") == "queue_full"]
    return sum(int(getattr(point, "value", 0)) for point in full)


def main() -> None:
    """Serve, shut down as applications do, print what was seen."""
    requests, rate, milliseconds = json.loads(os.environ["WORKING_APP"])
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    provider = TracerProvider(shutdown_on_exit=False)
    books = BookkeepingExporter() if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") else None
    if books:
        provider.add_span_processor(BatchSpanProcessor(books, meter_provider=meters))
    begun = time.process_time()  # what was imported before is no work
    found = serve(provider.get_tracer("working.app"), requests, rate, milliseconds)
    cpu = time.process_time() - begun
    provider.shutdown()
    found |= {"cpu": cpu, "spans": requests * (CALLS + 1)}
    if books:
        found |= {
            "exported": books.exported,
            "failed": books.failed,
            "dropped": dropped(reader),
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
