"""LangChain's models, chains and agents; APP_WATCHED_BY says which libraries tell of them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import anthropic
import openai
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system

WATCHERS = {
    "openinference-langchain": "openinference.instrumentation.langchain:LangChainInstrumentor",
    "openinference-openai": "openinference.instrumentation.openai:OpenAIInstrumentor",
    "openinference-anthropic": "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    "openllmetry-langchain": "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
    "openllmetry-openai": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
    "openllmetry-anthropic": "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
}


def gpt(model: str = "gpt-5", **more: Any) -> ChatOpenAI:
    """States the usage of streams, as it does by itself against OpenAI's own address."""
    return ChatOpenAI(model=model, stream_usage=True, **more)


def haiku(**more: Any) -> ChatAnthropic:
    """Anthropic's model."""
    return ChatAnthropic(model="claude-haiku-4-5", max_tokens=64, **more)


def prompt(case: str) -> list[Any]:
    """With a system prompt of the case's own that Anthropic is asked to cache."""
    text = system(case)
    block = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
    return [SystemMessage([block] if "anthropic" in case else text), HumanMessage(QUESTION)]


def chat(provider: str, *models: Any) -> None:
    """A chain of model and parser for each; what one has written or read, the others read."""
    for model in models:
        (model | StrOutputParser()).invoke(prompt(f"{provider} chat"))


def stream(provider: str, model: Any) -> None:
    """The same chain as a stream."""
    for _ in range(2):
        for _ in (model | StrOutputParser()).stream(prompt(f"{provider} stream")):
            pass


def parallel() -> None:
    """Three calls at once that differ in nothing but the answer's id."""

    async def ask() -> None:
        await asyncio.gather(*(gpt().ainvoke(QUESTION) for _ in range(3)))

    asyncio.run(ask())


@tool  # type: ignore[untyped-decorator]  # LangChain is not here to be checked
def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def tools(provider: str, model: Any) -> None:
    """An agent, which is a graph, with a tool."""
    (instruction, question) = prompt(f"{provider} tools")
    agent = create_agent(model, tools=[calculate], system_prompt=instruction, name="researcher")
    agent.invoke({"messages": [question]})


def embeddings() -> None:
    """One text, as a text: by itself LangChain sends numbers."""
    OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False).embed_query(
        QUESTION
    )


def retry(provider: str, model: Any) -> None:
    """The SDK below tries again what is refused."""
    model.invoke(prompt(f"{provider} retry"))


def error(provider: str, model: Any) -> None:
    """Refused, and nobody tries again."""
    try:
        model.invoke(prompt(f"{provider} error"))
    except (openai.InternalServerError, anthropic.InternalServerError):
        return
    sys.exit("the model server was to refuse this call")


CASES: Cases = {
    "openai-chat": lambda: chat("openai", gpt("gpt-5-mini"), gpt(), gpt()),
    "openai-stream": lambda: stream("openai", gpt()),
    "openai-parallel": parallel,
    "openai-tools": lambda: tools("openai", gpt()),
    "openai-embeddings": embeddings,
    "openai-retry": lambda: retry("openai", gpt()),
    "openai-error": lambda: error("openai", gpt(max_retries=0)),
    "anthropic-cache": lambda: chat("anthropic", haiku(), haiku()),
    "anthropic-stream": lambda: stream("anthropic", haiku()),
    "anthropic-tools": lambda: tools("anthropic", haiku()),
    "anthropic-retry": lambda: retry("anthropic", haiku()),
    "anthropic-error": lambda: error("anthropic", haiku(max_retries=0)),
}


def watch(name: str) -> Callable[[], object]:
    """Instrument with a library; returns how to flush it."""
    if name == "langsmith":
        flush: Callable[[], object] = import_module("langsmith.run_trees").get_cached_client().flush
        return flush
    module, _, instrumentor = WATCHERS[name].partition(":")
    getattr(import_module(module), instrumentor)().instrument()
    return lambda: None


if __name__ == "__main__":
    exporting()
    flushes = [watch(name) for name in os.environ["APP_WATCHED_BY"].split()]
    serve(CASES, flush=lambda: [flush() for flush in flushes])
