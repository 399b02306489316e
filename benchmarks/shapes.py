"""What the spans of the workloads look like: pools of shapes. Their ids and times come later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.model import Value
from costspan.testing import START, key_values
from costspan.wire import encode_attribute

POOL = 240  # chat shapes; their prompts differ
PROMPT = 2048  # bytes

Fresh = Callable[[Random, str, str], bytes]
"""(random, session, user) to the attributes that are never the same twice."""


class Shape(NamedTuple):
    """A span without its ids, its times and its fresh attributes. All bytes are fields of Span."""

    weight: float
    scope: int
    before: bytes  # name, kind
    after: bytes  # attributes
    fresh: Fresh
    tail: bytes  # events, links, status
    is_call: bool = False


SERVICES = ("checkout-assistant", "support-agent", "search-copilot", "claims-triage")
CHAT_SCOPES = (
    ("opentelemetry.instrumentation.openai_v2", "2.3b0"),
    ("opentelemetry.instrumentation.anthropic", "0.62.4"),
    ("opentelemetry.instrumentation.google_genai", "0.6b0"),
)
MIXED_SCOPES = (
    CHAT_SCOPES[0],
    ("acme.agents", "1.4.0"),
    ("opentelemetry.instrumentation.httpx", "0.66b2"),
)
_MODELS = (  # provider, requested, answered
    ("openai", "gpt-4o", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash"),
)
_SCOPE_OF = {"openai": 0, "anthropic": 1, "gcp.gemini": 2}
_AGENTS = ("planner", "researcher", "writer", "reviewer")
_TOOLS = ("search_orders", "read_file", "run_sql", "send_mail", "fetch_page")
_COLUMNS = "id, total, state, currency, created_at, updated_at"
_SENTENCE = (
    "the order was delayed because of a customs check and the customer asks for a refund of "
    "shipping please look at invoice policy section four before answering in plain words"
)
_WORDS = tuple(_SENTENCE.split())


def chat_shapes(random: Random) -> list[Shape]:
    """W1: model calls of three providers, each in its own scope."""
    return [_chat(random, index, 1.0, one_scope=False) for index in range(POOL)]


def mixed_shapes(random: Random) -> list[Shape]:
    """W2: the first shape is the server span that roots a trace."""
    web = [_http(random, server=index == 0) for index in range(200)]
    database = [_database(random) for _ in range(100)]
    tools = [_tool(random) for _ in range(100)]
    chats = [_chat(random, index, 0.11 / POOL, one_scope=True) for index in range(POOL)]
    others = web + database  # a tenth of the spans are roots, so the rest make up for them
    shared = [shape._replace(weight=0.67 / len(others)) for shape in others]
    return [*shared, *(shape._replace(weight=0.22 / len(tools)) for shape in tools), *chats]


def _chat(random: Random, index: int, weight: float, *, one_scope: bool) -> Shape:
    provider, model, answered = _MODELS[index % len(_MODELS)]
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.model": answered,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.input.messages": _messages(random, "user", PROMPT),
        "gen_ai.agent.name": random.choice(_AGENTS),
    }
    optional = list(_options(random).items())
    attributes |= dict(random.sample(optional, random.randint(0, len(optional))))
    cached = provider != "gcp.gemini" and random.random() < 0.6
    return Shape(
        weight,
        0 if one_scope else _SCOPE_OF[provider],
        _fields(Span(name=f"chat {model}", kind=Span.SPAN_KIND_CLIENT)),
        _attributes(attributes),
        _fresh_cached_chat if cached else _fresh_chat,
        _tail(random),
        is_call=True,
    )


def _options(random: Random) -> dict[str, Value]:
    return {
        "gen_ai.output.messages": _messages(random, "assistant", 480),
        "gen_ai.request.temperature": random.choice((0.0, 0.2, 0.7, 1.0)),
        "gen_ai.request.top_p": 0.95,
        "gen_ai.request.max_tokens": random.choice((512, 1024, 4096)),
        "gen_ai.request.seed": random.randrange(1000),
        "gen_ai.output.type": "text",
        "server.address": f"{random.choice('ab')}.llm-gateway.acme.internal",
        "gen_ai.agent.id": f"agent-{random.randrange(8)}",
        "gen_ai.system_instructions": _text(random, 160),
        "gen_ai.request.frequency_penalty": 0.1,
        "app.feature": random.choice(("refunds", "search", "summary")),
        "app.tenant": f"tenant-{random.randrange(50)}",
    }


def _fresh_chat(random: Random, session: str, user: str) -> bytes:
    return (
        encode_attribute("gen_ai.response.id", f"chatcmpl-{random.getrandbits(116):029x}")
        + encode_attribute("gen_ai.usage.input_tokens", random.randrange(2100, 9000))
        + encode_attribute("gen_ai.usage.output_tokens", random.randrange(20, 2000))
        + encode_attribute("gen_ai.conversation.id", session)
        + encode_attribute("user.id", user)
    )


def _fresh_cached_chat(random: Random, session: str, user: str) -> bytes:
    cached = random.randrange(1024, 2048)
    read = encode_attribute("gen_ai.usage.cache_read.input_tokens", cached)
    return read + _fresh_chat(random, session, user)


def _tool(random: Random) -> Shape:
    tool = random.choice(_TOOLS)
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": _text(random, 60),
        "gen_ai.tool.call.arguments": json.dumps({"query": _text(random, 70), "limit": 20}),
        "gen_ai.tool.call.result": json.dumps({"rows": random.randrange(90), "note": ""}),
        "code.function.name": f"acme.tools.{tool}",
    }
    span = Span(name=f"execute_tool {tool}", kind=Span.SPAN_KIND_INTERNAL)
    return Shape(0, 1, _fields(span), _attributes(attributes), _fresh_tool, _tail(random))


def _fresh_tool(random: Random, _session: str, _user: str) -> bytes:
    return encode_attribute("gen_ai.tool.call.id", f"call_{random.getrandbits(96):024x}")


def _http(random: Random, *, server: bool) -> Shape:
    method, host = random.choice(("GET", "GET", "POST")), f"svc-{random.randrange(9)}.acme.internal"
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "http.response.status_code": random.choice((200, 200, 200, 404, 503)),
        "http.route": f"/v1/{random.choice(('orders', 'items', 'customers'))}/{{id}}",
        "server.address": host,
        "server.port": 8443,
        "user_agent.original": "Mozilla/5.0 (compatible; acme-checkout/2026.11) httpx/0.28.1",
    }
    span = Span(name=method, kind=Span.SPAN_KIND_SERVER if server else Span.SPAN_KIND_CLIENT)
    return Shape(0, 2, _fields(span), _attributes(attributes), _fresh_http, _tail(random))


def _fresh_http(random: Random, session: str, _user: str) -> bytes:
    url = f"https://svc.acme.internal/v1/orders/{random.getrandbits(40)}?trace={session}"
    port = encode_attribute("network.peer.port", random.randrange(20_000, 60_000))
    return encode_attribute("url.full", url) + port


def _database(random: Random) -> Shape:
    table = random.choice(("orders", "customers", "invoices", "shipments"))
    attributes: dict[str, Value] = {
        "db.system.name": "postgresql",
        "db.namespace": "shop",
        "db.operation.name": "SELECT",
        "db.collection.name": table,
        "db.query.text": f"SELECT {_COLUMNS} FROM {table} WHERE customer = $1 LIMIT 20",  # noqa: S608  a value
        "server.address": f"db-{random.randrange(3)}.acme.internal",
        "server.port": 5432,
    }
    span = Span(name=f"SELECT {table}", kind=Span.SPAN_KIND_CLIENT)
    return Shape(0, 2, _fields(span), _attributes(attributes), _fresh_rows, _tail(random))


def _fresh_rows(random: Random, _session: str, _user: str) -> bytes:
    return encode_attribute("db.response.returned_rows", random.getrandbits(31))


def _tail(random: Random) -> bytes:
    """An event on three spans of a hundred, a link on one; some say how they ended."""
    span = Span(flags=0x101)
    if random.random() < 0.03:
        said = {"exception.type": "TimeoutError", "exception.message": _text(random, 40)}
        span.events.add(time_unix_nano=START, name="exception", attributes=key_values(said))
        span.status.code = 2  # type: ignore[assignment]  # an enum on the wire is an int
    if random.random() < 0.01:
        span.links.add(trace_id=random.randbytes(16), span_id=random.randbytes(8))
    return _fields(span)


def _fields(span: Span) -> bytes:
    return span.SerializeToString()


def _attributes(attributes: Mapping[str, Value]) -> bytes:
    return _fields(Span(attributes=key_values(attributes)))


def _messages(random: Random, role: str, size: int) -> str:
    text = _text(random, size - 70)
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _text(random: Random, size: int) -> str:
    return " ".join(random.choices(_WORDS, k=size // 4))[:size]
