"""An application with a real SDK of a model provider and a real instrumentation library.

Run as a script with one argument: openai, anthropic or doubled. Base URLs, keys and the OTLP
endpoint come from the environment, as in production.
"""

from __future__ import annotations

import sys

import anthropic
import openai
from anthropic.types import TextBlockParam
from openai.types.chat import ChatCompletionMessageParam
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SYSTEM = "You answer with care. " * 100


def ask_openai() -> None:
    """Chat twice with the same system prompt, once as a stream, and embed."""
    client = openai.OpenAI()
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "What is six times seven?"},
    ]
    client.chat.completions.create(model="gpt-5-mini", messages=messages)
    client.chat.completions.create(model="gpt-5", messages=messages)
    stream = client.chat.completions.create(
        model="gpt-5", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    for _ in stream:
        pass
    client.embeddings.create(model="text-embedding-3-small", input="six times seven")


def ask_anthropic() -> None:
    """Write the prompt cache, then read it."""
    system: list[TextBlockParam] = [
        {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}
    ]
    client = anthropic.Anthropic()
    for question in ("What is six times seven?", "And eight times nine?"):
        client.messages.create(
            model="claude-haiku-4-5",
            max_tokens=64,
            system=system,
            messages=[{"role": "user", "content": question}],
        )


def main(what: str) -> None:
    """One trace with everything in it."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)  # anthropic-sdk-python emits its own spans from now on
    OpenAIInstrumentor().instrument()
    if what == "doubled":
        AnthropicInstrumentor().instrument()
    with trace.get_tracer("app").start_as_current_span("answer"):
        if what == "openai":
            ask_openai()
        else:
            ask_anthropic()
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
