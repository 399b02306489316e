"""Each model's quote is what the upstream data and the corrections say, read a second time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest

from costspan_pricing import Context, Pricer, Unit, Usage, load_book
from costspan_pricing.usage import PROMPT

pytest.importorskip("genai_prices")
import price_evidence as evidence

ATTOS = 10**18
# Counts that can't be mistaken for each other; an hour of audio, so that a rate per hour is exact.
COUNTS = {
    Unit.OUTPUT: 71, Unit.REASONING: 11, Unit.CACHE_READ: 31, Unit.CACHE_WRITE_5M: 37,
    Unit.CACHE_WRITE_1H: 41, Unit.CACHE_WRITE_12H: 43, Unit.AUDIO_INPUT: 47,
    Unit.AUDIO_OUTPUT: 53, Unit.IMAGE_INPUT: 59, Unit.IMAGE_OUTPUT: 61, Unit.CACHE_READ_AUDIO: 67,
    Unit.REQUESTS: 1, Unit.WEB_SEARCH: 3, Unit.SEARCH_UNIT: 5, Unit.CHARACTERS: 1009,
    Unit.AUDIO_SECONDS: 3600, Unit.IMAGES: 2,
}  # fmt: skip
FIELDS = {
    "service_tier": "tier", "processing": "batch", "speed": "speed", "search": "search",
    "geo": "geo", "region": "region", "deployment": "deployment",
}  # fmt: skip
STANDARD = {"default", "standard", "global"}


def usage(rates: Mapping[str, Fraction], prompt: int) -> dict[Unit, int]:
    """Some of every unit that has a rate; the prompt is as long as asked."""
    counts = {unit: number for unit, number in COUNTS.items() if unit in rates}
    if Unit.OUTPUT not in counts:
        counts.pop(Unit.REASONING, None)
    if Unit.INPUT in rates:
        counts[Unit.INPUT] = prompt - sum(counts.get(unit, 0) for unit in PROMPT)
    return counts


def cost(row: evidence.Row, rates: Mapping[str, Fraction], counts: Mapping[Unit, int]) -> int:
    """Attos; each line rounded half to even, within the bounds of what a call is billed for."""
    apart = dict(counts)
    if Unit.REASONING in apart:
        apart[Unit.OUTPUT] -= apart[Unit.REASONING]
    for unit, bounds in row.entry.get("billed", {}).items():
        if unit in apart:
            apart[unit] = max(bounds.get("least", 0), min(bounds.get("most", 10**9), apart[unit]))
    return sum(round(rates[unit] * number * ATTOS) for unit, number in apart.items())


def questions(row: evidence.Row) -> Iterable[tuple[datetime, dict[str, str], int]]:
    contexts = [
        context
        for context in evidence.contexts(row)
        if STANDARD.isdisjoint(context.values()) and context.keys() <= FIELDS.keys() | {"platform"}
    ]
    instants = evidence.instants(row)
    prompts = evidence.prompts(row, instants, contexts)
    return itertools.product(instants, contexts, prompts)


def mistakes(pricer: Pricer, row: evidence.Row, name: str) -> Iterator[str | None]:
    """For every question about a row None, or what was answered instead."""
    for at, stated, prompt in questions(row):
        rates = evidence.expected(row, at, stated, prompt)
        if rates == {}:
            continue  # nothing that a quote counts has a rate
        counts = usage(rates or {"input": Fraction(1)}, prompt)
        fields: dict[str, Any] = {FIELDS[k]: value for k, value in stated.items() if k in FIELDS}
        provider = stated.get("platform", row.provider)
        quote = pricer.quote(Usage(counts), Context(provider, name, at, **fields))
        want = None if rates is None else cost(row, rates, counts)
        if quote.total == want:
            yield None
        else:
            asked = f"{provider}/{name} at {at.isoformat()} in {stated}, {prompt} tokens"
            yield f"{asked}: expected {want}, got {quote.total} {quote.reason} {quote.assumed}"


def test_every_model_costs_what_its_sources_say() -> None:
    """Below, at and above each band, on each side of each date, in each context."""
    pricer = Pricer(load_book())
    answers: list[str | None] = []
    models = 0
    nameless = set()
    for row in evidence.rows():
        name = next(evidence.names(row), None)
        if name is None and evidence.gone(row):
            continue
        if name is None:
            nameless.add(f"{row.provider}/{row.id}")
            continue
        before = len(answers)
        answers += mistakes(pricer, row, name)
        models += len(answers) > before

    wrong = [answer for answer in answers if answer]
    assert not wrong, f"{len(wrong)} of {len(answers)}:\n" + "\n".join(wrong[:25])
    assert not nameless, "no name means these rows"
    assert models > 2500
    assert len(answers) > 9000
