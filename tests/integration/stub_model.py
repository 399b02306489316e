"""A model server on loopback: the APIs of OpenAI, Anthropic and Gemini. It keeps the bill.

Its answers follow from the request alone and from the prompts it has seen: a system prompt that
comes again is served from the cache, a request with tools is answered with a call of the first one
until it brings a result. `bill` is what a provider would charge for; it never sees a span.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from costspan.demo.models import Tokens
from integration import stub_gemini as gemini
from integration import stub_responses as responses

_OPENAI_DATES = {"gpt-5": "gpt-5-2025-08-07", "gpt-5-mini": "gpt-5-mini-2025-08-07"}
_SYSTEM = ("system", "developer")  # the newer name, which Vercel's SDK uses for GPT-5
_CACHED = 1024  # what a prompt cache that nobody asked for serves of a system prompt it knows
_ARGUMENTS = '{"question": "six times seven"}'  # of every tool call
_WORDS = ["The", " answer", " is", " forty", "-two", "."]


class Billed(NamedTuple):
    """One line of the provider's bill."""

    provider: str
    model: str
    tokens: Tokens


class StubModel:
    """The server. `with StubModel() as stub:` and point an SDK at `stub.openai` or `.anthropic`.

    Gemini's base URL is that of Anthropic.
    """

    def __init__(self) -> None:
        self.bill: list[Billed] = []
        self.refused: list[HTTPStatus] = []  # what `refuse` asked for and a client got
        self._refusals: deque[HTTPStatus] = deque()
        self._known: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, name="stub-model")

    @property
    def anthropic(self) -> str:
        """The base URL of the Anthropic API."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def openai(self) -> str:
        """The base URL of the OpenAI API."""
        return f"{self.anthropic}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def charge(self, provider: str, model: str, tokens: Tokens) -> int:
        """Write one line of the bill; returns its number."""
        with self._lock:
            self.bill.append(Billed(provider, model, tokens))
            return len(self.bill)

    def seen(self, provider: str, system: str) -> bool:
        """Whether this provider met the system prompt before; from now on it has."""
        with self._lock:
            known = (provider, system) in self._known
            self._known.add((provider, system))
            return known

    def refuse(self, *statuses: HTTPStatus) -> None:
        """Answer the next requests with these errors, in order. A refused request is not billed."""
        self._refusals.extend(statuses)

    def refusal(self) -> HTTPStatus | None:
        """The error that is due, or None: answer as usual."""
        with self._lock:
            if not self._refusals:
                return None
            self.refused.append(self._refusals.popleft())
            return self.refused[-1]


def _length(messages: list[dict[str, Any]]) -> int:
    """A token per character, of blocks and calls the characters of their JSON."""
    parts = (m.get(part) for m in messages for part in ("content", "tool_calls"))
    return sum(len(part if isinstance(part, str) else json.dumps(part)) for part in parts if part)


# --- OpenAI --------------------------------------------------------------------------------------


def _openai_tokens(stub: StubModel, request: dict[str, Any]) -> Tokens:
    return _tokens(stub, "openai", request["messages"])


def _tokens(stub: StubModel, provider: str, messages: list[dict[str, Any]]) -> Tokens:
    """A known system prompt of 1024 tokens or more is cached."""
    system = "".join(_text(m["content"]) for m in messages if m["role"] in _SYSTEM)
    known = len(system) >= _CACHED and stub.seen(provider, system)
    cached = _CACHED if known else 0
    prompt = _length(messages)
    return Tokens(prompt - cached, len(_WORDS) + 64, cache_read=cached, reasoning=64)


def _text(content: str | list[dict[str, Any]]) -> str:
    """A message's words, however it is cut into parts."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _openai_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "audio_tokens": 0},
    }


def _openai_chat(stub: StubModel, request: dict[str, Any]) -> dict[str, Any] | Iterator[str]:
    tokens = _openai_tokens(stub, request)
    number = stub.charge("openai", request["model"], tokens)
    head = {
        "id": f"chatcmpl-{number}",
        "created": 1_790_000_000,
        "model": _OPENAI_DATES[request["model"]],
    }
    message, reason = _openai_message(request, number)
    if request.get("stream"):
        options = request.get("stream_options") or {}
        return _openai_stream(head, message, reason, _openai_usage(tokens), options)
    return {
        **head,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": _openai_usage(tokens),
    }


