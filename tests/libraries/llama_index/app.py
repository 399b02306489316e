"""LlamaIndex's models and agents, told of by OpenInference."""

from __future__ import annotations

import asyncio
import os
import sys

import openai
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system


def gpt(model: str = "gpt-5", retries: int = 3) -> OpenAI:
    return OpenAI(model=model, max_retries=retries, api_base=os.environ["OPENAI_BASE_URL"])


def prompt(case: str) -> list[ChatMessage]:
    """With a system prompt of the case's own."""
    said = {MessageRole.SYSTEM: system(case), MessageRole.USER: QUESTION}
    return [ChatMessage(role=role, content=text) for role, text in said.items()]


def chat(case: str, *models: OpenAI) -> None:
    """What one has read is cached for the others."""
    for model in models:
        model.chat(prompt(case))


def stream(case: str, *models: OpenAI) -> None:
    """The same as streams that state their usage."""
    for model in models:
        for _ in model.stream_chat(prompt(case), stream_options={"include_usage": True}):
            pass


def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def tools(case: str, model: OpenAI) -> None:
    """An agent, which is a workflow, with a tool."""

    async def ask() -> None:
        tool = FunctionTool.from_defaults(calculate)
        agent = FunctionAgent(
            name="researcher", tools=[tool], llm=model, system_prompt=system(case), streaming=False
        )
        await agent.run(QUESTION)

    asyncio.run(ask())


def error(case: str, model: OpenAI) -> None:
    """Refused, and nobody tries again."""
    try:
        model.chat(prompt(case))
    except openai.InternalServerError:
        return
    sys.exit("the model server was to refuse this call")


CASES: Cases = {
    "openai-chat": lambda: chat("chat", gpt("gpt-5-mini"), gpt(), gpt()),
    "openai-stream": lambda: stream("stream", gpt(), gpt()),
    "openai-tools": lambda: tools("tools", gpt()),
    "openai-retry": lambda: chat("retry", gpt()),
    "openai-error": lambda: error("error", gpt(retries=0)),
}

if __name__ == "__main__":
    exporting()
    LlamaIndexInstrumentor().instrument()
    serve(CASES)
