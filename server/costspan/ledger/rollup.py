"""The roll-up of one trace: a pure function of the set of its records. No clock, no journal.

It never prices: it decides which of the charges count, says whose they are, and adds them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from costspan.ledger.billing import BILLED, DUPLICATE, FALLBACK, Bills, Known, bill
from costspan.ledger.forest import ROOT, Forest, Node, plant
from costspan.ledger.identity import of_trace, pooled, resolve
from costspan.ledger.places import Places
from costspan.ledger.sums import Placed, Sums, add_up
from costspan.model import (
    ALREADY_METERED,
    CUMULATIVE,
    WITNESS,
    Identity,
    LlmCall,
)


class Decision(NamedTuple):
    """What the trace says of one usage-bearing span."""

    call: (
        LlmCall  # as it arrived, of several copies the one that counts; with a model if it had none
    )
    billed: bool
    reason: str  # a billed_reason
    identity: Identity  # its own, gaps filled from the spans above
    transaction: bytes = ROOT  # the entry span above it, or itself
    root: bytes = ROOT  # the span without a parent above it; ROOT where the way up breaks off

    def corrected(self, version: int = 1) -> LlmCall:
        """A copy of the record that says what was decided."""
        return msgspec.structs.replace(
            self.call,
            billed=self.billed,
            billed_reason=self.reason,
            identity=self.identity,
            version=version,
            transaction=self.transaction,
            root=self.root if any(self.root) else b"",
        )


class Rollup(NamedTuple):
    """Everything that the records of a trace say together."""

    decisions: dict[bytes, Decision]  # by span id, usage-bearing spans only
    total: Sums
    by: dict[str, dict[str, Sums]]  # a facet (MODEL, AGENT, ...) -> its value, "" if none -> sums
    transactions: dict[bytes, Sums]  # by entry span
    forest: Forest
    identities: Mapping[bytes, Identity]  # of every record, gaps filled from those above
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
    winner: Mapping[bytes, bytes]  # every record of a call that is told twice -> who bills it


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
    identities = resolve(forest)
    decisions = _decisions(forest, bills, pooled(identities, bills.winner))
    billed = [held for held in decisions.values() if held.billed]
    grouped = add_up([Placed(held.call, held.identity, held.transaction) for held in billed])
    root = forest.calls.get(forest.root.span_id) if forest.root else None
    return Rollup(
        decisions=decisions,
        total=grouped.total,
        by=grouped.by,
        transactions=grouped.transactions,
        forest=forest,
        identities=identities,
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
        winner=bills.winner,
    )


def _decisions(
    forest: Forest, bills: Bills, identities: Mapping[bytes, Identity]
) -> dict[bytes, Decision]:
    places = Places(forest)
    return {
        span_id: Decision(
            _named(call, bills.models.get(span_id, "")),
            reason in BILLED,
            reason,
            identities[span_id],
            places.transaction(span_id),
            places.root(span_id),
        )
        for span_id, reason in sorted(bills.reasons.items())
        if (call := forest.calls[span_id]).role != WITNESS
    }


def _named(call: LlmCall, model: str) -> LlmCall:
    return msgspec.structs.replace(call, response_model=model) if model else call


def _start(held: Decision) -> tuple[int, bytes]:
    return held.call.start_ns, held.call.span_id


def _earliest_service(decisions: Iterable[Decision]) -> str:
    earliest = min(decisions, key=_start, default=None)
    return earliest.call.service if earliest else ""


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
