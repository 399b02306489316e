"""Traces as they were made, one record a span, and how they are drawn. No records of the ledger.

Whatever is drawn here has one reading by docs/counting.md: of two tellers of a call the later one
bills, a call around others counts more than all of them, and what nobody prices is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

MISSING = 90  # a parent that never comes
BEGUN = 1000  # added to the ids of spans, for what is sent when they begin
LONG = 10_000  # the end of what is around others
STEP = 10  # between two beginnings, so that no two spans begin at once
PRICED = ("m", "n")
UNPRICED = "u"
AROUND = ("o", "p")  # the models of calls around others


class Told(NamedTuple):
    """A span as it was made. Of several with one id the one that ended last counts."""

    id: int
    parent: int = 0  # 0: none
    start: int = 0
    end: int = 0
    # agent: says whose; tool; sum: of what is below; call; begun: see `announced`
    kind: str = "plain"
    tokens: tuple[int, int] | None = None
    cost: int | None = None  # attos
    model: str = ""
    answer: str = ""  # the response's id
    agent: str = ""
    failed: bool = False
    entry: bool = False  # into a process
    arguments: str = ""  # of a tool


Pick = Callable[[Sequence[Any]], Any]  # one of several
Price = Callable[[str, tuple[int, int]], int | None]  # (model, tokens) -> attos


class Draft:
    """A trace that is being drawn."""

    def __init__(self, pick: Pick, price: Price) -> None:
        self._pick, self._price = pick, price
        self.spans: list[Told] = []
        self._inner: list[int] = []  # spans that others may be below
        self._around = list(AROUND)

    def grow(self, kinds: Sequence[str]) -> None:
        """One more span, or two that tell of one call."""
        getattr(self, "_" + self._pick(kinds))()

    def bend(self) -> None:
        """Put a span below another, or itself: a circle, if that one is below it."""
        inner = [one for one in self.spans if one.id in self._inner]
        if inner:
            one = self._pick(inner)
            self.spans[one.id - 1] = one._replace(parent=self._pick(inner).id)

    def _plain(self) -> None:
        entry, failed = self._pick([False, False, True]), self._pick([False, False, True])
        self._inner.append(self._add(end=self._end(), entry=entry, failed=failed))

    def _agent(self) -> None:
        name = self._pick(["a", "b", "c"])
        self._inner.append(self._add(kind="agent", end=LONG, agent=name))

    def _tools(self) -> None:
        """Calls of a tool, some of them with the same arguments."""
        for _ in range(self._pick([1, 4, 6])):
            said = self._pick(["x", "x", "x", "y"])
            self._inner.append(self._add(kind="tool", end=self._end(), arguments=said))

    def _sum(self) -> None:
        name = self._pick(["", "a", "b"])
        self._inner.append(self._add(kind="sum", end=LONG, agent=name, **self._used(PRICED)))

    def _call(self) -> None:
        self._add(**self._one_call())

    def _silent(self) -> None:
        self._add(kind="call", end=self._end(), model=self._pick(PRICED), failed=True)

    def _unpriced(self) -> None:
        self._add(kind="call", end=self._end(), **self._used((UNPRICED,)))

    def _around_others(self) -> None:
        """A call of its own, whatever is below it."""
        if self._around:
            model, tokens = self._around.pop(), (1_000_000, 1_000_000)
            cost = self._price(model, tokens)
            number = self._add(kind="call", end=LONG, tokens=tokens, model=model, cost=cost)
            self._inner.append(number)

    def _repeated(self) -> None:
        """One answer, told in two places."""
        said = self._one_call() | {"answer": f"answer {len(self.spans)}"}
        self._add(**said)
        self._add(**said | {"agent": self._pick(["", "c"])})

    def _wrapped(self) -> None:
        """A call told by two libraries, one around the other, with or without a step between."""
        said = self._one_call() | {"answer": self._pick(["", f"answer {len(self.spans)}"])}
        outer = self._add(**said | {"end": LONG})
        if self._pick([False, True]):
            outer = self._add(parent=outer, end=self._end())
        self._add(**said | {"parent": outer})

    def _one_call(self) -> dict[str, Any]:
        said = self._used(PRICED)
        name, failed = self._pick(["", "", "a", "b"]), self._pick([False, False, True])
        entry = self._pick([False, False, False, True])
        ends = {"kind": "call", "end": self._end(), "entry": entry}
        return {**said, **ends, "agent": name, "failed": failed}

    def _used(self, models: Sequence[str]) -> dict[str, Any]:
        model = self._pick(models)
        tokens = (self._pick(range(1, 9)), 0 if model == UNPRICED else self._pick(range(4)))
        return {"model": model, "tokens": tokens, "cost": self._price(model, tokens)}

    def _end(self) -> int:
        """After the start by this: nothing, or less than nothing, too."""
        lasts: int = self._pick([0, 5, 25, 100, -1])
        return (len(self.spans) + 1) * STEP + lasts

    def _add(self, **said: Any) -> int:
        number = len(self.spans) + 1
        parent = said.pop("parent", None)
        if parent is None:
            parent = self._pick([0, MISSING, *self._inner, *self._inner])
        self.spans.append(Told(number, parent, number * STEP, **said))
        return number


FLAT = ("plain", "agent", "tools", "call", "call", "silent", "unpriced", "repeated")
"""What is right however a trace is cut: nothing of it is told by a span around others."""
ALL = (*FLAT, "call", "sum", "wrapped", "around_others")


def a_trace(pick: Pick, price: Price, kinds: Sequence[str] = ALL, most: int = 9) -> list[Told]:
    """Up to 54 spans; ids count from 1."""
    draft = Draft(pick, price)
    for _ in range(pick(range(1, most + 1))):
        draft.grow(kinds)
    if pick([False, False, False, True]):
        draft.bend()
    return draft.spans


def copies_of(one: Told, pick: Pick, price: Price) -> list[Told]:
    """What may be sent beside a span: an earlier state of it."""
    if not one.tokens or one.answer or not pick([False, False, True]):
        return []
    before = one._replace(end=one.end - 1)
    if one.kind == "sum" and pick([False, True]):
        return [before._replace(kind="agent", tokens=None, cost=None, model="")]
    tokens = (one.tokens[0] + pick([1, 5]), one.tokens[1])
    return [before._replace(tokens=tokens, cost=price(one.model, tokens))]


def announced(one: Told) -> Told:
    """What may be sent when a span begins: no state of it, it has an id of its own."""
    return Told(one.id + BEGUN, one.id, one.start, one.start, "begun", agent=one.agent)
