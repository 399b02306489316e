"""Real SDKs under OpenInference's instrumentations, against a model server with its own bill.

Nothing here states what a span should look like: the provider's bill, at prices typed by hand, is
what costspan has to arrive at: on the spans downstream, in `llm_calls` and in the trace's total.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from integration.lines import eventually
from integration.model_calls import Costspan, accounts, cost, costs_on, costspan, said, total
from integration.otlp_sink import attributes
from integration.prometheus import value
from integration.stub_model import StubModel

pytestmark = pytest.mark.slow
APP = Path(__file__).with_name("openinference_app.py")


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Costspan]:
    with costspan(tmp_path_factory.mktemp("openinference")) as running:
        yield running


@pytest.fixture
def stub() -> Iterator[StubModel]:
    with StubModel() as stub:
        yield stub


def net(sidecar: Costspan, service: str) -> float:
    """What Prometheus shows as billed and not taken back."""
    port, label = sidecar.line.ports.metrics, {"service_name": service}
    counted = value(port, "costspan_cost_usd_total", **label)
    return counted - value(port, "costspan_cost_retracted_usd_total", **label)


@pytest.mark.parametrize("both", ["false", "true"], ids=["own-keys", "genai-keys-too"])
@pytest.mark.parametrize(
    ("case", "statuses"),
    [
        # Counted inside the prompt by OpenAI; its embeddings say nothing of a cache.
        ("openai", ["miss", "hit", "hit"]),
        # Counted beside it by Anthropic, added by the library, which leaves zeros out.
        ("anthropic", ["write", "hit", "hit"]),
    ],
)
def test_every_call_costs_what_the_provider_bills(
    sidecar: Costspan, stub: StubModel, case: str, statuses: list[str], both: str
) -> None:
    """Streams, cached prompts, embeddings; also with GenAI's keys beside its own on one span."""
    played = sidecar.play(APP, case, stub, 5, OPENINFERENCE_ENABLE_GENAI_SEMCONV=both)

    assert len(stub.bill) == 4
    assert played.by_model == accounts(stub.bill)
    assert costs_on(played.spans) == [cost(each) for each in stub.bill]
    assert played.total == total(stub.bill, 5)
    assert said(played, "finops.cache.status") == statuses
    conventions = {(call.dialect, call.convention) for call in played.decisions.values()}
    assert conventions == {("openinference", "inclusive")}


def test_an_agents_own_sums_are_not_billed_beside_its_calls(
    sidecar: Costspan, stub: StubModel
) -> None:
    """Agent and chain spans repeat the tokens of a tool loop; its calls know their agent."""
    played = sidecar.play(APP, "tools", stub, 11)
    repeating = [
        *played.decided("researcher"),
        *played.decided("checker"),
        *played.decided("step"),
    ]

    assert len(stub.bill) == 4
    assert played.by_model == accounts(stub.bill)
    assert played.total == total(stub.bill, 11)
    assert [each.billed_reason for each in repeating] == ["not_inference"] * 4
    assert [each.agent for each in played.decided("ChatCompletion")] == ["researcher"] * 2
    assert [each.agent for each in played.decided("messages.create")] == ["checker"] * 2
    assert len(costs_on(played.spans)) == len(stub.bill)


def test_a_refused_call_costs_nothing_that_is_stated(sidecar: Costspan, stub: StubModel) -> None:
    """No usage, no bill, and no attribute that says $0."""
    stub.refuse(*[HTTPStatus.INTERNAL_SERVER_ERROR] * 2)
    played = sidecar.play(APP, "failed", stub, 3)

    assert stub.bill == []
    assert len(stub.refused) == 2
    assert played.by_model == {}
    assert played.total is None
    assert not any("_cost" in key for span in played.spans for key in attributes(span))


def test_what_the_sdk_tries_again_is_billed_once(sidecar: Costspan, stub: StubModel) -> None:
    """429, then an answer: the provider bills the answer."""
    stub.refuse(HTTPStatus.TOO_MANY_REQUESTS)
    played = sidecar.play(APP, "retried", stub, 3)

    assert stub.refused == [HTTPStatus.TOO_MANY_REQUESTS]
    assert len(stub.bill) == 2
    assert played.by_model == accounts(stub.bill)
    assert played.total == total(stub.bill, 3)


def test_a_stream_that_never_stated_its_usage_is_unpriced(
    sidecar: Costspan, stub: StubModel
) -> None:
    """The provider billed it, and nobody downstream can know how much: unknown, not $0."""
    played = sidecar.play(APP, "silent", stub, 2)

    assert len(stub.bill) == 1
    assert played.total is None
    assert said(played, "window.financial.total_cost") == []
    assert said(played, "window.financial.status") == ["unpriced"]
    assert said(played, "window.financial.unpriced_reason") == ["no_usage"]
    assert [each.cost_status for each in played.decided("ChatCompletion")] == ["unpriced"]


@pytest.mark.parametrize(
    ("case", "telling"),
    [
        # OpenLLMetry's span contains OpenInference's.
        ("doubled-openai", {"openllmetry", "openinference"}),
        # Anthropic's SDK tells by itself once there is a global provider: its span is a child of
        # the library's, of `messages.stream` a sibling, which only the response id gives away.
        ("doubled-anthropic", {"genai", "openinference"}),
    ],
)
def test_a_call_that_two_libraries_report_is_billed_once(
    sidecar: Costspan, stub: StubModel, case: str, telling: set[str]
) -> None:
    """In `llm_calls`, in the trace's total and in what Prometheus has left as billed."""
    played = sidecar.play(APP, case, stub, 9)
    told = list(played.decisions.values())
    billed = [call for call in told if call.billed_reason == "leaf"]

    assert len(told) == 2 * len(stub.bill) == 8
    assert len(billed) == len(stub.bill)
    assert {call.dialect for call in told} == telling
    assert {call.billed_reason for call in told} <= {"leaf", "covered", "duplicate"}
    assert played.by_model == accounts(stub.bill)
    assert played.total == total(stub.bill, 9)
    bill = float(sum(map(cost, stub.bill)))
    assert eventually(lambda: net(sidecar, case) == pytest.approx(bill))
