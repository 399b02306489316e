"""Strands' agents, which tell of themselves."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import anthropic
import openai
from strands import Agent, tool
from strands.models.anthropic import AnthropicModel
from strands.models.openai import OpenAIModel

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system


def gpt(model: str = "gpt-5", *, stream: bool = False, **client: Any) -> OpenAIModel:
    return OpenAIModel(model_id=model, stream=stream, client_args=client)


def haiku(**client: Any) -> AnthropicModel:
    """Anthropic's model, which Strands only ever streams."""
    return AnthropicModel(model_id="claude-haiku-4-5", max_tokens=64, client_args=client)


@tool  # type: ignore[untyped-decorator]  # Strands is not here to be checked
def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def agent(model: Any, case: str, **more: Any) -> Agent:
    """One that is silent, tries nothing again and asks Anthropic to cache its instructions."""
    said: list[Any] = [{"text": system(case)}]
    if isinstance(model, AnthropicModel):
        said.append({"cachePoint": {"type": "default"}})
    return Agent(model, system_prompt=said, callback_handler=None, retry_strategy=None, **more)


def chat(case: str, *models: Any) -> None:
    """One agent for each; what one has written or read, the others read."""
    for model in models:
        agent(model, case)(QUESTION)


def tools(case: str, model: Any) -> None:
    """An agent with a tool is asked twice: its own account runs on."""
    who = agent(model, case, name="researcher", tools=[calculate])

    async def ask() -> None:  # a loop for each would leave the SDK connections of a closed one
        for _ in range(2):
            await who.invoke_async(QUESTION)

    asyncio.run(ask())


def error(case: str, model: Any) -> None:
    """Refused, and nobody tries again."""
    try:
        agent(model, case)(QUESTION)
    except (openai.InternalServerError, anthropic.InternalServerError):
        return
    sys.exit("the model server was to refuse this call")


CASES: Cases = {
    "openai-chat": lambda: chat("openai chat", gpt("gpt-5-mini"), gpt(), gpt()),
    "openai-stream": lambda: chat("openai stream", gpt(stream=True), gpt(stream=True)),
    "openai-tools": lambda: tools("openai tools", gpt()),
    "openai-retry": lambda: chat("openai retry", gpt()),
    "openai-error": lambda: error("openai error", gpt(max_retries=0)),
    "anthropic-stream": lambda: chat("anthropic stream", haiku(), haiku()),
    "anthropic-tools": lambda: tools("anthropic tools", haiku()),
    "anthropic-retry": lambda: chat("anthropic retry", haiku()),
    "anthropic-error": lambda: error("anthropic error", haiku(max_retries=0)),
}

if __name__ == "__main__":
    exporting()
    serve(CASES)
