"""Billed calls added up: in all, and by what they have in common. Money in attos; no decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from costspan.model import Identity, LlmCall, Tally

_ERROR = 2  # Status.code of opentelemetry-proto
_NOTHING = ("", "0")

MODEL, AGENT, WORKFLOW, TOOL, SERVICE = "model", "agent", "workflow", "tool", "service"
FACETS = (MODEL, AGENT, WORKFLOW, TOOL, SERVICE)
DIMENSION = "dimension."  # begins the name of a facet that is a dimension


@dataclass(slots=True)
class Sums:
    """Billed calls added up. Money in attos."""

    cost: int = 0
    list_cost: int = 0
    effective_cost: int = 0
    savings: int = 0
    error_cost: int = 0
    calls: int = 0
    unpriced: int = 0
    usage: dict[str, int] = field(default_factory=dict)

    def add(self, call: LlmCall) -> None:
        charge = call.charge
        self.calls += 1
        if charge.total:
            cost = int(charge.total)
            self.cost += cost
            listed = charge.list_total
            self.list_cost += cost if listed in ("", charge.total) else int(listed)
            effective = charge.effective_total
            self.effective_cost += int(effective) if effective else cost
            if charge.savings not in _NOTHING:
                self.savings += int(charge.savings)
            if call.status == _ERROR:
                self.error_cost += cost
        else:
            self.unpriced += 1
        if call.usage:
            self._count(call.usage)

    def merge(self, other: Sums) -> None:
        self.cost += other.cost
        self.list_cost += other.list_cost
        self.effective_cost += other.effective_cost
        self.savings += other.savings
        self.error_cost += other.error_cost
        self.calls += other.calls
        self.unpriced += other.unpriced
        self._count(other.usage)

    def _count(self, usage: Mapping[str, int]) -> None:
        sums = self.usage
        for unit, quantity in usage.items():
            sums[unit] = sums.get(unit, 0) + quantity

    def tally(self) -> Tally:
        return Tally(str(self.cost), self.calls, ordered(self.usage))


class Placed(NamedTuple):
    """A billed call, whose it is, and the transaction that it is in."""

    call: LlmCall
    identity: Identity
    transaction: bytes


class Grouped(NamedTuple):
    """The same calls, added up in several ways; each way comes to the total."""

    total: Sums
    by: dict[str, dict[str, Sums]]  # facet -> value, "" where a call has none -> sums
    transactions: dict[bytes, Sums]


def add_up(billed: Iterable[Placed]) -> Grouped:
    """A call is read once; then what it is alike in everything with goes into every group whole."""
    alike: dict[tuple[object, ...], tuple[Placed, Sums]] = {}
    for placed in billed:
        call, who, transaction = placed
        # inherited dimensions are one object; others that are equal only make one group more
        said = id(who.dimensions) if who.dimensions else 0
        key = (model_of(call), who.agent, who.workflow, who.tool, call.service, transaction, said)
        if key not in alike:
            alike[key] = placed, Sums()
        alike[key][1].add(call)
    if len(alike) == 1:  # most traces: every way is one group, and the same one
        ((placed, sums),) = alike.values()
        return Grouped(
            sums,
            {facet: {value: sums} for facet, value in _values(placed).items()},
            {placed.transaction: sums},
        )
    return _regrouped(alike.values())


def model_of(call: LlmCall) -> str:
    """The name under which a call's cost is kept: what was priced, else what the span says."""
    return call.charge.priced_model or call.response_model or call.request_model


def ordered(usage: Mapping[str, int]) -> dict[str, int]:
    """The same counts, in an order that depends on nothing else."""
    return {unit: usage[unit] for unit in sorted(usage)}


def _regrouped(groups: Iterable[tuple[Placed, Sums]]) -> Grouped:
    grouped = Grouped(Sums(), {facet: {} for facet in FACETS}, {})
    names = {name for placed, _ in groups for name in placed.identity.dimensions}
    unsaid = {DIMENSION + name: "" for name in sorted(names)}
    for placed, sums in groups:
        grouped.total.merge(sums)
        grouped.transactions.setdefault(placed.transaction, Sums()).merge(sums)
        for facet, value in (unsaid | _values(placed)).items():
            grouped.by.setdefault(facet, {}).setdefault(value, Sums()).merge(sums)
    return grouped


def _values(placed: Placed) -> dict[str, str]:
    call, who, _ = placed
    values = {
        MODEL: model_of(call),
        AGENT: who.agent,
        WORKFLOW: who.workflow,
        TOOL: who.tool,
        SERVICE: call.service,
    }
    for name, value in who.dimensions.items():
        values[DIMENSION + name] = value
    return values
