"""What a call's context means, in the book's words: tier, batch, speed, search, place. No prices.

What is not stated leaves a mark; what nobody understands makes the call unpriced, because
standard rates would be a silent guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costspan_pricing.quote import Context, Reason

PROCESSING, TIER, SPEED, SEARCH = "processing", "service_tier", "speed", "search"
GEO, REGION, DEPLOYMENT = "geo", "region", "deployment"
PLATFORM = "platform"  # who ran it, canonical: two of a book's providers may share their rows
PROVISIONED = "provisioned"
KEYS = (PROCESSING, TIER, SPEED, SEARCH, GEO, REGION, DEPLOYMENT)

_STANDARD_TIERS = frozenset({"default", "standard", "standard_only", "on_demand"})
_UNSTATED_TIERS = {"": "tier=standard", "auto": "tier=auto:standard"}  # `auto` is a wish, no tier
# Vertex AI's usageMetadata.trafficType: cloud.google.com/vertex-ai/generative-ai/docs
_TIERS = {"on_demand_flex": "flex", "on_demand_priority": "priority"}
_BATCH = {"": False, "false": False, "no": False, "0": False, "none": False,
          "true": True, "yes": True, "1": True, "batch": True}  # fmt: skip
_STANDARD = {
    SPEED: frozenset({"standard", "default", "normal"}),
    SEARCH: frozenset({"standard", "default"}),
    GEO: frozenset({"global", "default", "not_available"}),
    REGION: frozenset({"global"}),
    DEPLOYMENT: frozenset({"global"}),
}
# Azure's names of deployment types (learn.microsoft.com, "Deployment types for Azure AI Foundry
# Models"): the SKU `Standard` is the regional one. With "-", "_" and " " taken out.
_DEPLOYMENTS = {
    "globalstandard": "global",
    "globalbatch": "global",
    "datazone": "data-zone",
    "datazonestandard": "data-zone",
    "datazonebatch": "data-zone",
    "standard": "regional",
    "regionalstandard": "regional",
}


class Unpriced(Exception):
    """There is no rate, and why. Control flow inside this package."""

    def __init__(self, reason: Reason, *said: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.said = said


class Facts(NamedTuple):
    """A call's circumstances. Standard values are left out: they select nothing."""

    strict: Mapping[str, str]  # how it was run: without rates for it there is no price
    place: Mapping[str, str]  # where it ran: many providers have one price everywhere
    said: frozenset[str]  # the keys that were stated, with a standard value too
    marks: tuple[str, ...]
    platform: str = ""

    @property
    def all(self) -> Mapping[str, str]:
        platform = {PLATFORM: self.platform} if self.platform else {}
        return {**self.strict, **self.place, **platform}


def facts(context: Context) -> Facts:
    """What a context states. Raises Unpriced for a batch flag that is neither yes nor no."""
    strict: dict[str, str] = {}
    marks = []
    said = set()
    deployment = _deployment(context.deployment)
    tier = context.tier.strip().lower()
    tier = _TIERS.get(tier, tier)
    if _batch(context) or tier == "batch" or deployment.batch:
        strict[PROCESSING] = "batch"
    if strict or str(context.batch).strip():
        said.add(PROCESSING)
    if context.at.tzinfo is None:
        marks.append("at:UTC")
    if tier in _UNSTATED_TIERS:
        marks.append(_UNSTATED_TIERS[tier])
    elif tier not in _STANDARD_TIERS and tier != "batch":
        strict[TIER] = tier
    place: dict[str, str] = {}
    for key, stated, kind in (
        (SPEED, context.speed, strict),
        (SEARCH, context.search, strict),
        (GEO, context.geo, place),
        (REGION, context.region.replace(" ", ""), place),  # Azure's portal says `East US 2`
        (DEPLOYMENT, deployment.type, place),
    ):
        value = stated.strip().lower()
        if value:
            said.add(key)
        if value and value not in _STANDARD[key]:
            kind[key] = value
    return Facts(strict, place, frozenset(said | {TIER}), tuple(marks))


def unsaid(key: str) -> str:
    """The mark for a circumstance that has a price and that nobody stated."""
    return "batch=no" if key == PROCESSING else f"{key}=standard"


def modifier(key: str, value: str) -> str:
    """How a quote names a circumstance that moved its rates."""
    return value if key == PROCESSING else f"{key.removeprefix('service_')}:{value}"


def _batch(context: Context) -> bool:
    batch = _BATCH.get(str(context.batch).strip().lower())
    if batch is None:
        raise Unpriced(Reason.UNKNOWN_CONTEXT, f"batch={context.batch}")
    return batch


class _Deployment(NamedTuple):
    type: str
    batch: bool


def _deployment(stated: str) -> _Deployment:
    """Azure's deployment type in one word; others' words stay as they are."""
    lowered = stated.strip().lower()
    plain = lowered.replace("-", "").replace("_", "").replace(" ", "")
    if PROVISIONED in plain or plain.startswith("ptu"):
        return _Deployment(PROVISIONED, batch=False)
    return _Deployment(_DEPLOYMENTS.get(plain, lowered), plain.endswith("batch"))
