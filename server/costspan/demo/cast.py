"""The parts that the stories are made of: calls, tools, agents, workflows. Names: gen_ai.* only.

The names are those of the OpenTelemetry GenAI conventions (semantic-conventions-genai, 2026).
"""

from __future__ import annotations

import random

from costspan.demo.models import EMBED, Model, Tokens
from costspan.demo.span import AttributeValue, Call, Plan

_SECONDS_PER_OUTPUT_TOKEN = 0.011
_SECONDS_TO_FIRST_TOKEN = 0.6


class Cast:
    """Builds spans. The numbers come from a seed: the same seed plans the same workload."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 (a repeatable workload, not a secret)
        self._ids = 0

    def about(self, number: float) -> int:
        """A whole number within a fifth of `number`."""
        return round(number * self.random.uniform(0.8, 1.2))

    def chat(self, model: Model, tokens: Tokens, *, error: str = "") -> Plan:
        """One inference. With an `error` it still used its tokens (a stream that broke off)."""
        seconds = _SECONDS_TO_FIRST_TOKEN + tokens.output * _SECONDS_PER_OUTPUT_TOKEN
        return Plan(
            f"chat {model.request}",
            {**self._call("chat", model), **_usage(tokens), **_failure(error)},
            seconds * self.random.uniform(0.8, 1.3),
            client=True,
            error=error,
            call=Call(model, tokens),
        )

    def refused(self, model: Model, error: str) -> Plan:
        """An inference that the provider turned away: no answer, no usage, no bill."""
        call = self._call("chat", model)
        del call["gen_ai.response.model"], call["gen_ai.response.id"]
        return Plan(
            f"chat {model.request}",
            {**call, **_failure(error)},
            self.random.uniform(0.2, 0.5),
            client=True,
            error=error,
        )

    def embeddings(self, tokens: int) -> Plan:
        """Embeddings: input only."""
        return Plan(
            f"embeddings {EMBED.request}",
            {**self._call("embeddings", EMBED), "gen_ai.usage.input_tokens": tokens},
            self.random.uniform(0.08, 0.2),
            client=True,
            call=Call(EMBED, Tokens(tokens)),
        )

    def tool(self, name: str, *, seconds: float = 0.4, error: str = "") -> Plan:
        """A tool that the agent ran itself."""
        return Plan(
            f"execute_tool {name}",
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": name,
                "gen_ai.tool.type": "function",
                **_failure(error),
            },
            seconds * self.random.uniform(0.7, 1.4),
            error=error,
        )

    def agent(self, name: str, *steps: Plan, repeats_usage: bool = False) -> Plan:
        """An agent's turn. `repeats_usage`: as many frameworks do, its span sums up the calls."""
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": name,
        }
        if repeats_usage:
            used = [step.call.tokens for step in steps if step.call]
            attributes |= {
                "gen_ai.usage.input_tokens": sum(tokens.prompt for tokens in used),
                "gen_ai.usage.output_tokens": sum(tokens.output for tokens in used),
            }
        return Plan(f"invoke_agent {name}", attributes, 0.05, children=list(steps), agent=name)

    def workflow(self, name: str, *steps: Plan) -> Plan:
        """The root of a multi-agent run."""
        return Plan(
            f"invoke_workflow {name}",
            {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name},
            0.1,
            children=list(steps),
        )

    def _call(self, operation: str, model: Model) -> dict[str, AttributeValue]:
        self._ids += 1
        return {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": model.provider,
            "gen_ai.request.model": model.request,
            "gen_ai.response.model": model.response,
            "gen_ai.response.id": f"resp_{self._ids:04d}{self.random.getrandbits(48):012x}",
        }


def _usage(tokens: Tokens) -> dict[str, AttributeValue]:
    return {
        "gen_ai.usage.input_tokens": tokens.prompt,
        "gen_ai.usage.output_tokens": tokens.output,
        "gen_ai.usage.cache_read.input_tokens": tokens.cache_read,
        "gen_ai.usage.cache_write.input_tokens": tokens.cache_write,
        "gen_ai.usage.reasoning.output_tokens": tokens.reasoning,
    }


def _failure(error: str) -> dict[str, AttributeValue]:
    return {"error.type": error} if error else {}
