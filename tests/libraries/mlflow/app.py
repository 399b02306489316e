"""Both SDKs under MLflow's autologging, which exports by OTLP if an endpoint is set."""

from __future__ import annotations

import os

import mlflow
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from libraries.anthropic_calls import ANTHROPIC
from libraries.cases import serve
from libraries.openai_calls import OPENAI

if __name__ == "__main__":
    # for traces alone: with metrics too, mlflow-tracing 3.17.2 lacks a module that it asks for
    base = os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT")
    os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{base}/v1/traces"
    trace.set_tracer_provider(TracerProvider())  # MLflow's processor joins it
    mlflow.tracing.enable()
    mlflow.openai.autolog()
    mlflow.anthropic.autolog()
    serve({**OPENAI, **ANTHROPIC})
