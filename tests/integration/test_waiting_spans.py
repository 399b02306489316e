"""Roots and agents' runs that wait for totals, at a collector, from the real process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.demo.line import Line, configuration, free_ports
from costspan.testing import request, span, usage
from integration.accounting import accounts, at_rest
from integration.lines import eventually, otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink, attributes
from integration.prometheus import value
from integration.running_store import RunningStore, count

pytestmark = pytest.mark.slow
ROOT = b"\x0a" * 8
LATER = b"\x0b" * 8
AGENT = "window.financial.agent."
TOTAL = "window.financial.trace.total_cost_exact"
SECOND = 10**9


def waits(seconds: float) -> dict[str, Any]:
    wait = f"{seconds}s"
    return {"trace_totals": {"emit": ["root_span"], "root_grace": wait, "quiet": wait}}


def timed(**more: Any) -> Span:
    now = time.time_ns()
    return span(start_ns=now, end_ns=now + SECOND, **more)


def chat(
    number: int, trace_id: bytes, parent: bytes = ROOT, tokens: tuple[int, int] = (1000, 100)
) -> Span:
    """$2.50 a million tokens in and $10 a million out: $0.0035, unless `tokens` says otherwise."""
    return timed(attributes=usage(*tokens), **ids(number, trace_id, parent))


def run(number: int, trace_id: bytes, name: str, parent: bytes = ROOT) -> Span:
    """An agent's, in whose span no usage is."""
    said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    return timed(attributes=said, name=name, **ids(number, trace_id, parent))


def ids(number: int, trace_id: bytes, parent: bytes) -> dict[str, bytes]:
    return {"span_id": number.to_bytes(8, "big"), "parent_span_id": parent, "trace_id": trace_id}


def trace(number: int) -> bytes:
    return bytes([number]) * 16


def root(number: int) -> Span:
    return timed(span_id=ROOT, trace_id=trace(number), name=f"root {number}")


def runs(sink: OtlpSink) -> dict[str, dict[str, object]]:
    """What was added to agents' spans, by name; each may be there once."""
    found = [(one.name, attributes(one)) for one in sink.spans()]
    said = [(name, each) for name, each in found if "gen_ai.agent.name" in each]
    assert len(dict(said)) == len(said)
    return {name: {k: v for k, v in each.items() if k.startswith(AGENT)} for name, each in said}


def roots(sink: OtlpSink) -> dict[str, dict[str, object]]:
    """Attributes by name; each root may be there once."""
    found = [one for one in sink.spans() if not one.parent_span_id]
    assert len({one.name for one in found}) == len(found)
    return {one.name: attributes(one) for one in found}


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


def test_a_root_carries_the_totals_of_its_trace_and_nobody_else_waits(
    sink: OtlpSink, tmp_path: Path
) -> None:
    """What else came with it is there long before; of a trace without calls it comes plain.

    At rest every item is accounted for.
    """
    processors, exporters = waits(3), {"otlp": otlp(sink.endpoint)}
    with running(tmp_path, exporters, processors=processors) as line:
        export(line.ports.grpc, request(chat(1, trace(1)), root(1)))
        export(line.ports.grpc, request(root(2)))
        sink.wait_for_spans(1)
        assert not roots(sink)
        export(line.ports.grpc, request(chat(2, trace(1))))
        sink.wait_for_spans(4)
        eventually(lambda: at_rest(line.ports.metrics))
        books = accounts(line.ports.metrics)
        assert value(line.ports.metrics, "costspan_held_spans") == 0
    assert {key: account.accepted for key, account in books.items() if account.accepted} == {
        ("otlp", "traces"): 2, ("otlp", "released_spans"): 2,
    }  # fmt: skip
    assert all(account.accepted == account.sent == account.settled for account in books.values())
    found = roots(sink)
    assert found["root 1"][TOTAL] == "0.007"
    assert found["root 2"] == {}


