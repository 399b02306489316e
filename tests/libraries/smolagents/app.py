"""Smolagents' models and agents, told of by OpenInference."""

from __future__ import annotations

import sys
from typing import Any

import openai
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from smolagents import ChatMessage, OpenAIModel, ToolCallingAgent, tool

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system


def gpt(model: str = "gpt-5", **more: Any) -> OpenAIModel:
    """A model that tries again only what its SDK does."""
    return OpenAIModel(model_id=model, retry=False, **more)


def prompt(case: str) -> list[ChatMessage]:
    """With a system prompt of the case's own."""
    said = [("system", system(case)), ("user", QUESTION)]
    return [ChatMessage(role=role, content=text) for role, text in said]


def chat() -> None:
    """Two models; what the first has read is cached for the second."""
    for model in ("gpt-5-mini", "gpt-5", "gpt-5"):
        gpt(model).generate(prompt("chat"))


def stream() -> None:
    """Streams; the second is served from the cache."""
    for _ in range(2):
        for _ in gpt().generate_stream(prompt("stream")):
            pass


@tool  # type: ignore[untyped-decorator]  # smolagents is not here to be checked
def calculate(question: str) -> str:
    """Answer a question.

    Args:
        question: What is asked.
    """
    return f"{question}: {ANSWER}"


def tools() -> None:
    """An agent that asks for its tool until it may not, and is then made to answer."""
    ToolCallingAgent(tools=[calculate], model=gpt(), max_steps=2, name="researcher").run(QUESTION)


def retry() -> None:
    """The SDK below tries again what is refused."""
    gpt().generate(prompt("retry"))


def error() -> None:
    """Refused, and nobody tries again."""
    try:
        gpt(client_kwargs={"max_retries": 0}).generate(prompt("error"))
    except openai.InternalServerError:
        return
    sys.exit("the model server was to refuse this call")


CASES: Cases = {
    "openai-chat": chat,
    "openai-stream": stream,
    "openai-tools": tools,
    "openai-retry": retry,
    "openai-error": error,
}

if __name__ == "__main__":
    exporting()
    SmolagentsInstrumentor().instrument()
    serve(CASES)
