"""Haystack's generators in pipelines and agents, told of by OpenInference."""

from __future__ import annotations

from haystack import Pipeline
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from openinference.instrumentation.haystack import HaystackInstrumentor

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, QUESTION, system


@tool  # type: ignore[untyped-decorator]  # Haystack is not here to be checked
def calculate(question: str) -> str:
    """Answer a question."""
    return f"{question}: {ANSWER}"


def prompt(case: str) -> list[ChatMessage]:
    return [ChatMessage.from_system(system(case)), ChatMessage.from_user(QUESTION)]


def chat() -> None:
    """A pipeline for each of two models; what one has read is cached for the other."""
    for model in ("gpt-5-mini", "gpt-5", "gpt-5"):
        pipeline = Pipeline()
        pipeline.add_component("llm", OpenAIChatGenerator(model=model))
        pipeline.run({"llm": {"messages": prompt("chat")}})


def tools() -> None:
    """An agent, which makes no span, with a tool."""
    generator = OpenAIChatGenerator(model="gpt-5")
    agent = Agent(chat_generator=generator, tools=[calculate], system_prompt=system("tools"))
    agent.warm_up()
    agent.run(messages=[ChatMessage.from_user(QUESTION)])


def retry() -> None:
    """The SDK below tries again what is refused."""
    OpenAIChatGenerator(model="gpt-5").run(prompt("retry"))


CASES: Cases = {"openai-chat": chat, "openai-tools": tools, "openai-retry": retry}


if __name__ == "__main__":
    exporting()
    HaystackInstrumentor().instrument()
    serve(CASES)