def test_each_outermost_agent_carries_what_it_came_to(sink: OtlpSink, tmp_path: Path) -> None:
    """$0.052 = $0.012 of the supervisor's own + $0.040 that its researcher spent."""
    processors, exporters = waits(1), {"otlp": otlp(sink.endpoint)}
    one, supervisor, researcher = trace(1), b"\0" * 7 + b"\2", b"\0" * 7 + b"\4"
    with running(tmp_path, exporters, processors=processors) as line:
        export(line.ports.grpc, request(chat(5, one, researcher, (12_000, 1_000))))
        export(line.ports.grpc, request(run(4, one, "Researcher", supervisor)))
        export(
            line.ports.grpc,
            request(chat(3, one, supervisor, (4_000, 200)), run(2, one, "Supervisor")),
        )
        sink.wait_for_spans(2)
        assert not runs(sink)
        export(line.ports.grpc, request(root(1)))
        sink.wait_for_spans(5)
    assert roots(sink)["root 1"][TOTAL] == "0.052"
    found = runs(sink)
    told = {
        name: (said[AGENT + "total_cost_exact"], said[AGENT + "own_cost"])
        for name, said in found.items()
    }
    assert told == {"Supervisor": ("0.052", 0.012), "Researcher": ("0.04", 0.04)}
    assert found["Supervisor"][AGENT + "llm_calls"] == 2


def test_a_store_has_every_span_at_once_and_only_once(
    sink: OtlpSink, tmp_path: Path, store: RunningStore, database: str
) -> None:
    """And the row of the call, which came beside the root, names it."""
    exporters = {"otlp": otlp(sink.endpoint), "clickhouse": {"endpoint": store.dsn_of(database)}}
    client = store.client(database)
    with running(tmp_path, exporters, processors=waits(60), drain="10s") as line:
        export(line.ports.grpc, request(chat(1, trace(1)), root(1)))
        eventually(lambda: sum(one.sent for one in accounts(line.ports.metrics).values()) == 3)
        assert not roots(sink)
        assert count(client, "otel_traces") == 2
        rows = client.query("SELECT Version, RootSpanId, TransactionSpanId FROM llm_calls")
    assert roots(sink).keys() == {"root 1"}
    assert count(client, "otel_traces") == 2
    assert rows.result_rows == [(1, ROOT.hex(), ROOT.hex())]


def test_a_stop_lets_every_root_go_with_what_is_known(sink: OtlpSink, tmp_path: Path) -> None:
    processors, exporters = waits(60), {"otlp": otlp(sink.endpoint)}
    with running(tmp_path, exporters, processors=processors) as line:
        export(line.ports.grpc, request(chat(1, trace(1)), root(1)))
        sink.wait_for_spans(1)
        assert line.stop() == 0
    found = roots(sink)
    assert found["root 1"][TOTAL] == "0.0035"
    assert found["root 1"]["window.financial.trace.completion"] == "forced"


def test_what_was_held_at_a_kill_leaves_with_the_next_process(
    sink: OtlpSink, tmp_path: Path
) -> None:
    """Also if that one does not hold roots any more. One that had left does not come again."""
    ports, journal = free_ports(), {"directory": str(tmp_path / "journal")}
    exporters = {"otlp": otlp(sink.endpoint)}
    log, sent = tmp_path / "costspan.log", 1
    holding = configuration(ports, exporters, processors=waits(3), journal=journal, drain="5s")
    plain = configuration(ports, exporters, journal=journal, drain="5s")
    with Line(holding, ports, log) as line:
        export(ports.grpc, request(chat(1, trace(1)), run(9, trace(1), "A"), root(1)))
        export(ports.grpc, request(root(2)))
        while "root 2" not in roots(sink):
            export(ports.grpc, request(chat(2, trace(1))))  # busy: the first one waits
            sent += 1
            sink.wait_for_spans(sent)
        assert "root 1" not in roots(sink)
        assert not runs(sink)
        # what the exporter has not counted yet it may send again
        eventually(lambda: sum(one.sent for one in accounts(ports.metrics).values()) == sent + 1)
        os.kill(line.pid, signal.SIGKILL)
        line.ended(within=10)
    with Line(plain, ports, log):
        sink.wait(lambda: "root 1" in roots(sink))
        export(ports.grpc, request(root(3)))
        sink.wait(lambda: "root 3" in roots(sink))
    assert roots(sink)["root 1"] == runs(sink)["A"] == {}
    assert len(sink.spans()) == sent + 4
