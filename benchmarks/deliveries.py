"""What the exporter's loop carries: spans a second and CPU a span, by round trip and consumers.

    python benchmarks/deliveries.py

A backlog in memory goes over gRPC to a server in a process of its own, which answers after a while.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

from costspan.clock import SystemClock
from costspan.exporter.otlp import OtlpGrpc
from costspan.exporter.runner import Runner
from costspan.journal.memory import BACKPRESSURE, MemoryJournal
from costspan.model import TRACES, Frame, ReaderSpec
from costspan.telemetry import Telemetry
from costspan.testing import frame, request, span

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_ROUND_TRIPS = (0.0, 0.02, 0.1)  # seconds
_CONSUMERS = (1, 2, 4, 8)
_SPANS = 512  # of a request
_REQUESTS = 600
_BATCH = 512 * 1024  # bytes: some four requests
_SECOND = 1_000_000_000


def serve(seconds: float) -> None:
    """Take everything after so many seconds; print the port first."""

    def take(_body: bytes, _context: grpc.ServicerContext) -> bytes:
        threading.Event().wait(seconds)
        return b""

    server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", -1)])
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(take)
    handler = grpc.method_handlers_generic_handler(_SERVICE, {"Export": method})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


@contextmanager
def destination(seconds: float) -> Iterator[int]:
    """The port of a server in a process of its own."""
    command = [sys.executable, __file__, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  (this file)
        try:
            yield int(process.stdout.readline()) if process.stdout else 0
        finally:
            process.kill()


def deliver(frames: Sequence[Frame], port: int, consumers: int) -> tuple[float, float]:
    """Seconds and CPU seconds until everything is confirmed."""
    telemetry, clock = Telemetry(), SystemClock()
    out = OtlpGrpc("otlp", f"http://127.0.0.1:{port}")
    reader = ReaderSpec("otlp", out.takes, BACKPRESSURE)
    journal = MemoryJournal([reader], sys.maxsize, telemetry, clock)
    journal.append(frames)
    runner = Runner(
        *(out, journal, telemetry, clock), max_batch_bytes=_BATCH, linger=0.0, consumers=consumers
    )
    runner.drain(clock.monotonic() + 600 * _SECOND)
    started, used = time.perf_counter(), time.process_time()
    runner.start()
    runner.wait(600)
    figures = time.perf_counter() - started, time.process_time() - used
    out.close()
    if telemetry.sent.exact("otlp", TRACES) != sum(each.items for each in frames):
        raise RuntimeError("not everything was confirmed")
    return figures


def main() -> None:
    """Print a table."""
    body = request(*(span({"http.route": "/orders/{id}"}, name="GET") for _ in range(_SPANS)))
    frames = [frame(body, items=_SPANS)] * _REQUESTS
    print("round trip   consumers   spans/s   CPU us/span")
    for seconds in _ROUND_TRIPS:
        with destination(seconds) as port:
            for consumers in _CONSUMERS:
                wall, cpu = deliver(frames, port, consumers)
                spans = _SPANS * _REQUESTS
                print(
                    f"{seconds * 1000:7.0f} ms {consumers:11} {spans / wall:9.0f}"
                    f" {cpu / spans * 1e6:13.2f}"
                )


if __name__ == "__main__":
    serve(float(sys.argv[1])) if len(sys.argv) > 1 else main()
