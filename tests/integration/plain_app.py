"""An application that knows nothing of costspan: the SDK, its exporter, and the environment.

Run as a script. Where the spans go says OTEL_EXPORTER_OTLP_ENDPOINT, and nothing else.
"""

from __future__ import annotations

import os

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Tracer

# model, prompt, cached part of it, output
CALLS = [
    ("gpt-5-2025-08-07", 2_000, 1_024, 300),
    ("gpt-5-2025-08-07", 1_500, 0, 120),
    ("gpt-5-mini-2025-08-07", 9_999, 0, 1),
    ("model-without-a-price", 700, 0, 70),
]


def exporter() -> SpanExporter:
    """The exporter that OTEL_EXPORTER_OTLP_PROTOCOL names."""
    if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import (  # noqa: PLC0415 (one of two)
            trace_exporter as over_grpc,
        )

        return over_grpc.OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http import (  # noqa: PLC0415 (one of two)
        trace_exporter as over_http,
    )

    return over_http.OTLPSpanExporter()


def work(tracer: Tracer) -> None:
    """One trace: a workflow, an agent, its calls and a tool."""
    with (
        tracer.start_as_current_span("invoke_workflow answer"),
        tracer.start_as_current_span("invoke_agent helper") as agent,
    ):
        agent.set_attribute("gen_ai.operation.name", "invoke_agent")
        agent.set_attribute("gen_ai.agent.name", "helper")
        for model, prompt, cached, output in CALLS:
            with tracer.start_as_current_span(f"chat {model}", kind=SpanKind.CLIENT) as span:
                span.set_attributes(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.provider.name": "openai",
                        "gen_ai.request.model": model,
                        "gen_ai.response.model": model,
                        "gen_ai.usage.input_tokens": prompt,
                        "gen_ai.usage.cache_read.input_tokens": cached,
                        "gen_ai.usage.output_tokens": output,
                    }
                )
        with tracer.start_as_current_span("execute_tool lookup"):
            pass


def main() -> None:
    """Do the work, flush, end."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter()))
    work(provider.get_tracer("plain.app"))
    provider.shutdown()


if __name__ == "__main__":
    main()
