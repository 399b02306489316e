"""The pricer: quotes, and resolved rates remembered. No rules here: `resolution` has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC

from costspan_pricing.book import PriceBook
from costspan_pricing.explanation import Explanation, explanation
from costspan_pricing.quote import Context, Quote, Reason
from costspan_pricing.ratecard.shape import Match, RateCard
from costspan_pricing.resolution import resolve
from costspan_pricing.tariff import Miss, Provisioned, Tariff
from costspan_pricing.usage import Usage

MAX_TARIFFS = 2048  # distinct contexts remembered, misses included: 1 to 2 KiB each
_NO_USAGE = Quote("unpriced", Reason.NO_USAGE)


class Pricer:
    """Quotes usages against one book. Thread-safe: what it remembers can be computed again.

    `cards`: the rate cards in force, each within its own dates and scope.
    """

    def __init__(self, book: PriceBook, cards: Iterable[RateCard] = ()) -> None:
        self.book = book
        self.cards = tuple(cards)
        # resource attributes that some card asks for: nothing else of a resource moves a price
        self.resource_keys = frozenset(_resource_keys(self.cards))
        self._asked = tuple(sorted(self.resource_keys))
        self._tariffs: dict[tuple[object, ...], Tariff | Provisioned | Miss] = {}

    def quote(self, usage: Usage | None, context: Context) -> Quote:
        """The price of a call, or the reason why there is none. Never raises for data."""
        if usage is None:
            return _NO_USAGE
        at = context.at
        key: tuple[object, ...] = (
            context.provider, context.model, context.tier, context.batch, context.speed,
            context.geo, context.region, context.deployment, context.search, at.tzinfo is None,
        )  # fmt: skip
        if self._asked:
            key += tuple(map(context.resource.get, self._asked))
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        tariff = self._tariffs.get(key)
        if tariff is None or not tariff.start <= at < tariff.end:
            tariff = resolve(self.book, self.cards, context, at.astimezone(UTC)).tariff
            if len(self._tariffs) >= MAX_TARIFFS:
                self._tariffs.clear()  # hostile names; the working set comes back in microseconds
            self._tariffs[key] = tariff
        return tariff.quote(usage)

    def forget(self) -> None:
        """Drop what is remembered; the next quotes resolve their rates anew."""
        self._tariffs.clear()

    def explain(self, usage: Usage, context: Context) -> Explanation:
        """The same quote with the derivation of every rate in it. Resolved anew: not for loops."""
        at = context.at if context.at.tzinfo else context.at.replace(tzinfo=UTC)
        return explanation(resolve(self.book, self.cards, context, at.astimezone(UTC)), usage)


def _resource_keys(cards: Iterable[RateCard]) -> Iterator[str]:
    for card in cards:
        yield from card.scope
        matches: list[Match] = [
            entry.match
            for entries in (card.aliases, card.rates, card.discounts, card.capacity, card.showback)
            for entry in entries
        ]
        for match in matches:
            yield from match.resource
