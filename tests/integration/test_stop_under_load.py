"""SIGTERM while clients send: every ack is kept, every refusal is one to come back after."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from costspan.demo.line import Line
from integration.both_ends import Arrivals, Stored
from integration.lines import eventually, otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink
from integration.running_store import RunningStore
from integration.steady_load import SPANS, SteadyLoad, nth

pytestmark = pytest.mark.slow

CLIENTS = 6
HALF = b"POST /v1/traces HTTP/1.1\r\nHost: us\r\nContent-Type: application/x-protobuf\r\n"
HALF += b"Content-Length: 1000\r\n\r\nhalf of it"


@contextmanager
def half_a_request(line: Line) -> Iterator[socket.socket]:
    """A client that sends so slowly that no shutdown can wait for it."""
    with socket.create_connection(("127.0.0.1", line.ports.http), timeout=20) as client:
        client.sendall(HALF)
        yield client


def test_clients_that_never_stop_sending_lose_nothing(tmp_path: Path) -> None:
    """Whoever meets the end is refused retryably, or the load ends with the code that it saw."""
    with ExitStack() as stack:
        sink = stack.enter_context(OtlpSink())
        line = stack.enter_context(running(tmp_path, {"otlp": otlp(sink.endpoint)}, drain="10s"))
        loads = [
            SteadyLoad(line.ports.grpc, f"client{n}", requests_per_second=100, first=n << 16)
            for n in range(CLIENTS)
        ]
        for load in loads:
            stack.enter_context(load)
        eventually(lambda: all(load.books().spans for load in loads))
        code = line.stop()
        eventually(lambda: all(load.refusals for load in loads))
        line.start()
        for load in loads:
            load.stop()
        acked = {id_ for load in loads for id_ in load.books().spans}
        arrivals = Arrivals(lambda: sink.bodies("traces"))
        eventually(lambda: acked <= arrivals.counts().keys())

    assert code == 0


def test_a_request_that_is_still_on_its_way_is_asked_for_again(tmp_path: Path) -> None:
    """503 and not 500, which would make its client throw the spans away."""
    with OtlpSink() as sink, running(tmp_path, {"otlp": otlp(sink.endpoint)}) as line:
        with half_a_request(line) as client:
            stopping = threading.Thread(target=line.stop)
            stopping.start()
            answer = client.recv(4096)
        stopping.join()

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after" in answer


def test_a_slow_client_does_not_eat_the_time_to_deliver(
    tmp_path: Path, store: RunningStore, database: str
) -> None:
    """The drain's time begins when nothing comes in any more: open traces are still totalled."""
    clickhouse = {"endpoint": store.dsn_of(database)}
    totals = {"trace_totals": {"root_grace": "60s", "quiet": "60s"}}
    with running(tmp_path, {"clickhouse": clickhouse}, processors=totals, drain="2s") as line:
        sent = nth("slow", 0, time.time_ns())
        export(line.ports.grpc, sent.body)
        with half_a_request(line):
            code = line.stop()

    assert code == 0
    assert Stored(store.client(database)).totals().spans == SPANS


def test_a_second_sigterm_ends_the_wait_for_a_dead_destination(tmp_path: Path) -> None:
    """What is left is said, and in the journal it stays."""
    with OtlpSink() as sink:
        dead = otlp(sink.endpoint)
    journal = {"directory": str(tmp_path / "journal")}
    exporters = {"otlp": dead}
    with running(tmp_path, exporters, journal=journal, drain="600s") as line:
        export(line.ports.grpc, nth("client", 1, time.time_ns()).body)
        os.kill(line.pid, signal.SIGTERM)
        eventually(lambda: not line.ready())
        assert line.ended(within=0.5) is None
        os.kill(line.pid, signal.SIGTERM)
        assert line.ended(within=60) == 0
    last = line.last_words()
    assert "items were left in the journal" in last, last
    with OtlpSink(sink.port) as again, running(tmp_path, exporters, journal=journal):
        again.wait_for_spans(SPANS)
