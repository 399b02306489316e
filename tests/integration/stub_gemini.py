"""The shapes of Google's Gemini API, for the stub model. No server, no bill."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from costspan.demo.models import Tokens

Part = dict[str, Any]
_PATH = re.compile(r"/v1(?:beta)?/models/([^:]+):(generateContent|streamGenerateContent)")


def asked(path: str) -> dict[str, Any] | None:
    """What other APIs have in the body: the model, and whether to stream. None: another path."""
    found = _PATH.fullmatch(path)
    return found and {"model": found[1], "stream": found[2].startswith("stream")}


def messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The request's instruction and contents as chat messages, which the stub counts."""
    instruction = request.get("systemInstruction")
    said = [{"role": "system", "content": _text(instruction["parts"])}] if instruction else []
    return [*said, *(_message(content["parts"]) for content in request["contents"])]


def _message(parts: Sequence[Part]) -> dict[str, Any]:
    role = "tool" if any("functionResponse" in part for part in parts) else "user"
    return {"role": role, "content": _text(parts)}


def _text(parts: Sequence[Part]) -> str:
    """A call of a tool and its result are as long as their JSON."""
    return "".join(part.get("text") or json.dumps(part) for part in parts)


def tool(request: dict[str, Any]) -> str | None:
    """The name of the first tool."""
    tools = request.get("tools") or [{}]
    declared = tools[0].get("functionDeclarations") or [{}]
    name: str | None = declared[0].get("name")
    return name


def body(number: int, model: str, parts: Sequence[Part], tokens: Tokens) -> dict[str, Any]:
    """A whole answer. The candidates' tokens leave the thoughts out, the prompt holds the cache."""
    usage = {
        "promptTokenCount": tokens.prompt,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "thoughtsTokenCount": tokens.reasoning,
        "totalTokenCount": tokens.prompt + tokens.output,
    }
    if tokens.cache_read:
        usage["cachedContentTokenCount"] = tokens.cache_read
    content = {"role": "model", "parts": list(parts)}
    return {
        "responseId": f"gemini-{number}",
        "modelVersion": model,
        "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "usageMetadata": usage,
    }


def stream(answer: dict[str, Any]) -> Iterator[str]:
    """The same as events, a part in each: all state the prompt, the last one all counts."""
    (candidate,) = answer["candidates"]
    parts = candidate["content"]["parts"]
    counts = answer["usageMetadata"]
    first = {key: counts[key] for key in ("promptTokenCount", "totalTokenCount")}
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        told = {**candidate, "content": {"role": "model", "parts": [part]}}
        if not last:
            del told["finishReason"]
        event = {**answer, "candidates": [told], "usageMetadata": counts if last else first}
        yield f"data: {json.dumps(event)}\n\n"


def error(status: HTTPStatus, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": status.name}}
