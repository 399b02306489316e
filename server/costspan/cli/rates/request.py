"""One line of a request file: JSON in, `Usage` and `Context` out. No prices, no printing.

Whatever is not understood is said. A context that were ignored would be a wrong price.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from costspan.dialect.identity import host
from costspan.dialect.identity import provider as canonical_provider
from costspan_pricing import Context, InvalidUsage, Unit, Usage

# A field of `Context` -> other spellings of it: the names of span attributes and of usage objects.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "tier": (
        "service_tier",
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "anthropic.response.service_tier",
        "gen_ai.cost.service_tier",
    ),
    "batch": ("processing",),
    "speed": (),
    "geo": ("inference_geo", "data_residency", "gen_ai.cost.data_residency"),
    "region": ("cloud.region", "cloud_region"),
    "deployment": ("deployment_type",),
    "search": ("search_context", "search_context_size"),
}
_FIELDS = {spelling: field for field, others in _SPELLINGS.items() for spelling in (field, *others)}
_RESOURCE = "resource"
_SERVERS = frozenset({"server.address", "server_address"})
_KNOWN = frozenset({*_FIELDS, *_SERVERS, _RESOURCE})
_TOO_MANY = 1 << 63  # OTLP, which all counts come from, has no larger integers
_IN_REAL_TIME = frozenset({"standard", "default", "realtime", "online"})  # of `processing`
_UNITS = frozenset(unit.value for unit in Unit)


class Unreadable(ValueError):
    """The line is no question: no JSON object, or one without an instant."""


class UnknownContext(ValueError):
    """A circumstance that nobody here understands; priced without it, the price were a guess."""


class Server(NamedTuple):
    """What the name of the server says, where the line itself says nothing."""

    provider: str = ""
    geo: str = ""
    region: str = ""


def read(line: bytes) -> dict[str, Any]:
    """The JSON object of a line. Raises Unreadable."""
    try:
        found = json.loads(line, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"expected a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable(f"expected a JSON object, got {_shown(found)}")
    return found


def usage(line: Mapping[str, Any]) -> Usage | None:
    """The counts; None = unknown. Raises InvalidUsage, Unreadable (`counts`)."""
    counts, buckets = line.get("counts"), line.get("usage")
    if counts not in (None, "exclusive", "inclusive"):
        raise Unreadable(f'counts: expected "inclusive" or "exclusive", got {_shown(counts)}')
    if buckets is None:
        return None
    if not isinstance(buckets, dict):
        raise InvalidUsage(f"usage: expected an object of buckets, got {_shown(buckets)}")
    for key, count in buckets.items():
        if isinstance(count, int) and count >= _TOO_MANY:
            raise InvalidUsage(f"{key}: expected a count below 2^63, got a longer number")
    if counts == "inclusive" and buckets.keys() <= _UNITS:
        return Usage.from_inclusive(**buckets)
    return Usage(buckets)


def context(line: Mapping[str, Any]) -> Context:
    """Everything besides the counts. Raises Unreadable, UnknownContext."""
    at = instant(line.get("at"))
    provider, model = _text(line, "provider"), _text(line, "model")
    stated = line.get("context")
    if stated is None:
        stated = {}
    if not isinstance(stated, dict):
        raise Unreadable(f"context: expected an object, got {_shown(stated)}")
    for key in line.keys() & _KNOWN:
        raise UnknownContext(f"{key}: expected it inside `context`")
    return build(provider, model, at, stated)


def build(provider: str, model: str, at: datetime, stated: Mapping[str, Any]) -> Context:
    """A context from circumstances in any known spelling. Raises UnknownContext."""
    fields: dict[str, str] = {}
    for field, key, value in _fields(stated):
        if fields.setdefault(field, value) != value:
            raise UnknownContext(
                f"{key}: {field} is stated twice, as {fields[field]!r} and {value!r}"
            )
    at_server = _server(stated, provider)
    for field in ("geo", "region"):
        if not fields.get(field):
            fields[field] = getattr(at_server, field)
    return Context(at_server.provider, model, at, **fields, resource=_resource(stated))


def instant(value: object) -> datetime:
    """An ISO 8601 instant; without a zone it stays naive, which the pricer marks. Unreadable."""
    if value is None:
        raise Unreadable("at: expected an instant: a price without a time is a guess")
    if not isinstance(value, str):
        raise Unreadable(f"at: expected an ISO 8601 instant as text, got {_shown(value)}")
    try:
        at = datetime.fromisoformat(value)
        return at if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"at: expected an ISO 8601 instant, got {value!r}") from error


def _fields(stated: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(field of Context, key, value) of what is stated. Raises UnknownContext."""
    for key, value in stated.items():
        if key not in _KNOWN:
            raise UnknownContext(f"{key}: expected one of {', '.join((*_SPELLINGS, _RESOURCE))}")
        field = _FIELDS.get(key)
        if field is not None and value is not None:
            yield field, key, _value(field, key, value)


def _value(field: str, key: str, value: object) -> str:
    """A circumstance as `Context` takes it. Raises UnknownContext."""
    if isinstance(value, bool) and field == "batch":
        return str(value).lower()
    if not isinstance(value, str):
        raise UnknownContext(f"{key}: expected text, got {_shown(value)}")
    if key == "processing" and value.strip().lower() in _IN_REAL_TIME:
        return ""
    return value


def _server(stated: Mapping[str, Any], provider: str) -> Server:
    """What `server.address` adds, by the table that reads spans."""
    address = next((stated[key] for key in _SERVERS & stated.keys()), None)
    if address is None:
        return Server(provider)
    if not isinstance(address, str):
        raise UnknownContext(f"server.address: expected text, got {_shown(address)}")
    at = host(address)
    return Server(canonical_provider(provider, address), at.geo, at.region)


def _resource(stated: Mapping[str, Any]) -> dict[str, str]:
    """Resource attributes, as texts."""
    resource = stated.get(_RESOURCE)
    if resource is None:
        return {}
    if not isinstance(resource, dict):
        raise UnknownContext(f"resource: expected an object of attributes, got {_shown(resource)}")
    return {key: _attribute(key, value) for key, value in resource.items()}


def _attribute(key: str, value: object) -> str:
    """A resource attribute as YAML would write it, which is how rate cards name it."""
    if not isinstance(value, str | int | float):
        raise UnknownContext(f"resource: {key}: expected text, got {_shown(value)}")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(line: Mapping[str, Any], key: str) -> str:
    value = line.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{key}: expected text, got {_shown(value)}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no key may stand twice: nobody knows which one is meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {double!r} stands there twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _shown(value: object) -> str:
    """A value as it was written, not longer than a sentence bears."""
    return textwrap.shorten(json.dumps(value), 60, placeholder="...")
