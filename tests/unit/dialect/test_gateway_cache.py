"""Who answered from a cache of its own: only what a gateway itself says is proof."""

from __future__ import annotations

import pytest

from costspan.dialect import DEFAULT_DIMENSIONS, wanted
from costspan.dialect.cache import EVIDENCE
from costspan.model import Value
from costspan.processor.enrich import OWN_KEYS
from hits import call_of

USAGE: dict[str, Value] = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
FLAG: dict[str, Value] = {"gen_ai.response.cached": True}
READ: dict[str, Value] = {"gen_ai.usage.cache_read.input_tokens": 4}
HEADER = "http.response.header."


@pytest.mark.parametrize(
    ("values", "gateway"),
    [
        ({"litellm.cache_hit": True}, "litellm"),
        ({"litellm.cache_hit": "True"}, "litellm"),
        ({"hidden_params": '{"cache_key": "k", "cache_hit": true}'}, "litellm"),
        ({HEADER + "helicone-cache": ["HIT"]}, "helicone"),
        ({HEADER + "helicone_cache": ["HIT"]}, "helicone"),  # opentelemetry-python's spelling
        ({HEADER + "x-portkey-cache-status": ["SEMANTIC HIT"]}, "portkey"),
        ({HEADER + "cf-aig-cache-status": "HIT"}, "cloudflare"),
        ({HEADER + "x-cache-status": ["Hit"]}, "kong"),
    ],
)
def test_a_gateway_says_that_it_answered_itself(values: dict[str, Value], gateway: str) -> None:
    call = call_of({**USAGE, **values})

    assert (gateway, "hit") == (call.gateway, call.cache_status)
    assert values.keys() <= wanted(DEFAULT_DIMENSIONS, OWN_KEYS).keys


@pytest.mark.parametrize(
    "values",
    [
        {"litellm.cache_hit": False},
        {"litellm.cache_hit": "None"},
        {"litellm.cache_hit": 1},
        {"hidden_params": '{"cache_hit": null}'},
        {"hidden_params": '{"cache_hit": tru'},
        {"hidden_params": "HIT"},
        {HEADER + "helicone-cache": ["MISS"]},
        {HEADER + "x-portkey-cache-status": ["SEMANTIC MISS"]},
        {HEADER + "x-portkey-cache-status": ["REFRESH"]},
        {HEADER + "cf-aig-cache-status": []},
        {HEADER + "x-cache-status": ["Bypass"]},
        {HEADER + "x-cache": ["HIT"]},  # any CDN's
        {"helicone.cache": "HIT"},
        FLAG,
        {**FLAG, "gen_ai.usage.total_cost": 0.25},
        {"gen_ai.usage.total_cost": 0},
    ],
)
def test_anything_else_is_no_proof(values: dict[str, Value]) -> None:
    assert not call_of({**USAGE, **values}).gateway


@pytest.mark.parametrize(
    ("values", "own"),
    [
        ({"gen_ai.usage.total_cost": 0}, {}),
        ({"operation.cost": 0.0}, {}),
        ({"agw.ai.usage.cost.total": "0.00"}, {}),
        ({}, {"gen_ai.usage.cost": 0.0}),
        ({}, {"gen_ai.usage.cost.amount": 0, "gen_ai.usage.cost.currency": "USD"}),
    ],
)
def test_a_reported_zero_beside_the_flag_is_proof(
    values: dict[str, Value], own: dict[str, Value]
) -> None:
    assert "reported_zero" == call_of({**USAGE, **FLAG, **values}, own=own).gateway


@pytest.mark.parametrize(
    ("values", "own"),
    [
        # the flag is about the prompt, and a library that does not know the model reports 0
        ({**FLAG, **READ, "gen_ai.usage.total_cost": 0}, {}),
        ({**FLAG}, {"gen_ai.usage.cost.amount": 0}),
        ({**FLAG}, {"gen_ai.usage.cost": 0.0, "window.financial.total_cost": 0.5}),
        ({**FLAG, "gen_ai.usage.total_cost": 0}, {"gen_ai.usage.cost": 0.5}),
    ],
)
def test_a_zero_that_something_contradicts_is_none(
    values: dict[str, Value], own: dict[str, Value]
) -> None:
    assert not call_of({**USAGE, **values}, own=own).gateway


def test_a_gateways_word_stands_beside_cached_tokens() -> None:
    """LiteLLM replays the usage of the first call, cached tokens and all."""
    assert "litellm" == call_of({**USAGE, **READ, "litellm.cache_hit": True}).gateway


def test_an_answer_from_a_gateways_cache_needs_no_usage() -> None:
    call = call_of({"gen_ai.operation.name": "chat", **FLAG, "litellm.cache_hit": True})

    assert (None, True, "leaf") == (call.usage, call.billed, call.billed_reason)


def test_every_piece_of_evidence_has_a_sentence() -> None:
    assert all(each.text.endswith(".") and each.keys for each in EVIDENCE)
