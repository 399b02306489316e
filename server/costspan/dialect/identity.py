"""Whose call it was and who served it: names, dimensions, providers. No numbers.

The names of people and agents come from the span alone; a dimension also from its resource.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from costspan.dialect import table
from costspan.dialect.dimensions import Dimensions, stated
from costspan.dialect.layout import Layout
from costspan.model import Hit, Identity
from costspan_pricing import canonical_provider

# SDKs name the maker of their API, whoever serves it: only these give way to the host's name.
_MAKERS = frozenset({"", "openai", "anthropic"})


class Host(NamedTuple):
    """What the name of a server gives away; "" = nothing."""

    provider: str = ""
    region: str = ""
    geo: str = ""


_NO_HOST = Host()
_TASK = "task"  # the operation of a Traceloop entity, and the dimension that its name is

# Host patterns of the providers' API references; `region` and `geo` are what they let us read.
_HOSTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (provider, re.compile(pattern))
    for provider, pattern in (
        ("azure.ai.openai", r".+\.openai\.azure\.(?:com|us)"),
        ("azure.ai.openai", r".+\.cognitiveservices\.azure\.com"),
        ("azure.ai.inference", r".+\.(?:services|models)\.ai\.azure\.com"),
        ("aws.bedrock", r"bedrock-runtime(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com"),
        ("gcp.vertex_ai", r"(?P<region>[a-z0-9-]+)-aiplatform\.googleapis\.com"),
        ("gcp.vertex_ai", r"aiplatform\.googleapis\.com"),
        ("gcp.gemini", r"generativelanguage\.googleapis\.com"),
        ("openai", r"(?:(?P<geo>us|eu)\.)?api\.openai\.com"),
        ("anthropic", r"api\.anthropic\.com"),
        ("mistral_ai", r"api\.mistral\.ai"),
        ("groq", r"api\.groq\.com"),
        ("deepseek", r"api\.deepseek\.com"),
        ("x_ai", r"(?:(?P<geo>us|eu)[a-z0-9-]*\.)?api\.x\.ai"),
        ("cohere", r"api\.cohere\.(?:com|ai)"),
        ("perplexity", r"api\.perplexity\.ai"),
        ("openrouter", r"openrouter\.ai"),
        ("together", r"api\.together\.(?:xyz|ai)"),
        ("fireworks", r"api\.fireworks\.ai"),
    )
)


@lru_cache(maxsize=1024)
def host(address: str) -> Host:
    """Who answers at `server.address`, which may be a bare name or a whole URL."""
    name = address.lower().rpartition("://")[2].partition("/")[0].partition(":")[0]
    for known, pattern in _HOSTS:
        found = pattern.fullmatch(name)
        if found:
            hints = found.groupdict()
            region = hints.get("region") or ("global" if name.startswith("aiplatform.") else "")
            return Host(known, region, hints.get("geo") or "")
    return _NO_HOST


@lru_cache(maxsize=1024)
def provider(stated: str, address: str) -> str:
    """The canonical provider: what the span states, corrected by the host that served it."""
    canonical = canonical_provider(stated)
    return (host(address).provider or canonical) if canonical in _MAKERS else canonical


def identity(
    hit: Hit, found: Layout, said: Mapping[str, str], operation: str, dimensions: Dimensions
) -> Identity:
    """Who a span belongs to. Traceloop names what a span is of only by the kind of its entity."""
    get, values = said.get, hit.values
    if found.dimension_documents:
        values = dimensions.unfold(values)
    who = Identity(
        get(table.AGENT, ""),
        get(table.WORKFLOW, ""),
        get(table.TOOL, ""),
        get(table.USER, ""),
        get(table.SESSION, ""),
        get(table.CONVERSATION, ""),
        stated(found.span_dimensions, values) if found.span_dimensions else {},
    )
    if table.ENTITY_NAME in said:
        _entity(who, operation, said[table.ENTITY_NAME], dimensions)
    if not who.agent:
        who.agent = get(table.AGENT_ID, "")
    if found.resource_dimensions:
        shared = stated(found.resource_dimensions, hit.resource)
        who.defaults = tuple([name for name in shared if name not in who.dimensions])
        who.dimensions = shared | who.dimensions
    return who


def says_whose(who: Identity) -> bool:
    """Whether a span says by itself, and not by its resource, whose the calls below it are."""
    return bool(
        who.agent
        or who.workflow
        or who.tool
        or who.user
        or who.session
        or who.conversation
        or len(who.dimensions) > len(who.defaults)
    )


def _entity(who: Identity, operation: str, name: str, dimensions: Dimensions) -> None:
    if operation == "invoke_agent":
        who.agent = who.agent or name
    elif operation == "execute_tool":
        who.tool = who.tool or name
    elif operation == "invoke_workflow":
        who.workflow = who.workflow or name
    elif operation == _TASK and _TASK in dimensions.named:
        who.dimensions.setdefault(_TASK, name)
