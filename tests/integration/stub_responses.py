"""The shapes of OpenAI's Responses API, for the stub model. No server, no bill."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from costspan.demo.models import Tokens

Item = dict[str, Any]


def messages(request: Item) -> list[Item]:
    """The request's instructions and input as chat messages, which the stub counts."""
    instructions, items = request.get("instructions"), request["input"]
    said = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(items, str):
        return [*said, {"role": "user", "content": items}]
    return [*said, *map(_message, items)]


def _message(item: Item) -> Item:
    """A call of a tool and its result are items of their own, or the id of one that is stored."""
    if item.get("type") == "function_call_output":
        return {"role": "tool", "content": item["output"]}
    if item.get("type") == "function_call":
        return {"role": "assistant", "content": item["arguments"]}
    if item.get("type") == "item_reference":
        return {"role": "assistant", "content": ""}
    content = item["content"]
    if not isinstance(content, str):
        content = "".join(part["text"] for part in content)
    return {"role": item["role"], "content": content}


def tool_use(number: int, name: str, arguments: str) -> Item:
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }


def text(number: int, words: Sequence[str]) -> Item:
    content = {"type": "output_text", "text": "".join(words), "annotations": []}
    return {
        "type": "message",
        "id": f"msg_{number}",
        "role": "assistant",
        "status": "completed",
        "content": [content],
    }


def body(number: int, model: str, item: Item, tokens: Tokens) -> Item:
    """A whole response."""
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": "default",
        "usage": {
            "input_tokens": tokens.prompt,
            "input_tokens_details": {"cached_tokens": tokens.cache_read},
            "output_tokens": tokens.output,
            "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
            "total_tokens": tokens.prompt + tokens.output,
        },
    }


def stream(response: Item, words: Sequence[str]) -> Iterator[str]:
    """The same as events; the usage comes with the last."""
    (item,) = response["output"]
    opening = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[Item] = [{"type": "response.created", "response": opening}]
    if item["type"] == "message":
        added = {**item, "status": "in_progress", "content": []}
        deltas = [
            {"type": "response.output_text.delta", "item_id": item["id"], "delta": word}
            for word in words
        ]
    else:
        added = {**item, "status": "in_progress", "arguments": ""}
        delta = {"item_id": item["id"], "delta": item["arguments"]}
        deltas = [{"type": "response.function_call_arguments.delta", **delta}]
    events.append({"type": "response.output_item.added", "item": added})
    events += [{"content_index": 0, **each} for each in deltas]
    events.append({"type": "response.output_item.done", "item": item})
    events.append({"type": "response.completed", "response": response})
    for number, event in enumerate(events):
        data = {"sequence_number": number, "output_index": 0, **event}
        yield f"event: {event['type']}\ndata: {json.dumps(data)}\n\n"
