"""AutoGen's agents, told of by OpenInference."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import openai
from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from openinference.instrumentation.autogen_agentchat import AutogenAgentChatInstrumentor

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system


def gpt(model: str = "gpt-5", **sdk: Any) -> OpenAIChatCompletionClient:
    """States the usage of streams."""
    stating = {"include_usage": True}
    return OpenAIChatCompletionClient(model=model, stream_options=stating, **sdk)


async def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def agent(model: Any, case: str, **more: Any) -> AssistantAgent:
    """One with instructions of the case's own."""
    return AssistantAgent("researcher", model_client=model, system_message=system(case), **more)


async def chat(case: str, *models: Any, **more: Any) -> None:
    """One agent for each; what one has read is cached for the others."""
    for model in models:
        await agent(model, case, **more).run(task=QUESTION)


async def error(case: str, model: Any) -> None:
    """Refused, and nobody tries again."""
    try:
        await agent(model, case).run(task=QUESTION)
    except (openai.InternalServerError, RuntimeError):
        return
    sys.exit("the model server was to refuse this call")


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


CASES: Cases = {
    "openai-chat": lambda: run(chat("chat", gpt("gpt-5-mini"), gpt(), gpt())),
    "openai-stream": lambda: run(chat("stream", gpt(), gpt(), model_client_stream=True)),
    "openai-tools": lambda: run(chat("tools", gpt(), tools=[calculate], reflect_on_tool_use=True)),
    "openai-retry": lambda: run(chat("retry", gpt())),
    "openai-error": lambda: run(error("error", gpt(max_retries=0))),
}

if __name__ == "__main__":
    exporting()
    AutogenAgentChatInstrumentor().instrument()
    serve(CASES)
