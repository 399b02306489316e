"""Billed calls added up: in all, and by what they have in common. Money in attos; no decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from costspan.model import Identity, LlmCall, Tally

_ERROR = 2  # Status.code of opentelemetry-proto
_NOTHING = ("", "0")

MODEL, AGENT, WORKFLOW, TOOL, SERVICE = "model", "agent", "workflow", "tool", "service"
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
    by: dict[str, dict[str, Sums]]  # MODEL and AGENT -> value, "" where a call has none -> sums
    transactions: dict[bytes, Sums]


def add_up(billed: Iterable[Placed]) -> Grouped:
    """A call is read once; then what it is alike in everything with goes into every group whole."""
    alike: dict[tuple[str, str, bytes], Sums] = {}
    for call, who, transaction in billed:
        key = model_of(call), who.agent, transaction
        if key not in alike:
            alike[key] = Sums()
        alike[key].add(call)
    if len(alike) == 1:  # most traces: every way is one group, and the same one
        (((model, agent, transaction), sums),) = alike.items()
        return Grouped(sums, {MODEL: {model: sums}, AGENT: {agent: sums}}, {transaction: sums})
    total = Sums()
    models: dict[str, Sums] = {}
    agents: dict[str, Sums] = {}
    transactions: dict[bytes, Sums] = {}
    for (model, agent, transaction), sums in alike.items():
        total.merge(sums)
        models.setdefault(model, Sums()).merge(sums)
        agents.setdefault(agent, Sums()).merge(sums)
        transactions.setdefault(transaction, Sums()).merge(sums)
    if len(transactions) == 1:
        transactions = dict.fromkeys(transactions, total)
    return Grouped(total, {MODEL: models, AGENT: agents}, transactions)


def by_facet(billed: Sequence[Placed]) -> dict[str, dict[str, Tally]]:
    """Cost and calls by what else calls may have in common, if any of them has it.

    A value is "" where a call has none, so that each facet comes to the total. The service of a
    trace whose calls are all of one is said elsewhere.
    """
    found: dict[str, dict[str, list[int]]] = {}
    if len({placed.call.service for placed in billed}) > 1:
        services = found[SERVICE] = {}
        for placed in billed:
            _add(services, placed.call.service, placed.call)
    for facet, value_of in _FACETS.items():
        if any(map(value_of, billed)):
            found[facet] = {}
            for placed in billed:
                _add(found[facet], value_of(placed), placed.call)
    for name in {name for _, who, _ in billed for name in who.dimensions}:
        group = found[DIMENSION + name] = {}
        for placed in billed:
            _add(group, placed.identity.dimensions.get(name, ""), placed.call)
    return {
        facet: {value: Tally(str(cost), calls) for value, (cost, calls) in sorted(group.items())}
        for facet, group in sorted(found.items())
    }


def _add(group: dict[str, list[int]], value: str, call: LlmCall) -> None:
    sums = group.setdefault(value, [0, 0])
    sums[0] += call.charge.attos or 0
    sums[1] += 1


_FACETS: dict[str, Callable[[Placed], str]] = {
    WORKFLOW: lambda placed: placed.identity.workflow,
    TOOL: lambda placed: placed.identity.tool,
}


def model_of(call: LlmCall) -> str:
    """The name under which a call's cost is kept: what was priced, else what the span says."""
    return call.charge.priced_model or call.response_model or call.request_model


def ordered(usage: Mapping[str, int]) -> dict[str, int]:
    """The same counts, in an order that depends on nothing else."""
    return {unit: usage[unit] for unit in sorted(usage)}
