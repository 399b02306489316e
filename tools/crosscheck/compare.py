"""Asks the pricer for every rate of LiteLLM's map and says where the answers differ. No files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from crosscheck.names import Named, named
from crosscheck.rates import Rate, rates, rounded

from costspan_pricing import Context, Pricer, Quote, Reason, Usage

_MILLION = 10**6
# Not a disagreement: the book does not know the model by this name, or not at this time.
_ABSENT = {
    Reason.UNKNOWN_MODEL,
    Reason.ALIAS_MISSING,
    Reason.NO_PROVIDER,
    Reason.NO_RATE_AT_TIME,
}


class Difference(NamedTuple):
    """A rate on which the two do not agree. Dollars per million tokens; `ours` None: no rate."""

    provider: str
    key: str  # the entry in LiteLLM's map
    rate: str  # Rate.label
    theirs: Decimal
    ours: Decimal | None
    marks: tuple[str, ...]

    def __str__(self) -> str:
        ours = "none" if self.ours is None else f"{self.ours:f}"
        said = f" ({', '.join(self.marks)})" if self.marks else ""
        return f"{self.provider} {self.key} {self.rate}: {self.theirs:f}, ours {ours}{said}"


class Comparison(NamedTuple):
    """What came out. `skipped`: why rates were not compared."""

    agree: int
    differences: tuple[Difference, ...]
    skipped: Mapping[str, int]


def compare(entries: Mapping[str, Mapping[str, Any]], pricer: Pricer, at: datetime) -> Comparison:
    """Every rate for tokens of every entry whose provider the book has."""
    agree = 0
    differences: list[Difference] = []
    skipped: Counter[str] = Counter()
    for key, entry in entries.items():
        name = named(key, str(entry.get("litellm_provider", "")))
        if name is None:
            skipped["entries of other providers, or not by the token"] += 1
            continue
        for answer in _answers(name, entry, pricer, at):
            if isinstance(answer, str):
                skipped[answer] += 1
            elif answer.ours == answer.theirs:
                agree += 1
            else:
                differences.append(answer._replace(key=key))
    return Comparison(agree, tuple(differences), skipped)


def _answers(
    name: Named, entry: Mapping[str, Any], pricer: Pricer, at: datetime
) -> Iterator[Difference | str]:
    """With prices by the hour LiteLLM's own are those of the peak; `at` is off peak."""
    off_peak = entry.get("off_peak_pricing")
    if off_peak:
        yield from _asked(name, rates(off_peak), pricer, at)
        at = _peak(at)
    yield from _asked(name, rates(entry), pricer, at)


def _peak(at: datetime) -> datetime:
    """The next working day's 02:00 UTC: DeepSeek's peak, the only one that LiteLLM has."""
    day = at.replace(hour=2, minute=0)
    while day.isoweekday() > 5:  # noqa: PLR2004 (Friday)
        day += timedelta(days=1)
    return day


def _asked(
    name: Named, every: Iterable[Rate], pricer: Pricer, at: datetime
) -> Iterator[Difference | str]:
    for rate in every:
        said: dict[str, Any] = {**name.place, **rate.context}
        context = Context(name.provider, name.model, at, **said)
        quote = pricer.quote(_usage(rate), context)
        yield _answer(name.provider, rate, quote)


def _usage(rate: Rate) -> Usage:
    """One token of the unit, and as long a prompt as the rate is for."""
    counts = {rate.unit: 1}
    if rate.unit == "reasoning":
        counts["output"] = 1
    if rate.over:
        counts["input"] = rate.over + 1
    return Usage(counts)


def _answer(provider: str, rate: Rate, quote: Quote) -> Difference | str:
    theirs = (rate.usd * _MILLION).normalize()
    if quote.reason in _ABSENT:
        return f"{quote.reason}"
    if quote.status != "priced":
        if not theirs:
            return "free there, no rate here"
        return Difference(provider, "", rate.label, theirs, None, quote.assumed)
    lines = {line.unit.value: line for line in quote.lines}
    line = lines.get(rate.unit) or lines["output"]  # reasoning at the rate of output has no line
    ours = rounded(Decimal(line.usd_per_unit).scaleb(-12))
    return Difference(provider, "", rate.label, theirs, ours, quote.assumed)
