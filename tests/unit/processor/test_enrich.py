"""What is written onto a span: exact, only what is known, and never over what is there."""

from __future__ import annotations

from fractions import Fraction

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.model import Charge, Line, LlmCall, Value
from costspan.processor.enrich import ATTRIBUTES, OWN_KEYS, attributes
from hits import call_of

NONE: frozenset[str] = frozenset()
TOTAL = 12_345_678_901_234_567  # attos; no double holds it exactly


def _call(charge: Charge, **more: Value) -> LlmCall:
    call = call_of({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1, **more})
    call.charge = charge
    return call


PRICED = Charge(
    "priced",
    total=str(TOTAL),
    savings="5000000000000000",
    lines=(
        Line("input", 1, "1", "1000000000000000"),
        Line("cache_read", 1, "1", "0"),
        Line("cache_write_5m", 1, "1", "2000000000000000"),
        Line("cache_write_1h", 1, "1", "3000000000000000"),
        Line("output", 1, "1", "6345678901234500"),
        Line("web_search", 1, "1", "67"),
    ),
    price_ref="book@1234abcd;openai/gpt-4o;;list@0",
)


def _written(
    call: LlmCall, own: dict[str, Value] | None = None, off: frozenset[str] = NONE
) -> dict[str, str | float]:
    """The attributes as any OTLP reader sees them on the span."""
    span = Span.FromString(attributes(call, own or {}, off))
    keys = [attribute.key for attribute in span.attributes]
    if len(keys) != len(set(keys)):
        raise AssertionError(f"a key twice: {keys}")
    return {
        attribute.key: attribute.value.string_value
        if attribute.value.HasField("string_value")
        else attribute.value.double_value
        for attribute in span.attributes
    }


def test_a_priced_call_says_what_it_cost_and_why() -> None:
    call = _call(PRICED, **{"gen_ai.usage.cache_read.input_tokens": 0})

    assert {
        "window.financial.total_cost": 0.012345678901234567,
        "window.financial.total_cost_exact": "0.012345678901234567",
        "window.financial.input_cost": 0.001,
        "window.financial.output_cost": 0.0063456789012345,
        "window.financial.cache_write_cost": 0.005,
        "window.financial.other_cost": 6.7e-17,
        "window.financial.currency": "USD",
        "window.financial.status": "priced",
        "window.financial.price_ref": "book@1234abcd;openai/gpt-4o;;list@0",
        "finops.cache.status": "miss",
        "finops.cache.savings": 0.005,
        "gen_ai.usage.cost": 0.012345678901234567,
    } == _written(call)


def test_doubles_are_the_nearest_to_the_exact_amount() -> None:
    """`float(exact)`: what a reader computes from the exact text is the same double."""
    written = _written(_call(PRICED))

    exact = Fraction(TOTAL, 10**18)
    assert float(exact) == written["window.financial.total_cost"]
    assert float(str(written["window.financial.total_cost_exact"])) == written["gen_ai.usage.cost"]


def test_a_call_that_is_known_to_be_free_costs_zero() -> None:
    written = _written(_call(Charge("priced", total="0")))

    assert (0.0, "0") == (
        written["window.financial.total_cost"],
        written["window.financial.total_cost_exact"],
    )


def test_an_unpriced_call_says_why_and_has_no_cost() -> None:
    assert {
        "window.financial.status": "unpriced",
        "window.financial.unpriced_reason": "unknown_model",
    } == _written(_call(Charge("unpriced", "unknown_model", price_ref="book@1;m;;list@0")))


def test_invalid_usage_is_flagged_and_has_no_cost() -> None:
    assert {"window.financial.status": "invalid_usage"} == _written(_call(Charge("invalid_usage")))


