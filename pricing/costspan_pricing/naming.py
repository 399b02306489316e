"""Names of models: what a book or a rate card may call a model that was emitted. No prices.

A name is rewritten only in ways that keep its meaning; a rewriting that might not leaves a mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from costspan_pricing.identity import book_provider, canonical_provider, known_provider

_GEO = re.compile(r"^(us-gov|us|eu|apac|jp|au|in|ca|sa|uk|me|af|il|mx|global)\.(?=[a-z0-9]+\.)")
_BEDROCK = re.compile(
    r"^(?:[a-z-]{2,6}\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai"
    r"|nvidia|openai|qwen|stability|twelvelabs|writer|xai|zai)"
    r"\.[a-z]"
)
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=$|[:@-])")
_DASHED_DATE = re.compile(r"-(20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?=$|[:@-])")
_SNAPSHOT = re.compile(r"-(20\d\d-\d\d-\d\d|20\d{6})$")
_AT_VERSION = re.compile(r"@(20\d{6}|\d{3})$")  # Vertex: claude-sonnet-4-5@20250929
_AT_NEWEST = re.compile(r"@(default|latest)$")
_CONTEXT_LENGTH = re.compile(r"\[\d+[km]\]$")  # Claude Code: claude-opus-4-6[1m]
_GOOGLE_REVISION = re.compile(r"^(gemini-.*)-\d{3}$")
_BEDROCK_VERSION = re.compile(r"-v\d+(:\d+)?$")
_LATEST = re.compile(r"-latest$")
# LiteLLM: bedrock/converse/<id>, bedrock/us-gov-west-1/<id>
_BEDROCK_ROUTE = re.compile(r"^(?:(?:converse|converse_like|invoke)/|[a-z]{2}(?:-[a-z]+)+-\d/)+")
# Where a resource lives, as its path says: an ARN's region, Vertex's location, LiteLLM's route
_REGIONS = (
    re.compile(r"^arn:aws[a-z-]*:bedrock:([a-z0-9-]+):"),
    re.compile(r"^(?:.*/)?projects/[^/]+/locations/([a-z0-9-]+)/"),
    re.compile(r"^(?:bedrock/)?(?:converse/|invoke/)?([a-z]{2}(?:-[a-z]+)+-\d)/"),
)
_FINE_TUNE = re.compile(r"^ft:|\.ft-|:ft-|^tunedmodels/")
# Names that one vendor gives and the book's owners do not list.
_NAMED_BY = (
    (re.compile(r"^(ft:(gpt-|o\d|babbage|davinci)|text-embedding-(3-|ada-)|chatgpt-)"), "openai"),
    (re.compile(r"^(embed-(english|multilingual|v\d)|rerank-(v\d|english|multi))"), "cohere"),
    (re.compile(r"^sonar(-|$)"), "perplexity"),
)
# Only these ARNs name a model; every other resource is the name of something that its owner made.
_MODEL_ARN = re.compile(
    r"^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/(.+)$"
)
# OpenLLMetry to 0.62 leaves the vendor out of a Bedrock id: nova-pro-v1:0
_MAKERS = (
    ("nova-", "amazon"),
    ("titan-", "amazon"),
    ("claude-", "anthropic"),
    ("llama", "meta"),
    ("mistral-", "mistral"),
    ("mixtral-", "mistral"),
    ("command-", "cohere"),
    ("embed-", "cohere"),
    ("rerank-", "cohere"),
    ("jamba-", "ai21"),
)
# Vertex's OpenAI-compatible endpoint of models that Google serves: .../endpoints/openapi/meta/...
_OPENAPI_ENDPOINT = re.compile(r"^projects/.+/endpoints/openapi/(.+)$")
# An id that only its owner can translate: endpoints, tuned models, deployments, presets.
_OWN_RESOURCE = re.compile(
    r"^(arn:|.*/endpoints/|.*tunedmodels/|.*#accounts/|accounts/(?!fireworks/)|@preset/)"
)


def evident_provider(model: str) -> str:
    """The canonical provider that the shape of a lower-cased model name states, "" if it doesn't.

    Shapes: a router prefix (`openai/gpt-4o`), a Vertex resource, a Bedrock id or ARN, a family of
    names that is one vendor's. Whose name `gpt-4o` is, is the book's knowledge, not ours.
    """
    platform = evident_platform(model)
    if platform:
        return platform
    prefix, slash, _ = model.partition("/")
    if slash and not prefix.startswith("@"):
        return known_provider(prefix)
    return next((vendor for names, vendor in _NAMED_BY if names.match(model)), "")


def evident_platform(model: str) -> str:
    """The cloud whose resource a lower-cased model name is; no other provider has such names."""
    if "publishers/" in model or model.startswith("projects/"):
        return "gcp.vertex_ai"
    if model.startswith("arn:aws") or _BEDROCK.match(model):
        return "aws.bedrock"
    return ""


def routed(provider: str, model: str) -> tuple[str, str]:
    """The provider that a router's name of a model picks, and the model's own name.

    Hugging Face's router: `meta-llama/Llama-3.3-70B-Instruct:groq` runs at Groq, at the price that
    Hugging Face asks for it. Without a partner the router chooses, and no name tells which one.
    """
    name, colon, partner = model.strip().rpartition(":")
    if provider == "huggingface" and colon:
        return f"huggingface_{partner.lower()}", name
    return provider, model


def names(provider: str, model: str, geo: str) -> Iterator[tuple[str, str]]:
    """The names under which the book may know a model, best first, each with its mark.

    `provider` is the book's id. The mark is "" where the rewriting keeps the meaning.
    """
    stated = model.strip().lower()
    plain = list(_stripped(provider, stated))
    name = plain[-1]
    mark = ""
    if provider == "aws" and geo and not _GEO.match(name):
        yield f"{geo.lower()}.{name}", ""
        mark = "geo=global:in-region price" if geo.lower() == "global" else ""
    yield from ((spelling, mark) for spelling in plain)
    if _FINE_TUNE.search(name) or (_OWN_RESOURCE.match(stated) and stated == name):
        return
    yield from ((spelling, mark) for spelling in _same(provider, name))
    yield from _alike(provider, name)


def spellings(provider: str, model: str) -> tuple[str, ...]:
    """Every name that a rate card may use for an emitted model, lower-cased, without doubles.

    The emitted name first, then ever plainer ones: without resource path and router prefix, its
    date as the provider writes it, without geo prefix, revision and date. `provider` in any
    spelling. A fine-tune, deployment or profile has its own name only.
    """
    place = book_provider(canonical_provider(provider))
    stated = model.strip().lower()
    found: dict[str, None] = {stated: None} if stated else {}
    for name, _ in names(place, stated, ""):
        found.setdefault(name)
    if place == "aws" and not needs_alias(place, stated):
        plainest = _BEDROCK_VERSION.sub("", _GEO.sub("", list(found)[-1]))
        found.setdefault(plainest)
        found.setdefault(_SNAPSHOT.sub("", plainest))
    return tuple(found)


def named_region(model: str) -> str:
    """The region that the path of a resource names, "" if it names none."""
    lowered = model.strip().lower()
    found = (pattern.match(lowered) for pattern in _REGIONS)
    return next((each[1] for each in found if each), "")


def unrevised(name: str) -> str:
    """A Bedrock id without its revision and its date: anthropic.claude-sonnet-4-5."""
    return _SNAPSHOT.sub("", _BEDROCK_VERSION.sub("", name))


def needs_alias(provider: str, model: str) -> bool:
    """Whether an unresolved name is one that only its owner can translate."""
    lowered = model.strip().lower()
    *_, plain = _stripped(provider, lowered)
    if provider == "azure" or _FINE_TUNE.search(plain):
        return True
    if provider == "databricks" and not plain.startswith(("databricks-", "system.ai.")):
        return True  # a serving endpoint
    known = _MODEL_ARN.match(lowered) or _OPENAPI_ENDPOINT.match(lowered)
    return bool(_OWN_RESOURCE.match(lowered)) and not known


def _stripped(provider: str, stated: str) -> Iterator[str]:
    """The name as stated, then ever further without path and without prefixes of the provider."""
    arn = _MODEL_ARN.match(stated)
    if arn:
        yield arn[1]
        return
    yield stated  # some ids hold a slash: accounts/fireworks/models/..., perplexity/sonar
    open_api = _OPENAPI_ENDPOINT.match(stated)
    if open_api:
        yield open_api[1]
        return
    if _OWN_RESOURCE.match(stated):
        return
    head, models, tail = stated.rpartition("models/")
    if models and (not head or head.endswith("/")):
        yield tail
        return
    name = stated
    prefix, slash, rest = name.partition("/")
    while slash and rest and book_provider(canonical_provider(prefix)) == provider:
        name = rest
        yield name
        prefix, slash, rest = name.partition("/")
    if provider == "aws" and _BEDROCK_ROUTE.match(name):
        yield _BEDROCK_ROUTE.sub("", name)


def _same(provider: str, name: str) -> Iterator[str]:
    """Other spellings of the same model."""
    short = _CONTEXT_LENGTH.sub("", name)  # the same model; a long prompt shows in its tokens
    if short != name:
        yield short
    dashed = _COMPACT_DATE.sub(r"-\1-\2-\3", short)
    if dashed != short:
        yield dashed
    compact = _DASHED_DATE.sub(r"-\1\2\3", short)
    if compact != short:
        yield compact
    if provider in {"anthropic", "google"}:
        dated = _AT_VERSION.sub(r"-\1", short)
        if dated != short:
            yield dated
        newest = _AT_NEWEST.sub("", short)
        if newest != short:
            yield newest
    if provider == "fireworks" and "/" not in short:
        yield f"accounts/fireworks/models/{short}"
    if provider == "aws" and _BEDROCK_VERSION.search(short):
        yield _BEDROCK_VERSION.sub("", short)


def _alike(provider: str, name: str) -> Iterator[tuple[str, str]]:
    """Names of models that have the same price in all likelihood, each with the mark to leave."""
    if provider == "aws":
        prefix = _GEO.match(name)
        # In-region and geo profiles cost the same; `global.` ones are cheaper, so not that.
        if prefix and prefix[1] != "global":
            yield name[prefix.end() :], f"geo={prefix[1]}:in-region price"
        elif not prefix and not _BEDROCK.match(name):
            vendor = next((vendor for start, vendor in _MAKERS if name.startswith(start)), "")
            if vendor:
                yield f"{vendor}.{name}", f"model={name}:price of {vendor}.{name}"
        return
    revision = _GOOGLE_REVISION.match(name) if provider == "google" else None
    if revision:
        yield revision[1], f"model={name}:price of {revision[1]}"
    # Mistral's `-latest` is another model with another price every few months.
    for pattern in (_SNAPSHOT,) if provider == "mistral" else (_SNAPSHOT, _LATEST):
        plainer = pattern.sub("", name)
        if plainer != name:
            yield plainer, f"model={name}:price of {plainer}"
