"""A steady stream of spans into an OTLP/gRPC port, and the books of what was acked. No judgement.

It does what an exporter must: a retryable answer means the same request again, so an id is acked
once, and what was never acked is in no book.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, Self

import grpc

from costspan.demo.models import GPT, MINI, Model, Tokens
from costspan.model import Value
from costspan.testing import request, span, usage
from integration.otlp_client import METHODS

SPANS = 25  # of a request: one trace, an agent's run and a third of model calls below it
_RUN = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "job"}
_MODELS = (GPT, MINI)
_EVERY_THIRD = 3
_TRY_AGAIN = 0.1  # seconds
_PATIENCE = 60.0  # seconds for the last request, once the load shall stop
_MILLISECOND = 1_000_000
_NOBODY = "failed to connect"  # C-core's words for a request that left no byte of itself anywhere
# a server that comes back is noticed at once
_SOON = [(f"grpc.{name}_reconnect_backoff_ms", 100) for name in ("initial", "min", "max")]
# opentelemetry-proto, docs/specification.md, "Failures": any other code makes a client drop
RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class Call(NamedTuple):
    """What one model call used."""

    model: Model
    tokens: Tokens

    @property
    def cost(self) -> Decimal:
        """US dollars by the price that was typed by hand."""
        assert self.model.price is not None
        return self.model.price.cost(self.tokens)

    def attributes(self) -> dict[str, Value]:
        cached: dict[str, Value] = {
            "gen_ai.usage.cache_read.input_tokens": self.tokens.cache_read,
            "prompt": "x" * 400,
        }
        return {
            **usage(self.tokens.prompt, self.tokens.output, self.model.response),
            **cached,
        }


class Sent(NamedTuple):
    """One request: its bytes, and per span id (hex) the model call, None for a plain span."""

    trace_id: bytes
    body: bytes
    spans: Mapping[str, Call | None]


class Books(NamedTuple):
    """What was acked up to some moment, by span id (hex)."""

    spans: Mapping[str, Call | None]

    @property
    def costs(self) -> dict[str, Decimal]:
        """US dollars of every model call."""
        return {id_: call.cost for id_, call in self.spans.items() if call is not None}

    @property
    def cost(self) -> Decimal:
        """The sum of it."""
        return sum(self.costs.values(), Decimal(0))

    def cost_by_bucket(self) -> dict[tuple[str, str], Decimal]:
        """US dollars by model and bucket."""
        sums: dict[tuple[str, str], Decimal] = {}
        for call in filter(None, self.spans.values()):
            price = call.model.price
            assert price is not None
            for bucket, tokens, rate in (
                ("input", call.tokens.fresh, price.fresh),
                ("cache_read", call.tokens.cache_read, price.cache_read),
                ("output", call.tokens.output, price.output),
            ):
                key = (call.model.request, bucket)  # that is what the price book calls it
                sums[key] = sums.get(key, Decimal(0)) + tokens * rate / 1_000_000
        return sums


def nth(service: str, number: int, now_ns: int, requests: int = 1) -> Sent:
    """The n-th request of a service: span ids that no other request has.

    So many `requests` make a trace; the last of them brings its root.
    """
    trace = number // requests
    trace_id = service.encode().ljust(8, b".")[:8] + trace.to_bytes(8)
    root, top = _span_id((trace + 1) * requests - 1, 0), _span_id(number, 0)
    above = b"" if top == root else root
    spans = [
        span(
            _RUN,
            trace_id=trace_id,
            span_id=top,
            parent_span_id=above,
            name="job",
            kind=1,
            start_ns=now_ns,
        )
    ]
    calls: dict[str, Call | None] = {top.hex(): None}
    for ordinal in range(1, SPANS):
        own = _span_id(number, ordinal)
        call = _call(number, ordinal) if ordinal % _EVERY_THIRD == 0 else None
        calls[own.hex()] = call
        made = span(
            call.attributes() if call else {"http.request.method": "GET"},
            trace_id=trace_id,
            span_id=own,
            parent_span_id=top,
            name="chat" if call else "GET",
            start_ns=now_ns,
        )
        spans.append(made)
    for each in spans:
        each.end_time_unix_nano = now_ns + _MILLISECOND
    return Sent(trace_id, request(*spans, service=service), calls)


def _span_id(number: int, ordinal: int) -> bytes:
    return (number << 16 | ordinal + 1).to_bytes(8)


def _call(number: int, ordinal: int) -> Call:
    """Token counts that are hardly ever the same twice."""
    tokens = Tokens(
        fresh=100 + number * 31 % 977,
        cache_read=(number + ordinal) * 17 % 499,
        output=10 + (number * 13 + ordinal) % 307,
    )
    return Call(_MODELS[(number + ordinal) % len(_MODELS)], tokens)


class SteadyLoad:
    """`with SteadyLoad(port, "shop") as load:`; at the end the last request is acked too.

    `first` is the number of the first request: loads beside each other need ranges of their own.
    `requests_per_trace` as in `nth`.
    """

    def __init__(
        self,
        port: int,
        service: str,
        *,
        requests_per_second: float = 10.0,
        first: int = 0,
        requests_per_trace: int = 1,
    ) -> None:
        self.service = service
        self.answers: Counter[grpc.StatusCode] = Counter()
        self.doubtful: set[str] = set()  # spans (hex) of requests whose ack may have been lost
        self.slowest = 0.0  # seconds from the first attempt to the ack
        self._interval = 1 / requests_per_second
        self._port = port
        self._first = first
        self._reached = False  # the latest attempt found somebody who may have taken it
        self._per_trace = requests_per_trace
        self._acked: dict[str, Call | None] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"load-{service}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no further request. Safe to call twice."""
        self._stopping.set()
        self._thread.join()

    @property
    def refusals(self) -> int:
        """Answers that were no ack."""
        return self.answers.total() - self.answers[grpc.StatusCode.OK]

    def books(self) -> Books:
        """What is acked by now."""
        with self._lock:
            return Books(dict(self._acked))

    def _run(self) -> None:
        number, due = self._first, time.monotonic()
        with grpc.insecure_channel(f"127.0.0.1:{self._port}", options=_SOON) as channel:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                METHODS["traces"]
            )
            while not self._stopping.wait(max(0.0, due - time.monotonic())):
                sent = nth(self.service, number, time.time_ns(), self._per_trace)
                self._hand_over(export, sent)
                number, due = number + 1, due + self._interval

    def _hand_over(self, export: grpc.UnaryUnaryMultiCallable[bytes, bytes], sent: Sent) -> None:
        """Send until it is acked. An answer that makes a client drop ends the load, loudly."""
        began, pause = time.monotonic(), threading.Event()
        while not self._acks(export, sent.body):
            if self._reached:
                self.doubtful |= sent.spans.keys()
            late = self._stopping.is_set() and time.monotonic() - began > _PATIENCE
            assert not late, f"no ack within {_PATIENCE} s: {self.answers}"
            pause.wait(_TRY_AGAIN)
        self.slowest = max(self.slowest, time.monotonic() - began)
        with self._lock:
            self._acked.update(sent.spans)

    def _acks(self, export: grpc.UnaryUnaryMultiCallable[bytes, bytes], body: bytes) -> bool:
        try:
            export(body, timeout=5)
        except grpc.RpcError as error:
            self.answers[error.code()] += 1
            self._reached = _NOBODY not in (error.details() or "")
            if error.code() not in RETRYABLE:
                raise
            return False
        self.answers[grpc.StatusCode.OK] += 1
        return True
