"""Records and roll-ups for the tests of who is billed."""

from __future__ import annotations

from typing import Any

from costspan.ledger.rollup import Rollup, rollup
from costspan.model import AGGREGATE, WITNESS, LlmCall
from ledger_samples import Span, calls, record

OPENAI = "opentelemetry.instrumentation.openai.v1"
ANTHROPIC = "com.anthropic.sdk.python"
LANGCHAIN = "opentelemetry.instrumentation.langchain"
SPRING = "org.springframework.boot"


def call(tokens_in: int | None = 100, tokens_out: int = 10, **said: Any) -> LlmCall:
    """A record; `said`: fields of LlmCall by name, the others as `record` takes them."""
    fields = {name: said.pop(name) for name in list(said) if name in LlmCall.__struct_fields__
              and name not in {"response_id", "role", "usage", "service"}}  # fmt: skip
    made = record(tokens_in, tokens_out, **said)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def agent(tokens_in: int | None = None, tokens_out: int = 0, **said: Any) -> LlmCall:
    role = WITNESS if tokens_in is None else AGGREGATE
    said = {"operation": "invoke_agent", "kind": 1, **said}
    return call(tokens_in, tokens_out, role=role, **said)


def roll(*spans: Span) -> Rollup:
    """Rolled up in both orders, which are one."""
    rolled = rollup(calls(spans), [one.head[1:] for one in spans])
    back = spans[::-1]
    again = rollup(calls(back), [one.head[1:] for one in back])
    assert reasons(again) == reasons(rolled)
    return rolled


def reasons(rolled: Rollup) -> list[str]:
    """By span id."""
    return [held.reason for held in rolled.decisions.values()]


def usage(rolled: Rollup) -> dict[str, int]:
    return dict(rolled.total.usage)
