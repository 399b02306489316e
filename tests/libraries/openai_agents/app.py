"""OpenAI's agents by both of its APIs; APP_WATCHED_BY says which libraries tell of them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from importlib import import_module
from typing import Any

import openai
from agents import (
    Agent,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_trace_processors,
)
from agents.model_settings import ModelSettings

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system

WATCHERS = {
    "openinference-agents": "openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
    "openllmetry-agents": "opentelemetry.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
    "openllmetry-openai": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
}
LOOP = asyncio.new_event_loop()  # one for all: the SDK closes its connections when it likes


def chat_model(model: str = "gpt-5", **sdk: Any) -> Model:
    """Chat completions."""
    return OpenAIChatCompletionsModel(model, openai.AsyncOpenAI(**sdk))


def responses(model: str = "gpt-5", **sdk: Any) -> Model:
    """The Responses API."""
    return OpenAIResponsesModel(model, openai.AsyncOpenAI(**sdk))


@function_tool  # type: ignore[untyped-decorator]  # it is not here to be checked
def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def agent(model: Model, case: str, **more: Any) -> Agent[None]:
    """One with instructions of the case's own, which states the usage of streams."""
    settings = ModelSettings(include_usage=True)
    return Agent(
        "researcher", instructions=system(case), model=model, model_settings=settings, **more
    )


async def chat(case: str, *models: Model) -> None:
    """One agent for each; what one has written or read, the others read."""
    for model in models:
        await Runner.run(agent(model, case), QUESTION)


async def stream(case: str, *models: Model) -> None:
    """The same as streams."""
    for model in models:
        async for _ in Runner.run_streamed(agent(model, case), QUESTION).stream_events():
            pass


async def tools(case: str, *models: Model) -> None:
    """The model asks for the tool, gets its result and answers."""
    for model in models:
        await Runner.run(agent(model, case, tools=[calculate]), QUESTION)


async def error(case: str, *models: Model) -> None:
    """Refused, and nobody tries again."""
    for model in models:
        try:
            await Runner.run(agent(model, case), QUESTION)
        except openai.InternalServerError:
            continue
        sys.exit("the model server was to refuse this call")


def run(work: Coroutine[Any, Any, None]) -> None:
    LOOP.run_until_complete(work)


CASES: Cases = {
    "openai-chat": lambda: run(chat("chat", chat_model("gpt-5-mini"), chat_model(), chat_model())),
    "openai-stream": lambda: run(stream("stream", chat_model(), chat_model())),
    "openai-tools": lambda: run(tools("tools", chat_model())),
    "openai-retry": lambda: run(chat("retry", chat_model())),
    "openai-error": lambda: run(error("error", chat_model(max_retries=0))),
    "responses-chat": lambda: run(chat("answers", responses("gpt-5-mini"), responses())),
    "responses-stream": lambda: run(stream("streamed answers", responses(), responses())),
    "responses-tools": lambda: run(tools("tools for answers", responses())),
    "responses-retry": lambda: run(chat("late answers", responses())),
    "responses-error": lambda: run(error("no answer", responses(max_retries=0))),
}

if __name__ == "__main__":
    exporting()
    set_trace_processors([])  # OpenAI's own, which would report to OpenAI
    for name in os.environ["APP_WATCHED_BY"].split():
        module, _, instrumentor = WATCHERS[name].partition(":")
        getattr(import_module(module), instrumentor)().instrument()
    serve(CASES)
