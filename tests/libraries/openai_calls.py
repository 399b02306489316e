"""Calls through OpenAI's own SDK. Nothing here knows who is watching."""

from __future__ import annotations

import asyncio
import sys

import openai
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

from libraries.cases import Cases
from libraries.prompts import ANSWER, PARAMETERS, QUESTION, system

GPT, MINI, EMBEDDER = "gpt-5", "gpt-5-mini", "text-embedding-3-small"
FUNCTION: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {"name": "calculate", "parameters": PARAMETERS},
}


def prompt(case: str) -> list[ChatCompletionMessageParam]:
    """The same each time it is asked for."""
    return [{"role": "system", "content": system(case)}, {"role": "user", "content": QUESTION}]


def openai_chat() -> None:
    """Two models; what the first has read is cached for the second."""
    client = openai.OpenAI()
    for model in (MINI, GPT, GPT):
        client.chat.completions.create(model=model, messages=prompt("chat"))


def openai_stream() -> None:
    """Streams that state their usage; the second is served from the cache."""
    client = openai.OpenAI()
    for _ in range(2):
        stream = client.chat.completions.create(
            model=GPT,
            messages=prompt("stream"),
            stream=True,
            stream_options={"include_usage": True},
        )
        for _ in stream:
            pass


def openai_parallel() -> None:
    """Three calls at once that differ in nothing but the answer's id."""

    async def ask() -> None:
        client = openai.AsyncOpenAI()
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
        calls = (client.chat.completions.create(model=GPT, messages=messages) for _ in range(3))
        await asyncio.gather(*calls)
        await client.close()

    asyncio.run(ask())


def openai_tools() -> None:
    """The model asks for the tool, gets its result and answers."""
    client, talk = openai.OpenAI(), prompt("tools")
    asked = client.chat.completions.create(model=GPT, messages=talk, tools=[FUNCTION])
    for call in asked.choices[0].message.tool_calls or ():
        function = {"name": "calculate", "arguments": "{}"}
        said = {"id": call.id, "type": "function", "function": function}
        talk.append({"role": "assistant", "tool_calls": [said]})  # type: ignore[list-item]  # TypedDict
        talk.append({"role": "tool", "tool_call_id": call.id, "content": ANSWER})
    client.chat.completions.create(model=GPT, messages=talk, tools=[FUNCTION])


def openai_embeddings() -> None:
    """One text."""
    openai.OpenAI().embeddings.create(model=EMBEDDER, input=QUESTION)


def openai_retry() -> None:
    """The SDK tries again by itself what is refused."""
    openai.OpenAI().chat.completions.create(model=GPT, messages=prompt("retry"))


def openai_error() -> None:
    """Refused, and nobody tries again."""
    try:
        openai.OpenAI(max_retries=0).chat.completions.create(model=GPT, messages=prompt("error"))
    except openai.InternalServerError:
        return
    sys.exit("the model server was to refuse this call")


OPENAI: Cases = {
    "openai-chat": openai_chat,
    "openai-stream": openai_stream,
    "openai-parallel": openai_parallel,
    "openai-tools": openai_tools,
    "openai-embeddings": openai_embeddings,
    "openai-retry": openai_retry,
    "openai-error": openai_error,
}
