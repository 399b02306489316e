"""Microsoft's Agent Framework, which tells of itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import anthropic
import openai
from agent_framework import Agent, tool
from agent_framework.anthropic import AnthropicClient
from agent_framework.exceptions import ChatClientException
from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system

LOOP = asyncio.new_event_loop()  # one for all: the SDKs close their connections when they like


def gpt(model: str = "gpt-5", **sdk: Any) -> OpenAIChatCompletionClient:
    """Chat completions."""
    return OpenAIChatCompletionClient(model=model, async_client=openai.AsyncOpenAI(**sdk))


def responses() -> OpenAIChatClient:
    """The Responses API."""
    return OpenAIChatClient(model="gpt-5", async_client=openai.AsyncOpenAI())


def haiku(**sdk: Any) -> AnthropicClient:
    """Anthropic's model."""
    return AnthropicClient(
        model="claude-haiku-4-5", anthropic_client=anthropic.AsyncAnthropic(**sdk)
    )


@tool(approval_mode="never_require")  # type: ignore[untyped-decorator]  # it is not here to be checked
def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def agent(client: Any, case: str, **more: Any) -> Agent:
    """One with instructions of the case's own, which Anthropic is asked to cache."""
    text = system(case)
    if not isinstance(client, AnthropicClient):
        return Agent(client, text, **more)
    block = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
    return Agent(client, default_options={"system": [block], "max_tokens": 64}, **more)


async def chat(case: str, *clients: Any) -> None:
    """One agent for each; what one has written or read, the others read."""
    for client in clients:
        await agent(client, case).run(QUESTION)


async def stream(case: str, *clients: Any) -> None:
    """The same as streams."""
    for client in clients:
        async for _ in agent(client, case).run(QUESTION, stream=True):
            pass


async def tools(case: str, client: Any) -> None:
    """The model asks for the tool, gets its result and answers."""
    await agent(client, case, name="researcher", tools=[calculate]).run(QUESTION)


async def error(case: str, client: Any) -> None:
    """Refused, and nobody tries again."""
    try:
        await agent(client, case).run(QUESTION)
    except (ChatClientException, anthropic.InternalServerError):
        return
    sys.exit("the model server was to refuse this call")


def run(work: Coroutine[Any, Any, None]) -> None:
    LOOP.run_until_complete(work)


CASES: Cases = {
    "openai-chat": lambda: run(chat("openai chat", gpt("gpt-5-mini"), gpt(), responses())),
    "openai-stream": lambda: run(stream("openai stream", gpt(), gpt(), responses())),
    "openai-tools": lambda: run(tools("openai tools", gpt())),
    "openai-retry": lambda: run(chat("openai retry", gpt())),
    "openai-error": lambda: run(error("openai error", gpt(max_retries=0))),
    "anthropic-cache": lambda: run(chat("anthropic chat", haiku(), haiku())),
    "anthropic-stream": lambda: run(stream("anthropic stream", haiku(), haiku())),
    "anthropic-tools": lambda: run(tools("anthropic tools", haiku())),
    "anthropic-retry": lambda: run(chat("anthropic retry", haiku())),
    "anthropic-error": lambda: run(error("anthropic error", haiku(max_retries=0))),
}

if __name__ == "__main__":
    exporting()
    serve(CASES)
