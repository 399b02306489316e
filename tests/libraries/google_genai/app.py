"""Calls through Google's own SDK; APP_WATCHED_BY says which libraries tell of them."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module
from typing import Any

from google import genai
from google.genai import errors, types

from libraries.cases import Cases, exporting, serve
from libraries.prompts import ANSWER, PARAMETERS, QUESTION, system

WATCHERS = {
    "opentelemetry": "opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
    "openinference": "openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",
    "openllmetry": "opentelemetry.instrumentation.google_generativeai:"
    "GoogleGenerativeAiInstrumentor",
}
FLASH = "gemini-2.5-flash"
CALCULATE = {"name": "calculate", "parameters_json_schema": PARAMETERS}


def config(case: str, **more: Any) -> types.GenerateContentConfig:
    """With an instruction of the case's own, long enough to be cached."""
    return types.GenerateContentConfig(system_instruction=system(case), **more)


def chat() -> None:
    """What the first has read is cached for the second."""
    client = genai.Client()
    for _ in range(2):
        client.models.generate_content(model=FLASH, contents=QUESTION, config=config("chat"))


def stream() -> None:
    """The same as streams, of which the last part has all counts."""
    client = genai.Client()
    for _ in range(2):
        answer = client.models.generate_content_stream(
            model=FLASH, contents=QUESTION, config=config("stream")
        )
        for _ in answer:
            pass


def parallel() -> None:
    """Three calls at once that differ in nothing but the answer's id."""

    async def ask() -> None:
        client = genai.Client().aio
        calls = (client.models.generate_content(model=FLASH, contents=QUESTION) for _ in range(3))
        await asyncio.gather(*calls)

    asyncio.run(ask())


def tools() -> None:
    """The model asks for the tool, gets its result and answers."""
    client = genai.Client()
    settings = config("tools", tools=[{"function_declarations": [CALCULATE]}])
    talk = [types.UserContent(QUESTION)]
    asked = client.models.generate_content(model=FLASH, contents=talk, config=settings)
    talk.append(asked.candidates[0].content)
    result = types.Part.from_function_response(name="calculate", response={"result": ANSWER})
    talk.append(types.UserContent(result))
    client.models.generate_content(model=FLASH, contents=talk, config=settings)


def retry() -> None:
    """The SDK tries again by itself what is refused, if it may."""
    again = types.HttpRetryOptions(attempts=2, initial_delay=0.01)
    client = genai.Client(http_options=types.HttpOptions(retry_options=again))
    client.models.generate_content(model=FLASH, contents=QUESTION)


def error() -> None:
    """Refused, and nobody tries again."""
    client = genai.Client()
    try:
        client.models.generate_content(model=FLASH, contents=QUESTION)
    except errors.ServerError:
        return
    sys.exit("the model server was to refuse this call")


CASES: Cases = {
    "gemini-chat": chat,
    "gemini-stream": stream,
    "gemini-parallel": parallel,
    "gemini-tools": tools,
    "gemini-retry": retry,
    "gemini-error": error,
}

if __name__ == "__main__":
    exporting()
    for name in os.environ["APP_WATCHED_BY"].split():
        module, _, instrumentor = WATCHERS[name].partition(":")
        getattr(import_module(module), instrumentor)().instrument()
    serve(CASES)
