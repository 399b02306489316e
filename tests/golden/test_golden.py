"""Real-looking spans through the real line: bytes in, the call and the attributes out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan import wire
from costspan.dialect import DEFAULT_DIMENSIONS, recognise, wanted
from costspan.model import LlmCall
from costspan.processor.enrich import OWN_KEYS, attributes
from costspan.processor.price import price
from costspan.testing import request, span
from costspan_pricing import format_usd
from hits import small_pricer

CASES = sorted(Path(__file__).parent.glob("*/*.json"))
WANTED = wanted(DEFAULT_DIMENSIONS, OWN_KEYS)
_MONEY = ("total", "savings")
_SHA = re.compile(r"@[0-9a-f]{8}")


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_golden(file: Path) -> None:
    """The file's span becomes the file's call, and gains the file's attributes."""
    case = json.loads(file.read_text())
    body = _bytes(case)
    hits = wire.scan(body, WANTED)
    call = recognise(hits[0], DEFAULT_DIMENSIONS) if hits else None
    if call is None:
        assert case["call"] is None
        return
    price(call, small_pricer())
    added = attributes(call, hits[0].own, frozenset())

    assert case["call"] == {name: _field(call, name) for name in case["call"]}
    assert case["attributes"] == _added(body, wire.splice(body, {0: added}))


def test_there_are_cases_of_every_dialect() -> None:
    """A folder that no pattern finds would test nothing."""
    folders = {file.parent.name for file in CASES}

    assert {"anthropic", "handwritten", "openinference", "openllmetry", "otel"} <= folders
    assert {"langsmith", "litellm", "openlit", "pydantic_ai", "vercel"} <= folders
    assert {"agentops", "google_adk", "langfuse", "mlflow", "strands"} <= folders
    assert {"ag2", "coding_agents", "exporters", "microsoft"} <= folders


def _bytes(case: Mapping[str, Any]) -> bytes:
    made = case["span"]
    return request(
        span(
            made["attributes"],
            name=made["name"],
            kind=made.get("kind", 3),
            status=made.get("status", 0),
        ),
        scope=(made["scope"]["name"], made["scope"].get("version", "")),
        resource=made.get("resource"),
    )


def _field(call: LlmCall, name: str) -> Any:
    """A field as a reader of JSON would write it; money in dollars."""
    if name in _MONEY:
        attos = getattr(call.charge, name)
        return format_usd(int(attos)) if attos else None
    # The charge first: its status is the one that is written; the span's own is in the file.
    parts = (call.charge, call.identity, call)
    owner = next(part for part in parts if name in part.__struct_fields__)
    return json.loads(msgspec.json.encode(getattr(owner, name)))


def _attributes(body: bytes) -> list[tuple[str, Any]]:
    message = ExportTraceServiceRequest.FromString(body)
    found = message.resource_spans[0].scope_spans[0].spans[0].attributes
    return [(kv.key, getattr(kv.value, str(kv.value.WhichOneof("value")))) for kv in found]


def _added(before: bytes, after: bytes) -> dict[str, Any]:
    """What the span has gained; what was there has to stand there still, in order and once."""
    was, now = _attributes(before), _attributes(after)
    assert was == now[: len(was)]
    assert len({key for key, _ in now}) == len(now)
    gained = dict(now[len(was) :])
    if "window.financial.price_ref" in gained:
        # The digest of the test book changes with every model added to it.
        gained["window.financial.price_ref"] = _SHA.sub("", gained["window.financial.price_ref"])
    return gained
