"""OpenAI's SDK under OpenTelemetry's older instrumentation, `openai-v2`, in its legacy mode."""

from __future__ import annotations

from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

from libraries.cases import exporting, serve
from libraries.openai_calls import OPENAI

if __name__ == "__main__":
    exporting()
    OpenAIInstrumentor().instrument()
    serve(OPENAI)
