"""The store against the generator's own books: equal to the last digit, or said where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from costspan.demo.answers import Answers, Share
from costspan.demo.books import Entry, total, total_by, unpriced, wasted


class Difference(NamedTuple):
    """One number that both sides know and that is not the same."""

    what: str
    expected: str
    stored: str


def differences(answers: Answers, entries: Sequence[Entry]) -> list[Difference]:
    """Every number that differs; an empty list is the proof."""
    return [
        *_number("total", total(entries), answers.total),
        *_number("cache savings", sum(entry.savings for entry in entries), answers.savings),
        *_number("cost of failed calls", wasted(entries), answers.wasted),
        *_number("calls", len(entries), sum(trace.calls for trace in answers.traces)),
        *_number("unpriced calls", unpriced(entries), sum(row.calls for row in answers.unpriced)),
        *_table("trace", _by_trace(entries), {t.trace_id: t.cost for t in answers.traces}),
        *_table("agent", total_by(entries, lambda e: e.agent), _sums(answers.by_agent)),
        *_table("model", total_by(entries, lambda e: e.model), _sums(answers.by_model)),
        *_table("team", total_by(entries, lambda e: e.team), _sums(answers.by_team)),
        *_table("span", {e.span_id: e.cost for e in entries}, answers.span_costs),
    ]


def _by_trace(entries: Sequence[Entry]) -> dict[str, Decimal]:
    return dict.fromkeys((e.trace_id for e in entries), Decimal(0)) | total_by(
        entries, lambda entry: entry.trace_id
    )


def _sums(shares: Sequence[Share]) -> dict[str, Decimal]:
    return {share.name: share.cost for share in shares}


def _number(what: str, expected: Decimal | int, stored: Decimal | int) -> list[Difference]:
    if expected == stored:
        return []
    return [Difference(what, str(expected), str(stored))]


def _table(
    what: str, expected: Mapping[str, Decimal | None], stored: Mapping[str, Decimal | None]
) -> list[Difference]:
    return [
        Difference(f"{what} {key}", _text(expected, key), _text(stored, key))
        for key in sorted(expected.keys() | stored.keys())
        if key not in expected or key not in stored or expected[key] != stored[key]
    ]


def _text(table: Mapping[str, Decimal | None], key: str) -> str:
    if key not in table:
        return "nothing"
    value = table[key]
    return "no price" if value is None else str(value)
