"""Both SDKs under OpenTelemetry's own instrumentations, `opentelemetry-instrumentation-genai-*`."""

from __future__ import annotations

from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

from libraries.anthropic_calls import ANTHROPIC
from libraries.cases import exporting, serve
from libraries.openai_calls import OPENAI

if __name__ == "__main__":
    exporting()
    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()
    serve({**OPENAI, **ANTHROPIC})
