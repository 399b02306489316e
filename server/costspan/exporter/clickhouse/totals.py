"""Totals of traces to columns: one row of `trace_totals_parts` per snapshot. Pure.

What a trace holds several of (transactions, inner spans) lies in arrays of its row: so a newer
version of the row replaces all of it at once, and nothing of an older one is left over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from costspan.exporter.clickhouse.rows import MONEY, TIME
from costspan.model import BranchTotals, Tally, TraceTotals, TransactionTotals
from costspan.wire import native
from costspan.wire.native import Amounts, Block

_TEXTS: dict[str, Callable[[TraceTotals], str]] = {
    "TraceId": lambda total: total.trace_id.hex(),
    "Writer": attrgetter("writer"),
    "Reason": attrgetter("reason"),
    "Grade": attrgetter("grade"),
    "ServiceName": attrgetter("service"),
    "RootName": attrgetter("root_name"),
    "Workflow": attrgetter("workflow"),
    "User": attrgetter("user"),
    "Session": attrgetter("session"),
    "Conversation": attrgetter("conversation"),
}
_COUNTS: dict[str, Callable[[TraceTotals], int]] = {
    "Generation": attrgetter("generation"),
    "Version": attrgetter("version"),
    "Spans": attrgetter("spans"),
    "Errors": attrgetter("errors"),
    "LlmCalls": attrgetter("llm_calls"),
    "UnpricedCalls": attrgetter("unpriced_calls"),
    "Retries": attrgetter("retries"),
    "SettledVersions": attrgetter("settles"),
    "RepeatedToolCalls": attrgetter("repeated_tools"),
    "LlmDurationNs": attrgetter("llm_duration_ns"),
    "LlmBusyNs": attrgetter("llm_busy_ns"),
}
_AMOUNTS: dict[str, Callable[[TraceTotals], str]] = {
    "CostUsd": attrgetter("cost"),
    "ListCostUsd": attrgetter("list_cost"),
    "EffectiveCostUsd": lambda total: total.effective_cost or total.cost,
    "CacheSavingsUsd": attrgetter("cache_savings"),
    "ErrorCostUsd": attrgetter("error_cost"),
    "RetryCostUsd": attrgetter("retry_cost"),
    "FailedCostUsd": attrgetter("failed_cost"),
    "RepeatedToolCostUsd": attrgetter("repeated_tool_cost"),
    "CoordinationCostUsd": attrgetter("coordination_cost"),
}
_TALLIES: dict[str, Callable[[TraceTotals], Mapping[str, Tally]]] = {
    "Model": attrgetter("by_model"),
    "Agent": attrgetter("by_agent"),
}


def totals_block(totals: Sequence[TraceTotals]) -> Block:
    """The rows. Raises ValueError for money beyond Decimal(38, 18)."""
    out, money = Block(len(totals)), Amounts()
    for column, text in _TEXTS.items():
        out.add(column, "String", native.texts(map(text, totals)))
    for column, number in _COUNTS.items():
        out.add(column, "UInt64", native.unsigned(list(map(number, totals))))
    for column, amount in _AMOUNTS.items():
        out.add(column, MONEY, money.column(map(amount, totals)))
    dimensions = [total.dimensions for total in totals]
    out.add("Dimensions", "Map(String, String)", native.text_map(dimensions))
    out.add("Arrived", TIME, native.signed([total.arrived_ns for total in totals]))
    out.add("Start", TIME, native.signed([total.start_ns for total in totals]))
    out.add("End", TIME, native.signed([total.end_ns for total in totals]))
    out.add("Usage", "Map(String, UInt64)", native.count_map([total.usage for total in totals]))
    for prefix, tallies in _TALLIES.items():
        _add_tallies(out, money, prefix, list(map(tallies, totals)))
    out.add("Flags", "Array(String)", native.array([total.flags for total in totals]))
    _add_inclusive(out, money, totals)
    _add_transactions(out, money, [total.transactions for total in totals])
    _add_branches(out, money, [total.branches for total in totals])
    return out


def _add_tallies(
    out: Block, money: Amounts, prefix: str, groups: Sequence[Mapping[str, Tally]]
) -> None:
    """Cost, calls and usage by key as flat maps, which the view can sum."""
    costs = [{key: tally.cost for key, tally in group.items()} for group in groups]
    calls = [{key: tally.calls for key, tally in group.items()} for group in groups]
    usages = [
        {
            f"{unit} {key}": number
            for key, tally in group.items()
            for unit, number in tally.usage.items()
        }
        for group in groups
    ]
    out.add(f"{prefix}CostUsd", f"Map(String, {MONEY})", money.map(costs))
    out.add(f"{prefix}Calls", "Map(String, UInt64)", native.count_map(calls))
    out.add(f"{prefix}Usage", "Map(String, UInt64)", native.count_map(usages))


def _add_inclusive(out: Block, money: Amounts, totals: Sequence[TraceTotals]) -> None:
    """What agents set off, and the facets that have no columns of their own."""
    agents = [total.agents for total in totals]
    facets = [_by_facet_and_value(total.by) for total in totals]
    for prefix, groups in (("AgentInclusive", agents), ("Facet", facets)):
        costs = [{key: tally.cost for key, tally in group.items()} for group in groups]
        calls = [{key: tally.calls for key, tally in group.items()} for group in groups]
        out.add(f"{prefix}CostUsd", f"Map(String, {MONEY})", money.map(costs))
        out.add(f"{prefix}Calls", "Map(String, UInt64)", native.count_map(calls))


def _by_facet_and_value(by: Mapping[str, Mapping[str, Tally]]) -> dict[str, Tally]:
    return {f"{facet} {value}": group[value] for facet, group in by.items() for value in group}


_TRANSACTION_TEXTS: dict[str, Callable[[TransactionTotals], str]] = {
    "SpanId": lambda one: one.span_id.hex(),
    "ServiceName": attrgetter("service"),
    "Name": attrgetter("name"),
}
_TRANSACTION_COUNTS: dict[str, Callable[[TransactionTotals], int]] = {
    "LlmCalls": attrgetter("calls"),
    "UnpricedCalls": attrgetter("unpriced_calls"),
}
_TRANSACTION_AMOUNTS: dict[str, Callable[[TransactionTotals], str]] = {
    "CostUsd": attrgetter("cost"),
    "ListCostUsd": attrgetter("list_cost"),
    "EffectiveCostUsd": attrgetter("effective_cost"),
    "CacheSavingsUsd": attrgetter("cache_savings"),
    "ErrorCostUsd": attrgetter("error_cost"),
}


def _add_transactions(
    out: Block, money: Amounts, groups: Sequence[Sequence[TransactionTotals]]
) -> None:
    ends = native.offsets(map(len, groups))
    every = [one for group in groups for one in group]
    for column, text in _TRANSACTION_TEXTS.items():
        told = native.texts(map(text, every))
        out.add(f"Transactions.{column}", "Array(String)", ends + told)
    for column, times in (
        ("Start", [one.start_ns for one in every]),
        ("End", [one.end_ns for one in every]),
    ):
        out.add(f"Transactions.{column}", f"Array({TIME})", ends + native.signed(times))
    for column, number in _TRANSACTION_COUNTS.items():
        counts = native.unsigned(list(map(number, every)))
        out.add(f"Transactions.{column}", "Array(UInt64)", ends + counts)
    for column, amount in _TRANSACTION_AMOUNTS.items():
        amounts = money.column(map(amount, every))
        out.add(f"Transactions.{column}", f"Array({MONEY})", ends + amounts)
    usage = native.count_map([one.usage for one in every])
    out.add("Transactions.Usage", "Array(Map(String, UInt64))", ends + usage)


_BRANCH_TEXTS: dict[str, Callable[[BranchTotals], str]] = {
    "SpanId": lambda one: one.span_id.hex(),
    "ParentSpanId": lambda one: one.parent_span_id.hex() if any(one.parent_span_id) else "",
    "Name": attrgetter("name"),
    "Agent": attrgetter("agent"),
}
_BRANCH_COUNTS: dict[str, Callable[[BranchTotals], int]] = {
    "Depth": attrgetter("depth"),
    "Preorder": attrgetter("preorder"),
    "LlmCalls": attrgetter("calls"),
    "InputTokens": attrgetter("input_tokens"),
    "OutputTokens": attrgetter("output_tokens"),
}


def _add_branches(out: Block, money: Amounts, groups: Sequence[Sequence[BranchTotals]]) -> None:
    ends = native.offsets(map(len, groups))
    every = [one for group in groups for one in group]
    for column, text in _BRANCH_TEXTS.items():
        told = native.texts(map(text, every))
        out.add(f"Branches.{column}", "Array(String)", ends + told)
    for column, number in _BRANCH_COUNTS.items():
        counts = native.unsigned(list(map(number, every)))
        out.add(f"Branches.{column}", "Array(UInt64)", ends + counts)
    for column, amounts in (
        ("OwnCostUsd", [one.own_cost for one in every]),
        ("CostUsd", [one.cost for one in every]),
    ):
        out.add(f"Branches.{column}", f"Array({MONEY})", ends + money.column(amounts))
