"""The book's bytes: JSON with one model a line. No conversion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]


def render(head: Json, providers: Mapping[str, Json]) -> bytes:
    """Small, and a refresh is a readable diff."""
    return "".join(_lines(head, providers)).encode()


def _lines(head: Json, providers: Mapping[str, Json]) -> Iterator[str]:
    yield "{\n"
    for key, value in head.items():
        yield f"{_json(key)}:{_json(value)},\n"
    yield '"providers":{'
    for number, (provider, content) in enumerate(providers.items()):
        yield f"{',' if number else ''}\n{_json(provider)}:{{"
        if "fallback" in content:
            yield f'"fallback":{_json(content["fallback"])},'
        if content.get("uplifts"):
            yield '"uplifts":[\n' + ",\n".join(_json(each) for each in content["uplifts"]) + "\n],"
        yield '"models":[\n' + ",\n".join(_json(model) for model in content["models"]) + "\n]}"
    yield "\n}}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
