"""Calls through Anthropic's own SDK. Nothing here knows who is watching."""

from __future__ import annotations

import sys

import anthropic
from anthropic.types import MessageParam, TextBlockParam, ToolParam, ToolUseBlock

from libraries.cases import Cases
from libraries.prompts import ANSWER, PARAMETERS, QUESTION, system

HAIKU = "claude-haiku-4-5"
TOOL: ToolParam = {"name": "calculate", "input_schema": PARAMETERS}


def cached(case: str) -> list[TextBlockParam]:
    """A system prompt that is written to the cache, then read from it."""
    return [{"type": "text", "text": system(case), "cache_control": {"type": "ephemeral"}}]


def question() -> list[MessageParam]:
    """A talk that begins."""
    return [{"role": "user", "content": QUESTION}]


def anthropic_cache() -> None:
    """Write the cache, read it, ask without it."""
    client = anthropic.Anthropic()
    for _ in range(2):
        client.messages.create(
            model=HAIKU, max_tokens=64, system=cached("cache"), messages=question()
        )
    client.messages.create(model=HAIKU, max_tokens=64, messages=question())


def anthropic_stream() -> None:
    """Both ways to stream: the first writes the cache, the second reads it."""
    client, prompt = anthropic.Anthropic(), cached("stream")
    for _ in client.messages.create(
        model=HAIKU, max_tokens=64, system=prompt, messages=question(), stream=True
    ):
        pass
    with client.messages.stream(
        model=HAIKU, max_tokens=64, system=prompt, messages=question()
    ) as stream:
        stream.until_done()


def anthropic_tools() -> None:
    """The model asks for the tool, gets its result and answers."""
    client, talk, prompt = anthropic.Anthropic(), question(), cached("tools")
    asked = client.messages.create(
        model=HAIKU, max_tokens=64, system=prompt, messages=talk, tools=[TOOL]
    )
    (use,) = (block for block in asked.content if isinstance(block, ToolUseBlock))
    talk.append({"role": "assistant", "content": asked.content})
    talk.append(
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": use.id, "content": ANSWER}],
        }
    )
    client.messages.create(model=HAIKU, max_tokens=64, system=prompt, messages=talk, tools=[TOOL])


def anthropic_retry() -> None:
    """The SDK tries again by itself what is refused."""
    anthropic.Anthropic().messages.create(model=HAIKU, max_tokens=64, messages=question())


def anthropic_error() -> None:
    """Refused, and nobody tries again."""
    client = anthropic.Anthropic(max_retries=0)
    try:
        client.messages.create(model=HAIKU, max_tokens=64, messages=question())
    except anthropic.InternalServerError:
        return
    sys.exit("the model server was to refuse this call")


ANTHROPIC: Cases = {
    "anthropic-cache": anthropic_cache,
    "anthropic-stream": anthropic_stream,
    "anthropic-tools": anthropic_tools,
    "anthropic-retry": anthropic_retry,
    "anthropic-error": anthropic_error,
}