def _openai_message(request: dict[str, Any], number: int) -> tuple[dict[str, Any], str]:
    """The answer, or a call of the first tool if there are tools and no result yet."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    if not request.get("tools") or request["messages"][-1]["role"] == "tool":
        return {**message, "content": "".join(_WORDS)}, "stop"
    function = {"name": request["tools"][0]["function"]["name"], "arguments": _ARGUMENTS}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return {**message, "tool_calls": [call]}, "tool_calls"


def _openai_stream(
    head: dict[str, Any],
    message: dict[str, Any],
    reason: str,
    usage: dict[str, Any],
    options: dict[str, Any],
) -> Iterator[str]:
    chunk = {**head, "object": "chat.completion.chunk"}
    words = _WORDS if message["content"] else []
    deltas: list[dict[str, Any]] = [{"content": word} for word in words]
    calls = message.get("tool_calls", [])
    deltas += [{"tool_calls": [{"index": i, **call}]} for i, call in enumerate(calls)]
    for delta in deltas:
        said = {"role": "assistant", **delta}
        yield _data({**chunk, "choices": [{"index": 0, "delta": said, "finish_reason": None}]})
    yield _data({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if options.get("include_usage"):
        yield _data({**chunk, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _openai_responses(stub: StubModel, request: dict[str, Any]) -> dict[str, Any] | Iterator[str]:
    """Tokens, cache and tools as in chat."""
    messages = responses.messages(request)
    tokens = _openai_tokens(stub, {"messages": messages})
    number = stub.charge("openai", request["model"], tokens)
    item = responses.text(number, _WORDS)
    if request.get("tools") and messages[-1]["role"] != "tool":
        item = responses.tool_use(number, request["tools"][0]["name"], _ARGUMENTS)
    response = responses.body(number, _OPENAI_DATES[request["model"]], item, tokens)
    return responses.stream(response, _WORDS) if request.get("stream") else response


def _openai_embeddings(stub: StubModel, request: dict[str, Any]) -> dict[str, Any]:
    asked = request["input"]
    texts = [asked] if isinstance(asked, str) else asked
    tokens = Tokens(sum(map(len, texts)))
    stub.charge("openai", request["model"], tokens)
    embedded = {"object": "embedding", "embedding": [0.5, 0.25]}
    return {
        "object": "list",
        "model": request["model"],
        "data": [{**embedded, "index": index} for index in range(len(texts))],
        "usage": {"prompt_tokens": tokens.fresh, "total_tokens": tokens.fresh},
    }


# --- Anthropic -----------------------------------------------------------------------------------


def _anthropic_tokens(stub: StubModel, request: dict[str, Any]) -> Tokens:
    """A system block with `cache_control` is written, then read; a plain prompt is not cached."""
    prompt, system = _length(request["messages"]), request.get("system", [])
    if isinstance(system, str):
        return Tokens(prompt + len(system), 40)
    cacheable = "".join(b["text"] for b in system if b.get("cache_control"))
    if not cacheable:
        return Tokens(prompt, 40)
    if stub.seen("anthropic", cacheable):
        return Tokens(prompt, 40, cache_read=len(cacheable))
    return Tokens(prompt, 40, cache_write=len(cacheable))


def _anthropic_usage(tokens: Tokens) -> dict[str, Any]:
    """Anthropic counts exclusively: `input_tokens` holds no cached ones."""
    return {
        "input_tokens": tokens.fresh,
        "output_tokens": tokens.output,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write,
            "ephemeral_1h_input_tokens": 0,
        },
        "service_tier": "standard",
    }


def _anthropic_messages(stub: StubModel, request: dict[str, Any]) -> dict[str, Any] | Iterator[str]:
    tokens = _anthropic_tokens(stub, request)
    number = stub.charge("anthropic", request["model"], tokens)
    content, reason = _anthropic_content(request, number)
    message = {
        "id": f"msg_{number:04d}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": _anthropic_usage(tokens),
    }
    return _anthropic_stream(message) if request.get("stream") else message


def _anthropic_content(request: dict[str, Any], number: int) -> tuple[list[dict[str, Any]], str]:
    """The answer, or a use of the first tool if there are tools and no result yet."""
    last = request["messages"][-1]["content"]
    answered = not isinstance(last, str) and any(block["type"] == "tool_result" for block in last)
    if not request.get("tools") or answered:
        return [{"type": "text", "text": "".join(_WORDS)}], "end_turn"
    name, arguments = request["tools"][0]["name"], json.loads(_ARGUMENTS)
    use = {"type": "tool_use", "id": f"toolu_{number:04d}", "name": name, "input": arguments}
    return [use], "tool_use"


_DELTA_COUNTS = (  # anthropic-python 2.12, types/message_delta_usage.py
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)


def _anthropic_stream(message: dict[str, Any]) -> Iterator[str]:
    opening = {**message, "content": [], "stop_reason": None}
    opening["usage"] = {**message["usage"], "output_tokens": 1}  # as the real one: a first guess
    yield _event({"type": "message_start", "message": opening})
    for index, block in enumerate(message["content"]):
        yield from _anthropic_block(index, block)
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    usage = {key: message["usage"][key] for key in _DELTA_COUNTS}
    yield _event({"type": "message_delta", "delta": stop, "usage": usage})
    yield _event({"type": "message_stop"})


def _anthropic_block(index: int, block: dict[str, Any]) -> Iterator[str]:
    """A block opens empty and is filled by deltas."""
    empty: dict[str, Any] = {"text": ""}
    deltas = [{"type": "text_delta", "text": word} for word in _WORDS]
    if block["type"] == "tool_use":
        empty = {"input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": _ARGUMENTS}]
    start = {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
    yield _event(start)
    for delta in deltas:
        yield _event({"type": "content_block_delta", "index": index, "delta": delta})
    yield _event({"type": "content_block_stop", "index": index})


# --- Gemini --------------------------------------------------------------------------------------


def _gemini(stub: StubModel, request: dict[str, Any]) -> dict[str, Any] | Iterator[str]:
    """Tokens and cache as OpenAI has them."""
    messages = gemini.messages(request)
    tokens = _tokens(stub, "gcp.gemini", messages)
    number = stub.charge("gcp.gemini", request["model"], tokens)
    parts: list[dict[str, Any]] = [{"text": word} for word in _WORDS]
    name = gemini.tool(request)
    if name and messages[-1]["role"] != "tool":
        parts = [{"functionCall": {"name": name, "args": json.loads(_ARGUMENTS)}}]
    answer = gemini.body(number, request["model"], parts, tokens)
    return gemini.stream(answer) if request["stream"] else answer


# --- HTTP ----------------------------------------------------------------------------------------

_ROUTES = {
    "/v1/chat/completions": _openai_chat,
    "/v1/responses": _openai_responses,
    "/v1/embeddings": _openai_embeddings,
    "/v1/messages": _anthropic_messages,
}


def _data(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body)}\n\n"


def _event(body: dict[str, Any]) -> str:
    return f"event: {body['type']}\n{_data(body)}"


def _error(path: str, status: HTTPStatus) -> dict[str, Any]:
    """An error in the shape of the API that was asked."""
    kind = "rate_limit_error" if status == HTTPStatus.TOO_MANY_REQUESTS else "api_error"
    message = f"refused on purpose: {status.phrase}"
    if gemini.asked(path):
        return gemini.error(status, message)
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error} if path == "/v1/messages" else {"error": error}


def _handler(stub: StubModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path = self.path.partition("?")[0]
            in_path = gemini.asked(path)
            route = _gemini if in_path else _ROUTES.get(path)
            if route is None:
                self.send_error(HTTPStatus.NOT_FOUND, f"no {self.path} here")
                return
            if refusal := stub.refusal():
                self._send("application/json", json.dumps(_error(path, refusal)), refusal)
                return
            answer = route(stub, {**json.loads(body), **(in_path or {})})
            if isinstance(answer, dict):
                self._send("application/json", json.dumps(answer))
            else:
                self._send("text/event-stream", "".join(answer))

        def _send(self, content_type: str, text: str, status: HTTPStatus = HTTPStatus.OK) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("retry-after-ms", "1")  # both SDKs believe it; without it they wait
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
            """Say nothing: the bill is the log."""

    return Handler
