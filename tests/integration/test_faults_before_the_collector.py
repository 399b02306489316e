"""The real Collector behind a connection that breaks, and with small limits on a message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from costspan.demo.line import free_ports
from costspan.testing import request, span, usage
from integration.accounting import Account, accounts, at_rest
from integration.both_ends import Arrivals
from integration.collector import Collector
from integration.fault_proxy import Fault, FaultProxy
from integration.lines import eventually, otlp, running
from integration.otlp_client import exporting
from integration.otlp_sink import OtlpSink
from integration.prometheus import value
from integration.steady_load import SteadyLoad

pytestmark = [pytest.mark.slow, pytest.mark.collector]

CONFIG = Path(__file__).parent / "configs" / "collector-limited.yaml"
FAILURES = "costspan_exporter_send_failures_total"
OFTEN = 2
LARGE, REQUESTS = 500, 5  # spans of a request, about 2.5 MB of them


@contextmanager
def collector_to(sink: OtlpSink, otelcol: Path, directory: Path, limit: int = 64) -> Iterator[int]:
    """A Collector in front of the sink; its port. `limit`: MiB of a message."""
    ports = free_ports()
    environment = {
        "COLLECTOR_IN": str(ports.grpc),
        "COLLECTOR_OUT": str(sink.port),
        "COLLECTOR_HEALTH": str(ports.health),
        "COLLECTOR_LIMIT": str(limit),
    }
    log = directory / "collector.log"
    with Collector(otelcol, CONFIG, health=ports.health, log=log, environment=environment):
        yield ports.grpc


def spans_account(port: int) -> Account:
    return accounts(port)["otlp", "traces"]


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.RESET, Fault.CUT, Fault.HANG, Fault.SLOW])
def test_the_collector_gets_all_that_was_acked(otelcol: Path, tmp_path: Path, fault: Fault) -> None:
    """Under load; what is slow arrives within its time or is sent again."""
    with ExitStack() as stack:
        sink = stack.enter_context(OtlpSink())
        collector = stack.enter_context(collector_to(sink, otelcol, tmp_path))
        proxy = stack.enter_context(FaultProxy(collector))
        end = {"otlp": {**otlp(proxy.endpoint), "timeout": "1s"}}
        line = stack.enter_context(running(tmp_path, end))
        load = stack.enter_context(SteadyLoad(line.ports.grpc, "fault", requests_per_second=40))
        metrics = line.ports.metrics
        eventually(lambda: sink.received)
        proxy.ail(fault)
        if fault in (Fault.REFUSE, Fault.HANG):
            eventually(lambda: value(metrics, FAILURES) >= OFTEN)
        else:
            eventually(lambda: proxy.hits[fault] >= OFTEN)
        proxy.heal()
        load.stop()
        eventually(lambda: at_rest(metrics))
        account = spans_account(metrics)
        arrived = Arrivals(lambda: sink.bodies("traces")).counts()

    assert proxy.hits[fault] >= 1
    assert arrived.keys() == load.books().spans.keys()
    assert account.accepted == account.sent == account.settled == len(arrived)


def large(number: int) -> bytes:
    """A request of about 2.5 MB."""
    filler: dict[str, Any] = {**usage(), "prompt": "x" * 5_000}
    return request(*(span(filler, name=f"{number}/{n}") for n in range(LARGE)))


@pytest.mark.parametrize("limit", [4, 1])
def test_messages_keep_to_what_the_collector_takes(
    otelcol: Path, tmp_path: Path, limit: int
) -> None:
    """Its default, and one below the client's own requests: those are cut in pieces."""
    with ExitStack() as stack:
        sink = stack.enter_context(OtlpSink())
        collector = stack.enter_context(collector_to(sink, otelcol, tmp_path, limit))
        line = stack.enter_context(running(tmp_path, {"otlp": otlp(f"127.0.0.1:{collector}")}))
        with exporting(line.ports.grpc) as export:
            for number in range(REQUESTS):
                export(large(number))
        metrics = line.ports.metrics
        eventually(lambda: at_rest(metrics))
        account = spans_account(metrics)
        names = sorted(each.name for each in sink.spans())

    assert names == sorted(f"{number}/{n}" for number in range(REQUESTS) for n in range(LARGE))
    assert account.sent == account.accepted == REQUESTS * LARGE
    assert max(map(len, sink.bodies("traces"))) < limit << 20