def test_a_reported_cost_stands_alone_where_it_is_the_total() -> None:
    call = _call(Charge("provider_reported", total=str(10**18 // 4)), **{"operation.cost": 0.25})

    assert {
        "window.financial.total_cost": 0.25,
        "window.financial.total_cost_exact": "0.25",
        "window.financial.currency": "USD",
        "window.financial.status": "provider_reported",
        "gen_ai.usage.cost": 0.25,
    } == _written(call)


def test_a_reported_cost_stands_beside_ours() -> None:
    call = _call(Charge("priced", total="5"), **{"operation.cost": 0.25})

    assert 0.25 == _written(call)["window.financial.reported_cost"]


@pytest.mark.parametrize("reason", ["duplicate", "covered"])
def test_a_call_billed_elsewhere_in_the_request_has_no_cost_here(reason: str) -> None:
    call = _call(PRICED)
    call.billed, call.billed_reason = False, reason

    assert {"window.financial.status": reason} == _written(call)


@pytest.mark.parametrize("operation", ["invoke_agent", "execute_tool", "count_tokens"])
def test_only_model_calls_are_written_on(operation: str) -> None:
    call = _call(PRICED, **{"gen_ai.operation.name": operation})

    assert b"" == attributes(call, {}, NONE)


def test_what_is_on_the_span_stays_as_it_is() -> None:
    own: dict[str, Value] = {"gen_ai.usage.cost": 1.0, "finops.cache.status": "mine"}
    call = _call(PRICED, **{"gen_ai.usage.cache_read.input_tokens": 0})

    assert set(_written(call)) - own.keys() == set(_written(call, own))


def test_every_name_can_be_switched_off() -> None:
    call = _call(PRICED, **{"gen_ai.usage.cache_read.input_tokens": 5, "operation.cost": 0.5})
    everything = set(_written(call))

    for name in everything:
        assert everything - {name} == set(_written(call, off=frozenset({name})))
    assert {} == _written(call, off=OWN_KEYS)


def test_the_table_is_all_that_is_written() -> None:
    calls = [
        _call(PRICED, **{"gen_ai.usage.cache_read.input_tokens": 5, "operation.cost": 0.5}),
        _call(Charge("priced", total="5", list_total="6", effective_total="7")),
        _call(Charge("unpriced", "no_model")),
    ]
    types = {attribute.name: attribute.type for attribute in ATTRIBUTES}

    written = {name: value for call in calls for name, value in _written(call).items()}
    assert written.keys() <= OWN_KEYS
    assert {types[name] for name, value in written.items() if isinstance(value, str)} == {"string"}
    assert {types[name] for name, value in written.items() if isinstance(value, float)} == {
        "double"
    }


def test_every_attribute_has_a_sentence() -> None:
    assert all(attribute.text.endswith(".") for attribute in ATTRIBUTES)
    assert len(OWN_KEYS) == len(ATTRIBUTES)


def test_another_reckoning_stands_beside_the_total_only_where_it_differs() -> None:
    same = _written(_call(Charge("priced", total="5", list_total="5")))
    other = Charge("priced", total=str(10**18), list_total=str(2 * 10**18), effective_total="5")

    assert "window.financial.list_cost" not in same
    assert "window.financial.effective_cost" not in same
    written = _written(_call(other))
    assert 2.0 == written["window.financial.list_cost"]
    assert 5e-18 == written["window.financial.effective_cost"]


def test_a_provisioned_call_costs_a_known_zero_beside_its_list_price() -> None:
    charge = Charge("provisioned", total="0", list_total=str(10**18 // 4), price_ref="b;m;;c@1")

    assert {
        "window.financial.total_cost": 0.0,
        "window.financial.total_cost_exact": "0",
        "window.financial.list_cost": 0.25,
        "window.financial.currency": "USD",
        "window.financial.status": "provisioned",
        "window.financial.price_ref": "b;m;;c@1",
        "gen_ai.usage.cost": 0.0,
    } == _written(_call(charge))


def test_a_list_price_of_zero_is_written_beside_a_total() -> None:
    """A model that is free at list, and not under the contract."""
    charge = Charge("priced", total="5", list_total="0")

    assert 0.0 == _written(_call(charge))["window.financial.list_cost"]


@pytest.mark.parametrize("part", ["amount", "currency", "source"])
def test_a_namespace_and_a_value_never_share_a_name(part: str) -> None:
    """Back ends that nest attributes could hold only one of the two."""
    own: dict[str, Value] = {f"gen_ai.usage.cost.{part}": "x"}
    written, alone = _written(_call(PRICED), own), _written(_call(PRICED))

    assert alone.keys() - {"gen_ai.usage.cost"} == written.keys()
