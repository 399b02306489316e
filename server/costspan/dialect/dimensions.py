"""Dimensions: which attributes may hold one, and what its value is worth. Nobody inherits here.

A dimension is a name that an organisation splits its bill by. It is found under the keys that the
configuration gives it and, under its own name and those keys, wherever a library keeps what its
user said (`_KEPT_BY`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from costspan.dialect.documents import attribute, places, unfold
from costspan.dialect.values import whole
from costspan.model import Value

Keys = tuple[str, ...]
Meanings = tuple[tuple[str, Keys], ...]

MOST_TEXT = 256  # characters of a value; a longer one is cut
MOST_PARTS = 32  # elements of a list; the rest is left out
MOST_LIST = 1024  # characters of all of them

_DEFAULTS: Mapping[str, Keys] = {
    "environment": (
        "deployment.environment.name",
        "deployment.environment",
        "gen_ai.environment",  # OpenLIT
        "langfuse.environment",
    ),
    "user": (
        "user.id",
        "enduser.id",
        "user_id",
        "langfuse.user.id",
        "langwatch.user.id",
        "gen_ai.user",
        "gen_ai.request.user",  # OpenLIT
        "litellm.end_user.id",
        "llm.user",  # LiteLLM, v1
        "user_api_key_end_user_id",
        "user_api_key_user_id",
    ),
    "team": (
        "team",
        "team.name",
        "gen_ai.team.name",
        "litellm.team.alias",
        "user_api_key_team_alias",
        "team.id",
        "litellm.team.id",
    ),
    "team_id": ("team.id", "team_id", "litellm.team.id", "user_api_key_team_id"),
    "department": ("department",),
    "business_unit": ("business_unit", "business.unit"),
    "tenant": ("tenant.id", "tenant", "tenant_id"),
    "project": (
        "project",
        "project.id",
        "langsmith.trace.session_name",  # a "session" of LangSmith is a project
        "user_api_key_project_alias",
    ),
    "feature": ("feature",),
    "workflow_type": ("workflow_type", "workflow.type"),
    "hierarchy_level": ("hierarchy_level",),
    "task": ("task", "task.name", "task_name"),
    "external_trace_id": ("external_trace_id", "external.trace.id", "litellm.metadata.trace_id"),
    "api_key_alias": ("api_key.alias", "api_key_alias", "user_api_key_alias"),
    "api_key": ("api_key.alias", "litellm.api_key.hash", "user_api_key_hash"),
    "tags": ("tags", "tag.tags", "langfuse.trace.tags", "langsmith.span.tags"),
    "mcp_server": ("mcp.server.name", "fastmcp.server.name"),  # Codex CLI and Sentry; FastMCP
    "mcp_method": ("mcp.method.name",),  # semantic-conventions 1.39
}

# Where libraries keep what their users said of a trace: a prefix, or a JSON object.
_KEPT_BY = (
    "baggage.",  # processors that copy baggage with a prefix; most copy it under its own name
    "traceloop.association.properties.",  # traceloop-sdk 0.62.4: on every span below
    "langfuse.trace.metadata.",  # langfuse 5.0.4: each value in JSON
    "langfuse.observation.metadata.",
    "langsmith.metadata.",  # langsmith 0.15.0
    "ai.telemetry.metadata.",  # Vercel AI SDK 4 to 6
    "ai.settings.context.",  # 7: @ai-sdk/otel 1.0.173
    "litellm.metadata.",  # litellm 1.109.1, v2; v1 has the bare prefix
    "metadata.",
    "metadata#/",  # OpenInference: one JSON object (openinference-semantic-conventions 0.1.42)
    "langfuse.trace.metadata#/",  # what another SDK sends to Langfuse
)

_JOINED = frozenset({"langsmith.span.tags"})  # a list that was joined with commas
_SAYS_NOTHING = frozenset({"", "None", "null", "undefined"})
_JSON = ('"', "[")
_VALUE = b"\x12"  # KeyValue: 2 = value, length-delimited

_decode = msgspec.json.Decoder().decode


class Dimensions:
    """The dimensions that are read, with every key that may hold them, best first.

    Two of them are never equal: the layouts of spans are remembered for each, and to compare some
    thousand keys for every span would cost more than to read it.
    """

    __slots__ = ("_of", "documents", "keys", "markers", "named")

    def __init__(self, named: Mapping[str, Keys], witnessed: Iterable[str] = ()) -> None:
        """`witnessed`: dimensions for which spans are opened that are no model calls."""
        self.named = {name: _spellings(name, keys) for name, keys in named.items() if keys}
        self.markers = _markers(key for name in witnessed for key in named[name])
        self._of: dict[str, list[str]] = {}
        for name, keys in self.named.items():
            for key in keys:
                self._of.setdefault(key, []).append(name)
        self.documents = MappingProxyType(places(self._of))
        self.keys = frozenset(map(attribute, self._of))

    def unfold(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The values and what their JSON documents say of dimensions."""
        return unfold(values, self.documents.keys() & values.keys(), self.documents)

    def present(self, attributes: frozenset[str]) -> Meanings:
        """The dimensions that spans with these attributes may state, each with its keys."""
        there = attributes & self._of.keys()
        for name in self.documents.keys() & attributes:
            there |= {place.key for place in self.documents[name]}
        if not there:
            return ()
        names = {name for key in there for name in self._of[key]}
        return tuple(
            (name, tuple(key for key in keys if key in there))
            for name, keys in self.named.items()
            if name in names
        )


