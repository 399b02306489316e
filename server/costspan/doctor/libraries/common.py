"""Settings of what several libraries stand on: the SDKs of providers and of OpenTelemetry."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap

OPENAI_STREAMS = Gap(
    Finding.NO_USAGE,
    "OpenAI's chat completions state no usage in a stream unless the request asks for it.",
    'stream_options={"include_usage": True} on every streamed chat completion',
    "https://platform.openai.com/docs/api-reference/chat/create",
)
ANTHROPIC_SDK_SPANS = Gap(
    Finding.DOUBLED,
    "anthropic 2.12 makes spans of its own as soon as a tracer provider is registered.",
    "ANTHROPIC_OPEN_TELEMETRY=false, or leave the instrumentation of Anthropic out",
    "https://github.com/anthropics/anthropic-sdk-python",
)
