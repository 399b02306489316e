"""The roll-up of one trace: a pure function of the set of its records. No clock, no journal.

It never prices: it decides which of the charges count, says whose they are, and adds them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from costspan.ledger.billing import BILLED, DUPLICATE, FALLBACK, Bills, Known, bill
from costspan.ledger.forest import Forest, Node, plant
from costspan.ledger.identity import of_trace, pooled, resolve
from costspan.model import (
    ALREADY_METERED,
    CUMULATIVE,
    WITNESS,
    Identity,
    LlmCall,
    Tally,
    TraceTotals,
)

_ERROR = 2  # Status.code of opentelemetry-proto
_NOTHING = ("", "0")


class Decision(NamedTuple):
    """What the trace says of one usage-bearing span."""

    call: LlmCall  # as it arrived; of several copies the one that counts
    billed: bool
    reason: str  # a billed_reason
    identity: Identity  # its own, gaps filled from the spans above

    def corrected(self, version: int = 1) -> LlmCall:
        """A copy of the record that says what was decided."""
        return msgspec.structs.replace(
            self.call,
            billed=self.billed,
            billed_reason=self.reason,
            identity=self.identity,
            version=version,
        )


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
        return Tally(str(self.cost), self.calls, _ordered(self.usage))


class Rollup(NamedTuple):
    """Everything that the records of a trace say together."""

    decisions: dict[bytes, Decision]  # by span id, usage-bearing spans only
    total: Sums
    by_model: dict[str, Sums]  # by the priced model, else the response's, else the request's
    by_agent: dict[str, Sums]  # by the resolved agent, "" if there is none
    spans: int
    errors: int
    start_ns: int
    end_ns: int
    rooted: bool
    whole: bool  # a root, no missing parent, nothing ends after the root
    root_name: str  # "" unless the root carries a record
    service: str
    identity: Identity  # the trace's: the root's, gaps filled from the billed calls
    # cumulative cycle duplicates fallback orphans several_roots uncovered_usage
    flags: tuple[str, ...]
    left: Known  # for a later generation of the same trace
    counts: bool  # False: no span of it concerns us: none with usage, or all metered by another


class Stamp(NamedTuple):
    """What makes a roll-up one version of one row."""

    trace_id: bytes
    writer: str
    generation: int
    version: int
    reason: str
    grade: str
    arrived_ns: int


def rollup(
    calls: Iterable[LlmCall],
    nodes: Iterable[Node],
    known: Known = Known(),  # noqa: B008  (immutable)
) -> Rollup:
    """Decide and add up one trace.

    `calls`: its records (witnesses too); `nodes`: all its spans, in any order, any number of times;
    `known`: what an earlier generation of the trace settled.
    """
    forest = plant(calls, nodes)
    bills = bill(forest, known)
    decisions = _decisions(forest, bills)
    billed = [held for held in decisions.values() if held.billed]
    total, by_model, by_agent = _add_up(billed)
    root = forest.calls.get(forest.root.span_id) if forest.root else None
    return Rollup(
        decisions=decisions,
        total=total,
        by_model=by_model,
        by_agent=by_agent,
        spans=len(forest.links),
        errors=forest.errors,
        start_ns=forest.start_ns,
        end_ns=forest.end_ns,
        rooted=forest.root is not None,
        whole=_whole(forest),
        root_name=root.name if root else "",
        service=root.service if root else _earliest_service(decisions.values()),
        identity=of_trace(root, [(held.call, held.identity) for held in billed]),
        flags=tuple(_flags(forest, bills)),
        left=bills.left,
        counts=any(held.reason != ALREADY_METERED for held in decisions.values()),
    )


def totals(rolled: Rollup, stamp: Stamp) -> TraceTotals:
    """The row of a trace. Equal roll-ups give equal rows, byte by byte."""
    total, who = rolled.total, rolled.identity
    return TraceTotals(
        trace_id=stamp.trace_id,
        writer=stamp.writer,
        generation=stamp.generation,
        version=stamp.version,
        reason=stamp.reason,
        grade=stamp.grade,
        arrived_ns=stamp.arrived_ns,
        start_ns=rolled.start_ns,
        end_ns=rolled.end_ns,
        service=rolled.service,
        root_name=rolled.root_name,
        spans=rolled.spans,
        errors=rolled.errors,
        llm_calls=total.calls,
        unpriced_calls=total.unpriced,
        cost=str(total.cost),
        list_cost=str(total.list_cost),
        cache_savings=str(total.savings),
        error_cost=str(total.error_cost),
        usage=_ordered(total.usage),
        by_model=_tallies(rolled.by_model),
        by_agent=_tallies(rolled.by_agent),
        workflow=who.workflow,
        user=who.user,
        session=who.session,
        conversation=who.conversation,
        flags=rolled.flags,
        effective_cost=str(total.effective_cost) if total.effective_cost != total.cost else "",
        dimensions=dict(sorted(who.dimensions.items())),
    )


def _tallies(groups: Mapping[str, Sums]) -> dict[str, Tally]:
    return {key: sums.tally() for key, sums in sorted(groups.items())}


def model_of(call: LlmCall) -> str:
    """The name under which a call's cost is kept: what was priced, else what the span says."""
    return call.charge.priced_model or call.response_model or call.request_model


def _decisions(forest: Forest, bills: Bills) -> dict[bytes, Decision]:
    identities = pooled(resolve(forest), bills.winner)
    return {
        span_id: Decision(call, reason in BILLED, reason, identities[span_id])
        for span_id, reason in sorted(bills.reasons.items())
        if (call := forest.calls[span_id]).role != WITNESS
    }


def _start(held: Decision) -> tuple[int, bytes]:
    return held.call.start_ns, held.call.span_id


def _earliest_service(decisions: Iterable[Decision]) -> str:
    earliest = min(decisions, key=_start, default=None)
    return earliest.call.service if earliest else ""


def _add_up(billed: Iterable[Decision]) -> tuple[Sums, dict[str, Sums], dict[str, Sums]]:
    """The total, by model, by agent. A call is read once, then its group goes into all three."""
    groups: dict[tuple[str, str], Sums] = {}
    for held in billed:
        key = (model_of(held.call), held.identity.agent)
        if key not in groups:
            groups[key] = Sums()
        groups[key].add(held.call)
    total = Sums()
    by_model: dict[str, Sums] = {}
    by_agent: dict[str, Sums] = {}
    for (model, agent), sums in groups.items():
        if len(groups) == 1:  # most traces: the three are one
            return sums, {model: sums}, {agent: sums}
        total.merge(sums)
        by_model.setdefault(model, Sums()).merge(sums)
        by_agent.setdefault(agent, Sums()).merge(sums)
    return total, by_model, by_agent


def _whole(forest: Forest) -> bool:
    root = forest.root
    return (
        root is not None
        and not forest.orphans
        and not forest.cycles
        and forest.end_ns <= max(root.end_ns, forest.start_ns)
    )


def _flags(forest: Forest, bills: Bills) -> Iterator[str]:
    seen = set(bills.reasons.values())
    if CUMULATIVE in seen:
        yield "cumulative"
    if forest.cycles:
        yield "cycle"
    if DUPLICATE in seen:
        yield "duplicates"
    if FALLBACK in seen:
        yield "fallback"
    if forest.orphans:
        yield "orphans"
    if forest.roots > 1:
        yield "several_roots"
    yield from sorted(bills.flags)


def _ordered(usage: Mapping[str, int]) -> dict[str, int]:
    return {unit: usage[unit] for unit in sorted(usage)}