def configured(named: Mapping[str, Keys], *, witnesses: bool) -> Dimensions:
    """The default dimensions and these; one without keys is not read."""
    return Dimensions({**_DEFAULTS, **named}, named if witnesses else ())


def stated(found: Meanings, values: Mapping[str, Value]) -> dict[str, str]:
    """What the values say of each of these dimensions."""
    said: dict[str, str] = {}
    for name, keys in found:
        for key in keys:
            value = text(values.get(key), joined=key in _JOINED)
            if value:
                said[name] = value
                break
    return said


def text(value: Value, *, joined: bool = False) -> str:
    """The value of a dimension, "" if it says nothing.

    A list, also one in JSON, becomes its distinct elements in order, with commas between them: a
    tag that was added first or last is the same set of tags.
    """
    if type(value) is str:
        if value.startswith(_JSON):
            return _of_json(value)
        if joined:
            return _of_list(value.split(","))
        return "" if value in _SAYS_NOTHING else value.strip()[:MOST_TEXT]
    return _of_list(value) if isinstance(value, list) else whole(value)[:MOST_TEXT]


def _of_json(value: str) -> str:
    """A JSON text or list; what is none after all is a plain text."""
    try:
        inner = _decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return value.strip()[:MOST_TEXT]
    if isinstance(inner, list):
        return _of_list(inner)
    return "" if inner in _SAYS_NOTHING else str(inner).strip()[:MOST_TEXT]


def _of_list(values: Iterable[Value]) -> str:
    parts = {whole(value).strip()[:MOST_TEXT] for value in values} - _SAYS_NOTHING
    return ",".join(sorted(parts)[:MOST_PARTS])[:MOST_LIST]


def _spellings(name: str, keys: Keys) -> Keys:
    """Every key that may hold a dimension: its own, then those of the libraries."""
    plain = dict.fromkeys((*keys, name))
    said = dict.fromkeys(each for key in plain for each in (key, _camel(key)))
    return tuple(dict.fromkeys((*keys, *(place + each for place in _KEPT_BY for each in said))))


def _camel(key: str) -> str:
    """The key as JavaScript writes it: business_unit is businessUnit."""
    first, *others = key.replace(".", "_").split("_")
    return first + "".join(other.capitalize() for other in others)


def _markers(keys: Iterable[str]) -> tuple[bytes, ...]:
    """Letters that a span which holds one of these keys holds too.

    The byte behind a key is the tag of its value, so that a prompt which mentions a team is not
    taken for a span that states one; before it may stand any prefix.
    """
    ends = {key.encode() + _VALUE for key in keys}
    return tuple(sorted(end for end in ends if not any(map(end.endswith, ends - {end}))))


DEFAULT_DIMENSIONS = Dimensions(_DEFAULTS)
