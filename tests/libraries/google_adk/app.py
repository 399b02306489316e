"""Google's agents over Gemini, which tell of themselves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from google.adk.agents import LlmAgent, RunConfig
from google.adk.agents.run_config import StreamingMode
from google.adk.runners import InMemoryRunner
from google.adk.tools import AgentTool
from google.genai import errors, types

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system

FLASH = "gemini-2.5-flash"


def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def agent(case: str, name: str = "researcher", **more: Any) -> LlmAgent:
    """One with an instruction of the case's own, long enough to be cached."""
    return LlmAgent(name=name, model=FLASH, instruction=system(case), **more)


async def ask(who: LlmAgent, *, stream: bool = False) -> None:
    """The question, in a talk that begins."""
    runner = InMemoryRunner(who)
    session = await runner.session_service.create_session(app_name=runner.app_name, user_id="u-1")
    settings = RunConfig(streaming_mode=StreamingMode.SSE if stream else StreamingMode.NONE)
    async for _ in runner.run_async(
        user_id="u-1",
        session_id=session.id,
        new_message=types.UserContent(QUESTION),
        run_config=settings,
    ):
        pass


async def chat() -> None:
    """Two talks; what the first has read is cached for the second."""
    for _ in range(2):
        await ask(agent("chat"))


async def stream() -> None:
    """The same as streams."""
    for _ in range(2):
        await ask(agent("stream"), stream=True)


async def tools() -> None:
    """The model asks for the tool, gets its result and answers."""
    await ask(agent("tools", tools=[calculate]))


async def delegate() -> None:
    """An agent whose tool is another one."""
    worker = agent("delegated work", "worker", description="Answers a question.")
    await ask(agent("delegating", "lead", tools=[AgentTool(worker)]))


async def error() -> None:
    """Refused, and nobody tries again."""
    try:
        await ask(agent("error"))
    except errors.ServerError:
        return
    sys.exit("the model server was to refuse this call")


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


CASES: Cases = {
    "gemini-chat": lambda: run(chat()),
    "gemini-stream": lambda: run(stream()),
    "gemini-tools": lambda: run(tools()),
    "gemini-delegate": lambda: run(delegate()),
    "gemini-error": lambda: run(error()),
}

if __name__ == "__main__":
    exporting()
    serve(CASES)
