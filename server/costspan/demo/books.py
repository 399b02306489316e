"""The generator's own ledger: what the workload must cost, by its own price list, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from costspan.demo.span import Call


class Entry(NamedTuple):
    """One model call as its provider would bill it. Ids are lower-case hex."""

    trace_id: str
    span_id: str
    service: str
    team: str
    agent: str
    call: Call
    failed: bool

    @property
    def cost(self) -> Decimal | None:
        """US dollars; None if nobody knows the price."""
        price = self.call.model.price
        return price.cost(self.call.tokens) if price else None

    @property
    def savings(self) -> Decimal:
        """US dollars that the cache saved (less than zero on a write)."""
        price = self.call.model.price
        return price.savings(self.call.tokens) if price else Decimal(0)

    @property
    def model(self) -> str:
        return self.call.model.request


def total(entries: Iterable[Entry]) -> Decimal:
    """The sum of what is known, in US dollars."""
    return sum((entry.cost or Decimal(0) for entry in entries), Decimal(0))


def total_by(entries: Iterable[Entry], key: Callable[[Entry], str]) -> dict[str, Decimal]:
    """US dollars under each key that holds at least one priced call."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        if entry.cost is not None:
            sums[key(entry)] = sums.get(key(entry), Decimal(0)) + entry.cost
    return sums


def wasted(entries: Iterable[Entry]) -> Decimal:
    """What calls cost that ended in an error."""
    return total(entry for entry in entries if entry.failed)


def unpriced(entries: Iterable[Entry]) -> int:
    """How many calls have no known price."""
    return sum(entry.cost is None for entry in entries)
