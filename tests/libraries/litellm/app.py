"""Both providers through LiteLLM with its callback `otel`; the environment says which version.

The second version tells of asynchronous calls only (1.106.2), so it is given those. The first
writes its spans in a pool of threads, of which the environment allows one: what is handed to it
last is done last.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import litellm
from litellm.caching.caching import Cache
from litellm.integrations.otel.logger import OpenTelemetryV2
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.litellm_core_utils.thread_pool_executor import executor

from libraries.cases import Cases, exporting, serve

V2 = "LITELLM_OTEL_V2" in os.environ
QUESTION = {"role": "user", "content": "What is six times seven?"}
GPT, MINI, HAIKU = "openai/gpt-5", "openai/gpt-5-mini", "anthropic/claude-haiku-4-5"
EMBEDDER = "openai/text-embedding-3-small"
PARAMETERS = {"type": "object", "properties": {"question": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "calculate", "parameters": PARAMETERS}}


def told(*calls: Callable[[], Any]) -> list[Any]:
    """The answers to asynchronous calls at once, when LiteLLM has told of them."""

    async def ask() -> list[Any]:
        answers = await asyncio.gather(*(call() for call in calls))
        await GLOBAL_LOGGING_WORKER.flush()
        return answers

    return asyncio.run(ask())


def ask(model: str, talk: list[dict[str, Any]], **more: Any) -> Any:
    """One call."""
    if not V2:
        return litellm.completion(model, talk, **more)
    return told(lambda: litellm.acompletion(model, talk, **more))[0]


def ask_for_stream(model: str, talk: list[dict[str, Any]]) -> None:
    """One stream that states its usage, read to its end."""
    more: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    if not V2:
        for _ in litellm.completion(model, talk, **more):
            pass
        return

    async def read() -> None:
        async for _ in await litellm.acompletion(model, talk, **more):
            pass

    told(read)


def prompt(case: str) -> list[dict[str, Any]]:
    """With a system prompt of the case's own that Anthropic is asked to cache."""
    text = f"In the case of {case} you answer with care. " * 50
    block = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
    return [{"role": "system", "content": [block] if "anthropic" in case else text}, QUESTION]


def chat(provider: str, *models: str) -> None:
    """The same prompt for each; what the first has written or read is cached for the others."""
    for model in models:
        ask(model, prompt(f"{provider} chat"))


def stream(provider: str, model: str) -> None:
    """Streams that state their usage."""
    for _ in range(2):
        ask_for_stream(model, prompt(f"{provider} stream"))


def parallel() -> None:
    """Three calls at once that differ in nothing but the answer's id."""
    told(*[lambda: litellm.acompletion(GPT, [QUESTION])] * 3)


def tools(provider: str, model: str) -> None:
    """The model asks for the tool, gets its result and answers."""
    talk = prompt(f"{provider} tools")
    asked = ask(model, talk, tools=[FUNCTION]).choices[0].message
    talk.append(asked.model_dump(exclude_none=True))
    for call in asked.tool_calls:
        talk.append({"role": "tool", "tool_call_id": call.id, "content": str(6 * 7)})
    ask(model, talk, tools=[FUNCTION])


def embeddings() -> None:
    """One text."""
    if not V2:
        litellm.embedding(EMBEDDER, input=QUESTION["content"])
    else:
        told(lambda: litellm.aembedding(EMBEDDER, input=QUESTION["content"]))


def retry(provider: str, model: str) -> None:
    """LiteLLM tries again what is refused."""
    ask(model, prompt(f"{provider} retry"), num_retries=2)


def error(provider: str, model: str) -> None:
    """Refused, and nobody tries again."""
    try:
        ask(model, prompt(f"{provider} error"), num_retries=0, max_retries=0)
    except litellm.InternalServerError:
        return
    sys.exit("the model server was to refuse this call")


def answered_twice() -> None:
    """The second answer comes from LiteLLM's own cache: nobody is asked, nothing is billed."""
    litellm.cache = Cache()
    for _ in range(2):
        ask(GPT, prompt("openai answers"), caching=True)
    litellm.cache = None


CASES: Cases = {
    "openai-chat": lambda: chat("openai", MINI, GPT, GPT),
    "openai-stream": lambda: stream("openai", GPT),
    "openai-parallel": parallel,
    "openai-tools": lambda: tools("openai", GPT),
    "openai-embeddings": embeddings,
    "openai-answers": answered_twice,
    "openai-retry": lambda: retry("openai", GPT),
    "openai-error": lambda: error("openai", GPT),
    "anthropic-cache": lambda: chat("anthropic", HAIKU, HAIKU),
    "anthropic-stream": lambda: stream("anthropic", HAIKU),
    "anthropic-tools": lambda: tools("anthropic", HAIKU),
    "anthropic-retry": lambda: retry("anthropic", HAIKU),
    "anthropic-error": lambda: error("anthropic", HAIKU),
}

if __name__ == "__main__":
    provider = exporting()
    # the first version takes the global provider, the second would make and keep one of its own
    litellm.callbacks = [OpenTelemetryV2(tracer_provider=provider)] if V2 else ["otel"]
    serve(CASES, flush=lambda: executor.submit(lambda: None).result())
