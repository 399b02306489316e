"""Records, heads and frames of traces for the tests of the ledger. No assertions here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from costspan.model import (
    LEAF,
    TRACES,
    Charge,
    Frame,
    Identity,
    Line,
    LlmCall,
    encode_calls,
)
from costspan.testing import request
from costspan.testing import span as otlp_span
from costspan.wire import HEAD, Head

TRACE = b"\x01" * 16
SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
DOLLAR = 10**18


def ident(number: int) -> bytes:
    """A span id; 0 is no span."""
    return number.to_bytes(8, "big")


class Span(NamedTuple):
    """A span of a test: its head and, if it has one, its record."""

    head: Head
    call: LlmCall | None


def span(
    number: int,
    parent: int = 0,
    *,
    trace: bytes = TRACE,
    start: float = 0.0,
    end: float = 1.0,
    status: int = 0,
    call: LlmCall | None = None,
) -> Span:
    """A span that begins and ends so many seconds after START."""
    begin, finish = START + round(start * SECOND), START + round(end * SECOND)
    head = Head(trace, ident(number), ident(parent), begin, finish, 0, 1, status)
    if call is not None:
        call.trace_id, call.span_id = trace, ident(number)
        call.parent_span_id = ident(parent) if parent else b""
        call.start_ns, call.end_ns, call.status = begin, finish, status
    return Span(head, call)


def record(
    tokens_in: int | None = 100,
    tokens_out: int = 10,
    *,
    role: str = LEAF,
    response_id: str = "",
    cost: int | None = None,
    model: str = "m",
    service: str = "app",
    usage: Mapping[str, int] | None = None,
    **who: Any,
) -> LlmCall:
    """A record; unless `cost` (attos) is said, a token in costs 1 atto and a token out 10."""
    buckets = dict(usage) if usage is not None else None
    if buckets is None and tokens_in is not None:
        buckets = {"input": tokens_in, "output": tokens_out}
    return LlmCall(
        ordinal=0,
        trace_id=TRACE,
        span_id=b"",
        parent_span_id=b"",
        name="chat m",
        kind=3,
        start_ns=0,
        end_ns=0,
        status=0,
        scope_name="test",
        scope_version="1",
        service=service,
        dialect="genai",
        convention="inclusive",
        decided_by="default",
        operation="chat",
        provider="openai",
        request_model=model,
        response_model=model,
        response_id=response_id,
        role=role,
        usage=buckets,
        cache_status="",
        context={},
        identity=Identity(**who),
        charge=charge(buckets, model, cost),
        billed=role == LEAF and buckets is not None,
        billed_reason=LEAF if role == LEAF else "not_inference",
    )


def charge(buckets: Mapping[str, int] | None, model: str, cost: int | None = None) -> Charge:
    """What `record` costs."""
    if buckets is None and cost is None:
        return Charge("unpriced", "no_usage")
    if cost is not None:
        lines: tuple[Line, ...] = (Line("input", 1, str(cost), str(cost)),)
    else:
        rates = {"input": 1, "output": 10}
        lines = tuple(
            Line(unit, count, str(rates.get(unit, 2)), str(count * rates.get(unit, 2)))
            for unit, count in (buckets or {}).items()
        )
    total = sum(int(line.usd) for line in lines)
    return Charge("priced", "", str(total), str(total), "3", lines, "book;sku", model)


def heads(spans: Sequence[Span]) -> bytes:
    """As `wire.heads` packs them."""
    return b"".join(HEAD.pack(*one.head) for one in spans)


def calls(spans: Sequence[Span]) -> list[LlmCall]:
    return [one.call for one in spans if one.call is not None]


def frame(seq: int, spans: Sequence[Span], received_ns: int = START) -> Frame:
    """A frame as the journal hands it out; its body is not read by the ledger."""
    return Frame(seq, received_ns, TRACES, 0, (), b"", encode_calls(calls(spans)), len(spans))


def span_of(one: Span, trace: bytes) -> Span:
    """The same span in another trace."""
    if one.call is not None:
        one.call.trace_id = trace
    return Span(one.head._replace(trace_id=trace), one.call)


def body_of(spans: Sequence[Span]) -> bytes:
    """The request whose heads they are."""
    return request(
        *(
            otlp_span(
                trace_id=one.head.trace_id,
                span_id=one.head.span_id,
                parent_span_id=one.head.parent_span_id if any(one.head.parent_span_id) else b"",
                start_ns=one.head.start_ns,
                end_ns=one.head.end_ns,
                kind=one.head.kind,
                status=one.head.status,
                flags=one.head.flags,
            )
            for one in spans
        )
    )
