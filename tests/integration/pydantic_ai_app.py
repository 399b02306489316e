"""An application of Pydantic AI agents with its own instrumentation: GenAI conventions, no SDK's.

Run as a script with the name of one case. Base URLs, keys and the OTLP endpoint come from the
environment, as in production. One case is one trace.
"""

from __future__ import annotations

import asyncio
import os
import sys

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic_ai import Agent, RunContext
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel

SYSTEM = "You answer with care. " * 100
QUESTION = "What is six times seven?"
CACHED = AnthropicModelSettings(anthropic_cache_instructions=True)


def agent(name: str, model: Model) -> Agent:
    """An agent with a long system prompt."""
    return Agent(model, name=name, system_prompt=SYSTEM, model_settings=CACHED)


def gpt() -> Model:
    """OpenAI's model; its SDK tries again by itself what is refused."""
    return OpenAIChatModel("gpt-5")


def haiku() -> Model:
    """Anthropic's; Pydantic AI streams its answers by itself."""
    return AnthropicModel("claude-haiku-4-5")


async def loop(model: Model) -> None:
    """One agent with a tool: the model asks for it, gets its result and answers."""
    alone = agent("researcher", model)

    @alone.tool_plain
    def calculate(question: str) -> str:
        return f"{question}: {6 * 7}"

    await alone.run(QUESTION)


async def delegate() -> None:
    """An agent whose tool is another agent; what that spends is added to its own sums."""
    editor, writer = agent("editor", gpt()), agent("writer", haiku())

    @editor.tool
    async def ask_writer(context: RunContext[object], question: str) -> str:
        return str((await writer.run(question, usage=context.usage)).output)

    await editor.run(QUESTION)


async def stream() -> None:
    """The same loop as a stream, read to its end."""
    alone = agent("researcher", gpt())

    @alone.tool_plain
    def calculate(question: str) -> str:
        return f"{question}: {6 * 7}"

    async with alone.run_stream(QUESTION) as answer:
        async for _ in answer.stream_text():
            pass


async def fail() -> None:
    """A run that ends with the provider's refusal."""
    try:
        await agent("researcher", gpt()).run(QUESTION)
    except ModelHTTPError:
        return
    sys.exit("the model server was to refuse this call")


async def work(case: str) -> None:
    """The runs of one case."""
    match case:
        case "openai":
            await loop(gpt())
        case "anthropic":
            await loop(haiku())
        case "delegated":
            await delegate()
        case "streamed":
            await stream()
        case "failed":
            await fail()
        case _:
            sys.exit(f"no case {case}")


def main(case: str) -> None:
    """Instrument, work, flush. APP_PLAIN_NAMES: sums on agent spans under the calls' own keys."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    settings = InstrumentationSettings(
        tracer_provider=provider,
        use_aggregated_usage_attribute_names="APP_PLAIN_NAMES" not in os.environ,
    )
    Agent.instrument_all(settings)
    asyncio.run(work(case))
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
