"""From provider and model as emitted to a row of the book. Nothing is guessed without a mark."""

from __future__ import annotations

from typing import NamedTuple

from costspan_pricing.book import Catalogue, Model, PriceBook
from costspan_pricing.context import Unpriced
from costspan_pricing.fit import meant
from costspan_pricing.identity import book_provider, canonical_provider, known_provider
from costspan_pricing.naming import (
    evident_platform,
    evident_provider,
    names,
    needs_alias,
    routed,
    unrevised,
)
from costspan_pricing.quote import Context, Reason

# Their models are served by many others at other prices, so a model's name alone says who made
# it, not who ran it: `deepseek-r1-distill-llama-70b` is not billed by DeepSeek.
_OPEN_WEIGHTS = frozenset({"deepseek", "meta", "minimax", "mistral", "moonshotai", "zhipuai"})


# Prefixes that only routers write. `openai/` or `anthropic/` may be the name of another router's
# model: what OpenRouter asks for it is not what its maker asks.
_CLOUDS = frozenset({"aws.bedrock", "azure.ai.inference", "azure.ai.openai", "gcp.vertex_ai"})


class Sku(NamedTuple):
    """A model as found in the book."""

    place: str  # the book's id of the provider that ran the call
    provider: str  # the one whose row it is: another's by fallback
    model: Model
    assumed: tuple[str, ...]
    platform: str = ""  # canonical name of the provider that ran the call: gcp.vertex_ai


def find(book: PriceBook, context: Context) -> Sku:
    """The row that the context names. Raises Unpriced."""
    model = context.model.strip()
    if not model:
        raise Unpriced(Reason.NO_MODEL)
    provider, model = routed(canonical_provider(context.provider), model)
    if provider:
        return _find_stated(book, provider, model, context.geo)
    provider = evident_provider(model.lower()) or _owner(book, model.lower())
    if not provider:
        raise Unpriced(Reason.NO_PROVIDER)
    sku = _find_at(book, provider, model, context.geo)
    return sku._replace(assumed=(f"provider={provider}", *sku.assumed))


def _find_stated(book: PriceBook, provider: str, model: str, geo: str) -> Sku:
    """The row at the stated provider, else at the cloud whose resource the name is.

    An instrumentation of a vendor's client names the vendor, also when that client talks to a
    cloud: provider `anthropic`, model `us.anthropic.claude-sonnet-4-5-20250929-v1:0`.
    """
    platform = evident_platform(model.lower()) or _routed_to_cloud(model)
    try:
        return _find_at(book, provider, model, geo)
    except Unpriced as unknown:
        if not platform or book_provider(platform) == book_provider(provider):
            raise
        try:
            sku = _find_at(book, platform, model, geo)
        except Unpriced:
            raise unknown from None
    return sku._replace(assumed=(f"provider={platform}:by the model's name", *sku.assumed))


def _routed_to_cloud(model: str) -> str:
    """The cloud that a router's prefix names: azure/gpt-4.1, vertex_ai/claude-opus-4-8."""
    prefix, slash, _ = model.strip().lower().partition("/")
    named = known_provider(prefix) if slash else ""
    return named if named in _CLOUDS else ""


def _owner(book: PriceBook, model: str) -> str:
    """Whose model it is, as far as that says who ran it; "" otherwise."""
    owner = book.owner(model)
    if owner in _OPEN_WEIGHTS:
        catalogue = book.catalogue(owner)
        if catalogue is None or not catalogue.lists(model):
            return ""
    return owner or ""


def _find_at(book: PriceBook, provider: str, model: str, geo: str) -> Sku:
    """The row of a canonical provider, or of one of its fallbacks with a mark."""
    catalogue = book.catalogue(book_provider(provider))
    if catalogue is None:
        raise Unpriced(Reason.NO_PROVIDER, f"not in the book:{provider}")
    platform = _platform(provider, model)
    for seller in (catalogue, *_fallbacks(book, catalogue)):
        for name, mark in names(catalogue.provider, model, geo):
            found = _row(seller, name)
            if found is None:
                continue
            marks = [mark] if mark else []
            if seller is not catalogue:
                marks.append(f"provider={provider}:price of {seller.provider}")
            return Sku(catalogue.provider, seller.provider, found, tuple(marks), platform)
    undated = _undated(catalogue, model, geo) if catalogue.provider == "aws" else None
    if undated is not None:
        mark = f"model={model}:price of {undated.id}"
        return Sku(catalogue.provider, catalogue.provider, undated, (mark,), platform)
    alias = needs_alias(catalogue.provider, model)
    raise Unpriced(Reason.ALIAS_MISSING if alias else Reason.UNKNOWN_MODEL)


def _platform(provider: str, model: str) -> str:
    """Who ran the call, canonical. A name may say it closer than the provider: vertex_ai/gemini."""
    canonical = canonical_provider(provider) or provider
    if canonical == "gcp.vertex_ai":  # its own names begin with the maker too: google/gemini-2.5
        return canonical
    named = evident_provider(model.strip().lower())
    return named if named and book_provider(named) == book_provider(canonical) else canonical


def _row(catalogue: Catalogue, name: str) -> Model | None:
    """The model that a lower-cased name means: literally, or by a pattern that fits it."""
    found = catalogue.find(name)
    if found is None or catalogue.lists(name) or meant(found, name):
        return found
    return next((model for model in catalogue.models if meant(model, name)), None)


def _undated(catalogue: Catalogue, model: str, geo: str) -> Model | None:
    """The one Bedrock model whose id, without date and revision, is a name of the model."""
    for name, _ in names(catalogue.provider, model, geo):
        found = {
            row.id: row
            for row in catalogue.models
            for clause in row.match or (f"={row.id}",)
            if isinstance(clause, str) and unrevised(clause[1:].lower()) == name
        }
        if len(found) == 1:
            return next(iter(found.values()))
    return None


def _fallbacks(book: PriceBook, catalogue: Catalogue) -> list[Catalogue]:
    found = (book.catalogue(provider) for provider in catalogue.fallback)
    return [fallback for fallback in found if fallback is not None]
