"""Pydantic AI agents under their own instrumentation, against a model server with its own bill.

It writes the GenAI conventions, and its agent spans repeat the sums of their runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from integration.model_calls import Costspan, accounts, costspan, said, total
from integration.otlp_sink import attributes
from integration.stub_model import StubModel

pytestmark = pytest.mark.slow
APP = Path(__file__).with_name("pydantic_ai_app.py")


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Costspan]:
    with costspan(tmp_path_factory.mktemp("pydantic-ai")) as running:
        yield running


@pytest.fixture
def stub() -> Iterator[StubModel]:
    with StubModel() as stub:
        yield stub


@pytest.mark.parametrize(
    ("case", "statuses"),
    [
        ("openai", ["hit"]),  # it leaves zeros out: the first call says nothing of a cache
        ("streamed", ["hit"]),
        ("anthropic", ["write", "hit"]),
    ],
)
def test_every_call_of_a_tool_loop_costs_what_the_provider_bills(
    sidecar: Costspan, stub: StubModel, case: str, statuses: list[str]
) -> None:
    """Two calls and a tool between them; the agent's sums are in a name space that is no usage."""
    played = sidecar.play(APP, case, stub, 4)
    told = played.decisions.values()
    calls = [call for call in told if call.billed_reason == "leaf"]

    assert len(stub.bill) == 2
    assert played.by_model == accounts(stub.bill)
    assert played.total == total(stub.bill, 4)
    assert said(played, "finops.cache.status") == statuses
    assert {(c.dialect, c.convention, c.agent) for c in calls} == {
        ("pydantic_ai", "inclusive", "researcher")
    }


@pytest.mark.parametrize("names", [{}, {"APP_PLAIN_NAMES": "1"}], ids=["own-names", "plain-names"])
def test_the_sums_of_agents_within_agents_are_not_billed(
    sidecar: Costspan, stub: StubModel, names: dict[str, str]
) -> None:
    """With plain names the outer agent repeats, under the calls' own keys, what both have spent."""
    played = sidecar.play(APP, "delegated", stub, 6, **names)
    editor, writer = played.decided("chat gpt-5"), played.decided("chat claude-haiku-4-5")
    agents = [*played.decided("invoke_agent editor"), *played.decided("invoke_agent writer")]

    assert len(stub.bill) == 3
    assert played.by_model == accounts(stub.bill)
    assert played.total == total(stub.bill, 6)
    assert [call.agent for call in editor + writer] == ["editor", "editor", "writer"]
    assert all(span.billed_reason in {"not_inference", "no_usage"} for span in agents)
    assert len(said(played, "window.financial.total_cost")) == len(stub.bill)


def test_a_failed_run_costs_nothing_that_is_stated(sidecar: Costspan, stub: StubModel) -> None:
    """The SDK tried three times; the call is told of, is not billed, and has no attribute of $0."""
    stub.refuse(*[HTTPStatus.INTERNAL_SERVER_ERROR] * 3)
    played = sidecar.play(APP, "failed", stub, 2)
    (call,) = played.decided("chat gpt-5")

    assert stub.bill == []
    assert len(stub.refused) == 3
    assert (call.billed_reason, call.cost_status) == ("no_usage", "unpriced")
    assert played.by_model == {}
    assert played.total is None
    assert not any("_cost" in key for span in played.spans for key in attributes(span))


def test_what_the_sdk_tries_again_is_billed_once(sidecar: Costspan, stub: StubModel) -> None:
    """429 before the first answer of the loop."""
    stub.refuse(HTTPStatus.TOO_MANY_REQUESTS)
    played = sidecar.play(APP, "openai", stub, 4)

    assert stub.refused == [HTTPStatus.TOO_MANY_REQUESTS]
    assert played.by_model == accounts(stub.bill)
    assert played.total == total(stub.bill, 4)
