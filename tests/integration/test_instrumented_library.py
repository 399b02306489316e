"""Real SDKs of model providers, really instrumented, against a model server with its own bill.

Nothing here states what a span should look like: the provider's bill, at prices typed by hand, is
what costspan has to arrive at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from costspan.demo.line import Line
from integration.lines import eventually, otlp, running
from integration.model_calls import cost, costs_on, run
from integration.otlp_sink import OtlpSink, attributes
from integration.prometheus import value
from integration.stub_model import StubModel

pytestmark = pytest.mark.slow
APP = Path(__file__).with_name("instrumented_app.py")


@pytest.fixture
def stub() -> Iterator[StubModel]:
    with StubModel() as stub:
        yield stub


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


@pytest.fixture
def line(sink: OtlpSink, tmp_path: Path) -> Iterator[Line]:
    with running(tmp_path, {"otlp": otlp(sink.endpoint)}) as line:
        yield line


@pytest.mark.parametrize(("what", "calls"), [("openai", 4), ("anthropic", 2)])
def test_every_call_costs_what_the_provider_bills(
    line: Line, stub: StubModel, sink: OtlpSink, what: str, calls: int
) -> None:
    """Streams, cached prompts and embeddings too; the metric agrees to the last double."""
    run(APP, what, line, stub)
    spans = sink.wait_for_spans(calls + 1)
    bill = [cost(each) for each in stub.bill]

    assert len(bill) == calls
    assert costs_on(spans) == bill
    assert value(line.ports.metrics, "costspan_cost_usd_total") == pytest.approx(float(sum(bill)))
    assert value(line.ports.metrics, "costspan_calls_total") == calls


def test_a_call_that_two_libraries_report_is_billed_once(
    line: Line, stub: StubModel, sink: OtlpSink
) -> None:
    """The SDK's own span lies inside that of the instrumentation; the ledger takes one back."""
    run(APP, "doubled", line, stub)
    spans = sink.wait_for_spans(5)
    carrying = [s for s in spans if "gen_ai.usage.output_tokens" in attributes(s)]
    billed = float(sum(cost(each) for each in stub.bill))

    def net() -> float:
        counted = value(line.ports.metrics, "costspan_cost_usd_total")
        return counted - value(line.ports.metrics, "costspan_cost_retracted_usd_total")

    assert len(carrying) == 2 * len(stub.bill) == 4
    assert eventually(lambda: net() == pytest.approx(billed))
