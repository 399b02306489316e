"""A roll-up as a row of `trace_totals_parts`, bounded; equal roll-ups give equal rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costspan.ledger.branches import Branch
from costspan.ledger.rollup import Rollup
from costspan.ledger.sums import AGENT, MODEL, Sums, ordered
from costspan.ledger.tree import Tree, grow
from costspan.model import OTHER, BranchTotals, Tally, TraceTotals, TransactionTotals

# A row is for reading a trace, not for holding it: beyond these numbers the rest is one group.
_MOST_KEYS = 256
_MOST_TRANSACTIONS = 1000
_MOST_BRANCHES = 1000
GROWING, LOOP = "growing", "loop"  # flags of a trace: see `waste`, `loops`


class Stamp(NamedTuple):
    """What makes a roll-up one version of one row."""

    trace_id: bytes
    writer: str
    generation: int
    version: int
    reason: str
    grade: str
    arrived_ns: int


def totals(rolled: Rollup, stamp: Stamp) -> TraceTotals:
    """The row of a trace. Equal roll-ups give equal rows, byte by byte."""
    total, who, tree = rolled.total, rolled.identity, grow(rolled)
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
        usage=ordered(total.usage),
        by_model=_tallies(rolled.by[MODEL]),
        by_agent=_tallies(rolled.by[AGENT]),
        workflow=who.workflow,
        user=who.user,
        session=who.session,
        conversation=who.conversation,
        flags=_flags(rolled, tree),
        effective_cost=str(total.effective_cost) if total.effective_cost != total.cost else "",
        dimensions=dict(sorted(who.dimensions.items())),
        by={facet: _bounded(group) for facet, group in tree.facets.items()},
        agents=_agents(tree.agents),
        transactions=_transactions(rolled),
        branches=_branches(rolled, tree),
        root_span_id=rolled.forest.root.span_id if rolled.forest.root else b"",
        retries=tree.waste.retries,
        retry_cost=str(tree.waste.retry_cost),
        failed_cost=str(tree.failed_cost),
        repeated_tools=tree.repeated_tools,
        repeated_tool_cost=str(tree.repeated_tool_cost),
        coordination_cost=str(tree.coordination_cost),
        llm_duration_ns=tree.busy.together,
        llm_busy_ns=tree.busy.apart,
    )


def _flags(rolled: Rollup, tree: Tree) -> tuple[str, ...]:
    found = (GROWING,) if tree.waste.growing else ()
    return (*rolled.flags, *found, LOOP) if tree.repeated_tools else (*rolled.flags, *found)


def _tallies(groups: Mapping[str, Sums]) -> dict[str, Tally]:
    """By name. Too many: those that cost most, the rest together."""
    if len(groups) <= _MOST_KEYS:
        return {key: sums.tally() for key, sums in sorted(groups.items())}
    dearest = sorted(groups, key=lambda key: (-groups[key].cost, key))
    rest = Sums()
    kept = set(dearest[:_MOST_KEYS]) - {OTHER}  # a value of that name is of the rest
    for key in groups.keys() - kept:
        rest.merge(groups[key])
    tallies = {key: groups[key].tally() for key in sorted(kept)}
    return tallies | {OTHER: rest.tally()}


def _bounded(group: dict[str, Tally]) -> dict[str, Tally]:
    """Of a facet with too many values those that cost most, the rest together."""
    if len(group) <= _MOST_KEYS:
        return group
    dearest = sorted(group, key=lambda value: (-int(group[value].cost), value))
    kept = set(dearest[:_MOST_KEYS]) - {OTHER}
    rest = [group[value] for value in group.keys() - kept]
    other = Tally(str(sum(int(one.cost) for one in rest)), sum(one.calls for one in rest))
    return {value: group[value] for value in sorted(kept)} | {OTHER: other}


def _agents(agents: Mapping[str, Branch]) -> dict[str, Tally]:
    """Not more than the dearest: overlapping sums have no rest that could be added up."""
    dearest = sorted(agents, key=lambda name: (-agents[name].cost, name))
    return {name: _spent(agents[name]) for name in sorted(dearest[:_MOST_KEYS])}


def _spent(branch: Branch) -> Tally:
    usage = {"input": branch.input_tokens, "output": branch.output_tokens}
    return Tally(str(branch.cost), branch.calls, usage)


def _transactions(rolled: Rollup) -> tuple[TransactionTotals, ...]:
    sums = rolled.transactions
    kept = sorted(sums, key=lambda span_id: (-sums[span_id].cost, span_id))
    services = _services(rolled)
    rows = [
        _transaction(span_id, sums[span_id], rolled, services[span_id])
        for span_id in kept[:_MOST_TRANSACTIONS]
    ]
    if len(kept) > _MOST_TRANSACTIONS:
        rest = Sums()
        for span_id in kept[_MOST_TRANSACTIONS:]:
            rest.merge(sums[span_id])
        rows.append(_transaction(b"", rest, rolled, ""))
    return tuple(rows)


def _services(rolled: Rollup) -> dict[bytes, str]:
    """Of every transaction the service of its earliest call."""
    earliest: dict[bytes, tuple[int, bytes, str]] = {}
    for span_id, held in rolled.decisions.items():
        if held.billed:
            call = (held.call.start_ns, span_id, held.call.service)
            earliest[held.transaction] = min(earliest.get(held.transaction, call), call)
    return {transaction: service for transaction, (_, _, service) in earliest.items()}


def _transaction(span_id: bytes, sums: Sums, rolled: Rollup, service: str) -> TransactionTotals:
    node = rolled.forest.nodes.get(span_id)
    call = rolled.forest.calls.get(span_id)
    start, end = (node[2], node[3]) if node else (rolled.start_ns, rolled.end_ns)
    return TransactionTotals(
        span_id=span_id,
        service=call.service if call else service,
        name=call.name if call else "",
        start_ns=start,
        end_ns=max(start, end),
        calls=sums.calls,
        unpriced_calls=sums.unpriced,
        cost=str(sums.cost),
        list_cost=str(sums.list_cost),
        effective_cost=str(sums.effective_cost),
        cache_savings=str(sums.savings),
        error_cost=str(sums.error_cost),
        usage=ordered(sums.usage),
    )


def _branches(rolled: Rollup, tree: Tree) -> tuple[BranchTotals, ...]:
    inner = list(tree.branches.values())
    if len(inner) > _MOST_BRANCHES:
        topmost = sorted(inner, key=lambda branch: (branch.depth, branch.preorder))
        inner = sorted(topmost[:_MOST_BRANCHES], key=lambda branch: branch.preorder)
    agents: dict[bytes, str] = {}
    rows = []
    for branch in inner:  # parents come first
        who = rolled.identities.get(branch.span_id)
        agent = agents[branch.span_id] = who.agent if who else agents.get(branch.parent, "")
        call = rolled.forest.calls.get(branch.span_id)
        rows.append(_branch(branch, call.name if call else "", agent))
    return tuple(rows)


def _branch(branch: Branch, name: str, agent: str) -> BranchTotals:
    return BranchTotals(
        span_id=branch.span_id,
        parent_span_id=branch.parent,
        name=name,
        agent=agent,
        depth=branch.depth,
        preorder=branch.preorder,
        own_cost=str(branch.own_cost),
        cost=str(branch.cost),
        calls=branch.calls,
        input_tokens=branch.input_tokens,
        output_tokens=branch.output_tokens,
    )
