"""The main loop of an application under a real library: one case asked for, one trace made.

Imported in the library's own environment: the SDK of OpenTelemetry and nothing of costspan. The
cases come as lines on stdin; the answer is a line of JSON with what the case has exported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

Cases = Mapping[str, Callable[[], None]]

_TIMEOUT_MS = 10_000


class Tally(SpanProcessor):
    """Counts the ended spans of each trace."""

    def __init__(self) -> None:
        self.spans: dict[str, int] = {}

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            trace_id = f"{context.trace_id:032x}"
            self.spans[trace_id] = self.spans.get(trace_id, 0) + 1


def exporting() -> TracerProvider:
    """The global provider; where it exports to is in the environment, as in production."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def serve(cases: Cases, flush: Callable[[], object] = lambda: None) -> None:
    """Run what is asked for until stdin ends. `flush`: what the library itself still holds."""
    provider = trace.get_tracer_provider()
    tally = Tally()
    provider.add_span_processor(tally)  # type: ignore[attr-defined]  # every SDK's provider has it
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print
    for line in sys.stdin:
        case = line.strip()
        tally.spans = {}
        with trace.get_tracer("app").start_as_current_span(case):
            cases[case]()
        flush()
        if not provider.force_flush(_TIMEOUT_MS):  # type: ignore[attr-defined]  # as above
            sys.exit("spans were not taken in time")
        print(json.dumps(tally.spans), file=answers, flush=True)
