"""The totals of a trace by hand: all spans in memory, by recursion, and nothing of the ledger's."""

from __future__ import annotations

from collections.abc import Iterable

from trace_drawing import Told


class Truth:
    """What docs/counting.md says of a set of spans in which nothing is ambiguous."""

    def __init__(self, copies: Iterable[Told]) -> None:
        self.spans = {one.id: one for one in sorted(copies, key=lambda one: one.end)}
        self.up = {one.id: one.parent for one in self.spans.values()}
        for one in sorted(self.up):  # a circle is opened at its smallest id
            if self.up[self.way(one)[-1]] == one == min(self.way(one)):
                self.up[one] = 0
        ways = {one: self.way(one) for one in self.up}
        self.below = {one: [each for each in ways if one in ways[each][1:]] for one in ways}
        self.calls = {
            one for one, said in self.spans.items() if said.kind == "call" and said.tokens
        }
        self.billed = {one: said for one, said in self.spans.items() if self.bills(one)}

    def way(self, one: int, *on: int) -> tuple[int, ...]:
        """The span and all above it."""
        return self.way(self.up[one], *on, one) if one in self.up and one not in on else on

    def twins(self, one: int) -> set[int]:
        """The calls that are this one: by the answer's id, or one alone around the other."""
        if one not in self.calls:
            return set()
        said, inside = self.spans[one], self.calls.intersection
        near = {each for each in self.calls if {each} == inside(self.below[one])} | {
            each for each in self.calls if {one} == inside(self.below[each])
        }
        like = {each for each in near if self.spans[each][5:8] == said[5:8]}
        told = {each for each in self.calls if self.spans[each].answer == said.answer != ""}
        return (like | told) - {one}

    def bills(self, one: int) -> bool:
        if self.spans[one].kind == "sum":
            return not any(self.spans[each].tokens for each in self.below[one])
        return one in self.calls and one >= max(self.twins(one), default=0)

    def inclusive(self, one: int) -> tuple[int, int]:
        """(cost, calls) of a span with all that is below it."""
        spent = [self.billed[each] for each in (one, *self.below[one]) if each in self.billed]
        return sum(each.cost or 0 for each in spent), len(spent)

    def agent(self, *spans: int) -> str:
        """The first name at one of these, or above it."""
        names = [self.spans[up].agent for one in spans for up in self.way(one)]
        return next(filter(None, names), "")

    def transaction(self, one: int) -> int:
        over = self.spans[one].entry or self.up[one] not in self.up
        return one if over else self.transaction(self.up[one])
