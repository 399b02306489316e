"""What a call's context means: tier, batch, speed, and where it ran. No prices, no model names.

What is stated and understood selects a variant; what is not stated leaves a mark; what nobody
understands makes the call unpriced, because standard rates would be a silent guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from costspan_pricing.quote import Context, Reason

_STANDARD_TIERS = frozenset({"default", "standard", "standard_only", "on_demand"})
_UNSTATED_TIERS = {"": "tier=standard", "auto": "tier=auto:standard"}  # `auto` is a wish, no tier
_BATCH = {"": False, "false": False, "no": False, "0": False, "none": False,
          "true": True, "yes": True, "1": True, "batch": True}  # fmt: skip
_STANDARD_SPEEDS = frozenset({"", "standard", "default", "normal"})
_WORLDWIDE = frozenset({"", "global", "default", "not_available"})
_STANDARD_DEPLOYMENTS = frozenset({"", "global", "global-standard", "globalstandard"})
_BY_REGION = frozenset({"azure", "google"})  # regional list prices exist, the book has none


class Unpriced(Exception):
    """There is no rate, and why. Control flow inside this package."""

    def __init__(self, reason: Reason, *said: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.said = said


def wanted(context: Context, place: str) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The variant that a context asks for ({} = standard), and the marks of what it leaves open.

    `place` is the book's id of the provider that ran the call. Raises Unpriced for a value that
    nobody knows; whether a known one has rates is the book's to say.
    """
    variant: dict[str, str] = {}
    marks = list(_placement(context, place))
    tier = context.tier.strip().lower()
    batch = _BATCH.get(str(context.batch).strip().lower())
    if batch is None:
        raise Unpriced(Reason.UNKNOWN_CONTEXT, f"batch={context.batch}")
    if batch or tier == "batch":
        variant["processing"] = "batch"
    if context.at.tzinfo is None:
        marks.append("at:UTC")
    if tier in _UNSTATED_TIERS:
        marks.append(_UNSTATED_TIERS[tier])
    elif tier not in _STANDARD_TIERS and tier != "batch":
        variant["service_tier"] = tier
    speed = context.speed.strip().lower()
    if speed not in _STANDARD_SPEEDS:
        variant["speed"] = speed
    return variant, tuple(marks)


def _placement(context: Context, place: str) -> Iterator[str]:
    """Marks for where the call ran, as far as the book has no price for that place."""
    deployment = context.deployment.strip().lower()
    if "provisioned" in deployment or deployment.startswith("ptu"):
        raise Unpriced(Reason.UNKNOWN_CONTEXT, f"deployment={deployment}")
    if deployment not in _STANDARD_DEPLOYMENTS:
        yield f"deployment={deployment}:global list price"
    if place != "aws" and context.geo.strip().lower() not in _WORLDWIDE:
        yield f"geo={context.geo}:global list price"
    if context.region and place in _BY_REGION:
        yield f"region={context.region}:global list price"
