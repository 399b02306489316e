"""What helps where no library has a setting of its own for it. Sentences only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costspan.doctor.finding import Finding


class Advice(NamedTuple):
    """A fix, and the page that says more."""

    fix: str
    link: str = ""


_LIMITS = "https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/"
_AGENT_SPANS = (
    "https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/"
    "gen-ai-agent-spans.md"
)
_RATES = "docs/how-to/rate-cards.md"

GENERAL: Mapping[Finding, Advice] = {
    Finding.NO_USAGE: Advice(
        "ask the provider for usage in streams (OpenAI:"
        ' stream_options={"include_usage": True}), and read streams to their end'
    ),
    Finding.INVALID_USAGE: Advice("look at the examples: their counts contradict each other"),
    Finding.CONVENTION_ASSUMED: Advice(
        "use an instrumentation of docs/reference/libraries.md, or write"
        " gen_ai.usage.input_tokens with the cached tokens inside",
        "docs/reference/libraries.md",
    ),
    Finding.TRUNCATED: Advice(
        "raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, unset OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, or record"
        " no prompts",
        _LIMITS,
    ),
    Finding.DOUBLED_ACROSS_TRACES: Advice(
        "keep one of the two instrumentations: nothing on their spans says that they tell of the"
        " same call"
    ),
    Finding.ONLY_LOGS: Advice("send traces as well: usage is read from spans"),
    Finding.ONLY_METRICS: Advice("send traces as well: usage is read from spans"),
    Finding.ONLY_AGGREGATES: Advice("add an instrumentation of the SDK that calls the model"),
    Finding.UNCOVERED_USAGE: Advice("add an instrumentation of the SDK that calls the model"),
    Finding.PARENT_OVERWRITTEN: Advice("give every call a span of its own"),
    Finding.DOUBLED: Advice("keep one of the two instrumentations"),
    Finding.MISSING_PARENTS: Advice(
        "send the spans above through the same costspan; if another service has them, a gateway"
        " sees both"
    ),
    Finding.SEVERAL_ROOTS: Advice("pass the context on to threads and tasks"),
    Finding.NO_AGENT: Advice("set gen_ai.agent.name on a span above the calls", _AGENT_SPANS),
    Finding.NO_PROVIDER: Advice("set gen_ai.provider.name"),
    Finding.NO_OPERATION: Advice("set gen_ai.operation.name"),
    Finding.NO_RESPONSE_MODEL: Advice(
        "set gen_ai.response.model: an alias in the request may stand for another model tomorrow"
    ),
    Finding.UNKNOWN_ATTRIBUTES: Advice(
        "report them, if one of them counts something that has a price"
    ),
    Finding.COST_DIFFERS: Advice(
        "compare by `costspan rates explain`; the difference is in"
        " costspan_reported_cost_difference_usd_total",
        "docs/how-to/prices.md",
    ),
}

UNPRICED: Mapping[str, Advice] = {
    "unknown_model": Advice("an alias or a price in a rate card", _RATES),
    "alias_missing": Advice("an alias of the deployment in a rate card", _RATES),
    "no_model": Advice("set gen_ai.request.model, or gen_ai.response.model"),
    "no_provider": Advice("set gen_ai.provider.name"),
    "no_rate_at_time": Advice("a dated price in a rate card", _RATES),
    "no_rate_for_unit": Advice("a price of that unit in a rate card", _RATES),
    "unknown_context": Advice("a price of that tier or region in a rate card", _RATES),
    "no_usage": Advice("an instrumentation that states tokens"),
}
"""By the reason that a call has no price. `policy` is wanted so, and no finding."""
