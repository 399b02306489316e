"""Traffic as applications make it, and its bill typed by hand. No network, no pricing of ours.

The bills come from the providers' public price pages, US dollars per million tokens:
openai.com/api/pricing and docs.claude.com/en/docs/about-claude/pricing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from typing import NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.model import Value
from costspan.testing import request, span
from integration.otlp_sink import attributes

EXACT = "window.financial.total_cost_exact"
_serial = count(1)
_TRACES_A_REQUEST = 4


class Call(NamedTuple):
    """A model call as the GenAI conventions write it (cached tokens lie inside the input)."""

    provider: str
    model: str
    tokens: Mapping[str, int]
    usd: str | None  # None: nobody publishes a price
    operation: str = "chat"

    @property
    def attributes(self) -> dict[str, Value]:
        usage = {f"gen_ai.usage.{key}": tokens for key, tokens in self.tokens.items()}
        return {
            "gen_ai.operation.name": self.operation,
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": self.model,
            "gen_ai.response.model": self.model,
            **usage,
        }


CALLS = (
    # 2.50 in, 10.00 out: 1 000 x 2.50 + 100 x 10 = 3 500
    Call("openai", "gpt-4o-2024-08-06", {"input_tokens": 1_000, "output_tokens": 100}, "0.0035"),
    # 1.25 in, 0.125 cached, 10.00 out: 976 x 1.25 + 1 024 x 0.125 + 300 x 10 = 4 348
    Call(
        "openai",
        "gpt-5-2025-08-07",
        {"input_tokens": 2_000, "cache_read.input_tokens": 1_024, "output_tokens": 300},
        "0.004348",
    ),
    # 3 in, 0.30 cached, 15 out: 2 000 x 3 + 10 000 x 0.30 + 500 x 15 = 16 500
    Call(
        "anthropic",
        "claude-sonnet-4-5-20250929",
        {"input_tokens": 12_000, "cache_read.input_tokens": 10_000, "output_tokens": 500},
        "0.0165",
    ),
    # 1 in, 1.25 written to the cache, 5 out: 200 x 1 + 1 000 x 1.25 + 50 x 5 = 1 700
    Call(
        "anthropic",
        "claude-haiku-4-5-20251001",
        {"input_tokens": 1_200, "cache_creation.input_tokens": 1_000, "output_tokens": 50},
        "0.0017",
    ),
    # 0.02 in: 8 000 x 0.02 = 160
    Call("openai", "text-embedding-3-small", {"input_tokens": 8_000}, "0.00016", "embeddings"),
    Call("acme", "in-house-7b", {"input_tokens": 700, "output_tokens": 70}, None),
)
# 12 of them and 6 calls a trace: a third of the spans use a model
_OTHERS: list[tuple[str, dict[str, Value]]] = [
    ("POST /answer", {"http.request.method": "POST", "http.response.status_code": 200}),
    ("invoke_agent helper", {"gen_ai.operation.name": "invoke_agent"}),
]
_OTHERS += [(f"execute_tool {tool}", {"gen_ai.tool.name": tool}) for tool in ("ask", "mail", "sql")]
_OTHERS += [("SELECT docs", {"db.system.name": "postgresql", "db.rows": n}) for n in range(4)]
_OTHERS += [("GET", {"url.full": f"https://example.org/{n}", "load": n / 3}) for n in range(3)]


class Traffic:
    """So many traces of 18 spans. `requests` are ready to send; `sent` and `bill`: by span id."""

    def __init__(self, traces: int, *, filler: int = 0) -> None:
        self.sent: dict[bytes, Span] = {}
        self.bill: dict[bytes, str | None] = {}
        spans = [list(self._trace("x" * filler)) for _ in range(traces)]
        self.requests = [
            request(*(each for trace in spans[at : at + _TRACES_A_REQUEST] for each in trace))
            for at in range(0, traces, _TRACES_A_REQUEST)
        ]
        self.one_request = request(*self.sent.values())

    def mine(self, spans: list[Span]) -> list[Span]:
        """Those of `spans` that belong to this traffic."""
        return [each for each in spans if each.span_id in self.sent]

    def assert_once(self, spans: list[Span]) -> None:
        """Each was sent and each arrived, none twice."""
        assert Counter(each.span_id for each in spans) == Counter(list(self.sent))

    def assert_priced(self, spans: list[Span]) -> None:
        """Every model call carries the cost that its bill says, or none where nobody knows."""
        costs = {each.span_id: attributes(each).get(EXACT) for each in spans}
        assert {span_id: costs[span_id] for span_id in self.bill} == self.bill

    def _trace(self, filler: str) -> Iterator[Span]:
        trace = next(_serial).to_bytes(16, "big")
        parent = b""
        more: dict[str, Value] = {"filler": filler} if filler else {}
        for name, own in _OTHERS:
            made = self._span(trace, parent, name, {**own, **more})
            parent = parent or made.span_id
            yield made
        for call in CALLS:
            made = self._span(trace, parent, f"{call.operation} {call.model}", call.attributes)
            self.bill[made.span_id] = call.usd
            yield made

    def _span(self, trace: bytes, parent: bytes, name: str, attributes: dict[str, Value]) -> Span:
        span_id = next(_serial).to_bytes(8, "big")
        made = span(attributes, trace_id=trace, span_id=span_id, parent_span_id=parent, name=name)
        self.sent[span_id] = made
        return made
