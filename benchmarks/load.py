"""The load generator: a process of its own that sends requests encoded beforehand, and times acks.

Closed loop: every caller sends its next request as soon as the last is acked. Open loop: requests
fall due at a fixed rate, and a latency counts from the instant when its request was due, so that a
slow answer can't hide those that had to wait behind it.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple, Self, TypeAlias

import grpc
from workloads import Request, Workload

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_Export: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"  # generic in its stubs only
_UNLIMITED: list[tuple[str, int]] = [("grpc.max_send_message_length", -1)]
_ATTEMPT_SECONDS = 60.0
_BACK_OFF = 0.05  # seconds; far below RetryInfo's: a refusal shall not idle the measurement


class Supply(NamedTuple):
    """What to encode before anything is sent."""

    workload: str
    spans: int  # per request
    max_bytes: int
    seed: int = 1


class Orders(NamedTuple):
    """What to send: for so long, or until the supply is used up."""

    seconds: float
    callers: int = 8
    requests_per_second: float = 0.0  # 0: closed loop
    at_most: int = 1 << 30  # requests


class Report(NamedTuple):
    """What was acked. Latencies in seconds, sorted."""

    requests: int
    spans: int
    calls: int
    bytes: int
    refusals: int  # retryable answers; the request was sent again
    seconds: float
    latencies: list[float]

    def latency(self, share: float) -> float:
        """The latency below which this share of the acks lies; NaN if there was none."""
        if not self.latencies:
            return float("nan")
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


class Generator:
    """The generator's process. It encodes once and may load one address after another."""

    def __init__(self, supply: Supply) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, far_end = context.Pipe()
        self._process = context.Process(target=_main, args=(far_end, supply), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._control.recv()  # all is encoded
        return self

    def __exit__(self, *_: object) -> None:
        self._control.send(None)
        self._process.join()

    def load(self, address: str) -> Load:
        """A load for one address."""
        return Load(self._control, address)


class Load:
    """What one address gets, from the supply's first request on: no request goes there twice."""

    def __init__(self, control: Connection, address: str) -> None:
        self._control = control
        self._address = address
        self._taken = 0

    def send(self, orders: Orders) -> Report:
        """Send and return when every ack is there."""
        self._control.send((self._address, self._taken, orders))
        taken, report = self._control.recv()
        self._taken += taken
        if not isinstance(report, Report):
            raise TypeError(f"expected a report of the load, saw {report!r}")
        return report


def _main(control: Connection, supply: Supply) -> None:
    made = Workload(supply.workload, supply.seed).requests(supply.spans, supply.max_bytes)
    control.send(len(made))
    while (message := control.recv()) is not None:
        address, start, orders = message
        with grpc.insecure_channel(address, options=_UNLIMITED) as channel:
            export: _Export = channel.unary_unary(EXPORT)
            sending = _Sending(export, made[start:], orders)
            report = sending.run()
        control.send((sending.taken, report))


class _Sending:
    """One set of orders: the callers and what they saw."""

    def __init__(
        self,
        export: _Export,
        supply: Sequence[Request],
        orders: Orders,
    ) -> None:
        self.taken = 0
        self._export = export
        self._supply = supply[: orders.at_most]
        self._orders = orders
        self._lock = threading.Lock()
        self._pause = threading.Event()
        self._begin = 0.0
        self._acked: list[tuple[Request, float]] = []
        self._refusals = 0

    def run(self) -> Report:
        callers = [threading.Thread(target=self._call) for _ in range(self._orders.callers)]
        self._begin = time.perf_counter()
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        seconds = time.perf_counter() - self._begin
        requests = [request for request, _ in self._acked]
        return Report(
            requests=len(requests),
            spans=sum(request.spans for request in requests),
            calls=sum(request.calls for request in requests),
            bytes=sum(len(request.body) for request in requests),
            refusals=self._refusals,
            seconds=seconds,
            latencies=sorted(latency for _, latency in self._acked),
        )

    def _call(self) -> None:
        while (taken := self._take()) is not None:
            request, due = taken
            self._pause.wait(max(0.0, due - time.perf_counter()))
            since = due or time.perf_counter()
            self._deliver(request.body)
            self._acked.append((request, time.perf_counter() - since))

    def _take(self) -> tuple[Request, float] | None:
        """The next request and when it is due (0 = now); None at the end."""
        orders = self._orders
        with self._lock:
            index, rate = self.taken, orders.requests_per_second
            due = self._begin + index / rate if rate else 0.0
            end = self._begin + orders.seconds
            if index >= len(self._supply) or (due or time.perf_counter()) >= end:
                return None
            self.taken += 1
            return self._supply[index], due

    def _deliver(self, body: bytes) -> None:
        while True:
            try:
                self._export(body, timeout=_ATTEMPT_SECONDS)
            except grpc.RpcError as refusal:
                if refusal.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                self._refusals += 1
                self._pause.wait(_BACK_OFF)
            else:
                return
