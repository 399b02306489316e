"""An application under OpenInference: its instrumentations of the SDKs, its tracer for the rest.

Run as a script with the name of one case. Base URLs, keys and the OTLP endpoint come from the
environment, as in production. One case is one trace.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anthropic
import openai
from anthropic.types import MessageParam, TextBlockParam, ToolParam, ToolUseBlock
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageParam,
)
from openinference.instrumentation import (
    OITracer,
    TokenCount,
    TracerProvider,
    get_llm_token_count_attributes,
)
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetry
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SYSTEM = "You answer with care. " * 100
QUESTION = "What is six times seven?"
GPT, MINI, HAIKU = "gpt-5", "gpt-5-mini", "claude-haiku-4-5"
TOOL = "calculate"
PARAMETERS: dict[str, object] = {"type": "object", "properties": {"question": {"type": "string"}}}


def messages() -> list[ChatCompletionMessageParam]:
    """The same prompt each time, long enough to be cached."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


def ask_openai() -> None:
    """Chat with two models, as a stream too; from the second on the prompt is cached. Embed."""
    client = openai.OpenAI()
    client.chat.completions.create(model=MINI, messages=messages())
    client.chat.completions.create(model=GPT, messages=messages())
    stream = client.chat.completions.create(
        model=GPT, messages=messages(), stream=True, stream_options={"include_usage": True}
    )
    for _ in stream:
        pass
    client.embeddings.create(model="text-embedding-3-small", input=QUESTION)


def ask_anthropic() -> None:
    """Write the prompt cache, read it, read it as a stream, ask without it."""
    cached: list[TextBlockParam] = [
        {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}
    ]
    question: list[MessageParam] = [{"role": "user", "content": QUESTION}]
    client = anthropic.Anthropic()
    for _ in range(2):
        client.messages.create(model=HAIKU, max_tokens=64, system=cached, messages=question)
    with client.messages.stream(
        model=HAIKU, max_tokens=64, system=cached, messages=question
    ) as stream:
        stream.until_done()
    client.messages.create(model=HAIKU, max_tokens=64, messages=question)


def answer_silently() -> None:
    """A stream that nobody asked to state its usage."""
    for _ in openai.OpenAI().chat.completions.create(model=GPT, messages=messages(), stream=True):
        pass


def fail() -> None:
    """One call of each SDK that the provider refuses, and nobody tries again."""
    for call in (_refused_openai, _refused_anthropic):
        try:
            call()
        except (openai.InternalServerError, anthropic.InternalServerError):
            continue
        sys.exit("the model server was to refuse this call")


def _refused_openai() -> None:
    openai.OpenAI(max_retries=0).chat.completions.create(model=GPT, messages=messages())


def _refused_anthropic() -> None:
    anthropic.Anthropic(max_retries=0).messages.create(
        model=HAIKU, max_tokens=64, messages=[{"role": "user", "content": QUESTION}]
    )


def ask_once_each() -> None:
    """One call of each SDK; what is refused they try again by themselves."""
    openai.OpenAI().chat.completions.create(model=GPT, messages=messages())
    anthropic.Anthropic().messages.create(
        model=HAIKU, max_tokens=64, messages=[{"role": "user", "content": QUESTION}]
    )


@contextmanager
def agent(tracer: OITracer, name: str) -> Iterator[TokenCount]:
    """An agent span around a chain span; it ends with the sums of its calls, as smolagents' do."""
    spent = TokenCount(prompt=0, completion=0, total=0)
    attributes = {"agent.name": name}
    with tracer.start_as_current_span(
        name, attributes=attributes, openinference_span_kind="agent"
    ) as span:
        with tracer.start_as_current_span("step", openinference_span_kind="chain") as step:
            yield spent
            step.set_attributes(get_llm_token_count_attributes(spent))
        span.set_attributes(get_llm_token_count_attributes(spent))


def add(spent: TokenCount, prompt: int, completion: int) -> None:
    """What an agent's monitor does after each call."""
    spent["prompt"] += prompt
    spent["completion"] += completion
    spent["total"] += prompt + completion


def calculate(tracer: OITracer) -> str:
    """The tool, in a span of its own."""
    with tracer.start_as_current_span(
        TOOL, attributes={"tool.name": TOOL}, openinference_span_kind="tool"
    ):
        return str(6 * 7)


def loop_openai(tracer: OITracer) -> None:
    """The model asks for the tool, gets its result and answers."""
    client, talk = openai.OpenAI(), messages()
    tool: ChatCompletionFunctionToolParam = {
        "type": "function",
        "function": {"name": TOOL, "parameters": PARAMETERS},
    }

    def turn(spent: TokenCount) -> ChatCompletion:
        answer = client.chat.completions.create(model=GPT, messages=talk, tools=[tool])
        if answer.usage:
            add(spent, answer.usage.prompt_tokens, answer.usage.completion_tokens)
        return answer

    with agent(tracer, "researcher") as spent:
        for call in turn(spent).choices[0].message.tool_calls or ():
            talk.append(
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": call.id,
                            "type": "function",
                            "function": {"name": TOOL, "arguments": "{}"},
                        }
                    ],
                }
            )
            result = calculate(tracer)
            talk.append({"role": "tool", "tool_call_id": call.id, "content": result})
        turn(spent)


def loop_anthropic(tracer: OITracer) -> None:
    """The same with the other API."""
    client = anthropic.Anthropic()
    talk: list[MessageParam] = [{"role": "user", "content": QUESTION}]
    tool: ToolParam = {"name": TOOL, "input_schema": PARAMETERS}

    def turn(spent: TokenCount) -> anthropic.types.Message:
        answer = client.messages.create(model=HAIKU, max_tokens=64, messages=talk, tools=[tool])
        add(spent, answer.usage.input_tokens, answer.usage.output_tokens)
        return answer

    with agent(tracer, "checker") as spent:
        asked = turn(spent)
        talk.append({"role": "assistant", "content": asked.content})
        for block in asked.content:
            if isinstance(block, ToolUseBlock):
                result = calculate(tracer)
                talk.append(
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": block.id, "content": result}
                        ],
                    }
                )
        turn(spent)


def work(case: str, tracer: OITracer) -> None:
    """The calls of one case."""
    match case:
        case "openai" | "doubled-openai":
            ask_openai()
        case "anthropic" | "doubled-anthropic":
            ask_anthropic()
        case "tools":
            loop_openai(tracer)
            loop_anthropic(tracer)
        case "silent":
            answer_silently()
        case "failed":
            fail()
        case "retried":
            ask_once_each()
        case _:
            sys.exit(f"no case {case}")


def main(case: str) -> None:
    """Instrument, work in one trace, flush."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    if case == "doubled-openai":
        OpenLLMetry().instrument(tracer_provider=provider)
    elif case == "doubled-anthropic":
        trace.set_tracer_provider(provider)  # from now on the SDK emits spans of its own
    tracer = provider.get_tracer("app")
    with tracer.start_as_current_span("answer", openinference_span_kind="chain"):
        work(case, tracer)
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
