"""What calls lack, and what they say that nobody here understands: counted once per call."""

from __future__ import annotations

from costspan.ledger.meter import Meter
from costspan.model import Value
from costspan.telemetry import Telemetry
from hits import call_of

USAGE: dict[str, Value] = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


def counted(*spans: dict[str, Value], service: str = "shop") -> Telemetry:
    telemetry = Telemetry()
    meter = Meter(telemetry)
    for values in spans:
        meter.arrive(call_of(values, resource={"service.name": service}))
    meter.flush()
    return telemetry


def test_missing_recommended_attributes_are_counted_by_service_and_attribute() -> None:
    """An agent lacks nothing: the recommendation is for model calls."""
    telemetry = counted(
        USAGE,
        {**USAGE, "gen_ai.request.model": "gpt-4o"},
        {**USAGE, "gen_ai.operation.name": "invoke_agent"},
    )

    assert telemetry.missing_attributes.exact("shop", "gen_ai.request.model") == 1
    assert telemetry.missing_attributes.exact("shop", "gen_ai.provider.name") == 2
    assert telemetry.missing_attributes.exact("other") == 0


def test_unknown_attributes_of_the_namespace_are_counted_by_key() -> None:
    telemetry = counted(
        {**USAGE, "gen_ai.usage.video.input_tokens": 5},
        {**USAGE, "gen_ai.usage.video.input_tokens": 7, "gen_ai.response.mood": "fine"},
        {**USAGE, "gen_ai.request.top_k": 1},
    )

    assert telemetry.unknown_gen_ai_keys.exact("gen_ai.usage.video.input_tokens") == 2
    assert telemetry.unknown_gen_ai_keys.exact("gen_ai.response.mood") == 1
