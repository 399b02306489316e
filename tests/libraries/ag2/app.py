"""AG2's agents, which keep books beside their calls: tools, sub-agents, conversations cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ag2 import Agent, tool
from ag2.annotations import Context
from ag2.compact import CompactTrigger, SummarizeCompact
from ag2.config import AnthropicConfig, OpenAIConfig
from ag2.knowledge import MemoryKnowledgeStore
from ag2.knowledge.config import KnowledgeConfig
from ag2.middleware.builtin.telemetry import TelemetryMiddleware
from ag2.tools.subagents.run_task import run_task

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system


def gpt(**more: Any) -> OpenAIConfig:
    return OpenAIConfig(model="gpt-5", **more)


def haiku(**more: Any) -> AnthropicConfig:
    """Anthropic's model, asked to cache."""
    return AnthropicConfig(model="claude-haiku-4-5", prompt_caching=True, **more)


@tool  # type: ignore[untyped-decorator]  # AG2 is not here to be checked
def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def agent(name: str, config: Any, case: str, **more: Any) -> Agent:
    """An agent that tells of itself."""
    watch = [TelemetryMiddleware(agent_name=name)]
    return Agent(name, prompt=system(f"{name} {case}"), config=config, middleware=watch, **more)


async def talk(who: Agent, turns: int) -> None:
    """The same question again and again."""
    reply = await who.ask(QUESTION)
    for _ in range(turns - 1):
        reply = await reply.ask(QUESTION)


def tools(case: str, config: Any) -> None:
    asyncio.run(talk(agent("researcher", config, case, tools=[calculate]), 2))


def delegate(case: str, config: Any) -> None:
    """A sub-agent with spans of its own, and the account of it beside them."""

    @tool  # type: ignore[untyped-decorator]  # as above
    async def ask(question: str, ctx: Context) -> str:
        """Ask somebody else."""
        worker = agent("worker", config, case)
        return str((await run_task(worker, question, parent_context=ctx)).result)

    asyncio.run(talk(agent("lead", config, case, tools=[ask]), 2))


def compact(case: str, config: Any) -> None:
    """Its own calls, which no other span of it tells of."""
    knowledge = KnowledgeConfig(
        store=MemoryKnowledgeStore(),
        expose_tool=False,
        compact=SummarizeCompact(target=2, config=config),
        compact_trigger=CompactTrigger(max_events=3),
    )
    work: Coroutine[Any, Any, None] = talk(agent("lead", config, case, knowledge=knowledge), 3)
    asyncio.run(work)


CASES: Cases = {
    "openai-tools": lambda: tools("openai tools", gpt()),
    "openai-stream": lambda: tools("openai stream", gpt(streaming=True)),
    "openai-delegate": lambda: delegate("openai delegate", gpt()),
    "openai-compact": lambda: compact("openai compact", gpt()),
    "anthropic-tools": lambda: tools("anthropic tools", haiku()),
    "anthropic-stream": lambda: tools("anthropic stream", haiku(streaming=True)),
    "anthropic-delegate": lambda: delegate("anthropic delegate", haiku()),
    "anthropic-compact": lambda: compact("anthropic compact", haiku()),
}


if __name__ == "__main__":
    exporting()
    serve(CASES)
