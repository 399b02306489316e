"""Laws of billing: the calls are drawn first, then told in many ways; the bill is what was drawn.

The truth is known by construction: it is never computed from records. So whatever is written down
about a call, by whom, how often and in which order, each is billed once, with all that is known.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from costspan.ledger.billing import Known, bill
from costspan.ledger.forest import plant
from costspan.ledger.rollup import Rollup, rollup
from costspan.model import AGGREGATE, LlmCall
from ledger_samples import Span, calls, record, span

LAYERS = ("opentelemetry.instrumentation.langchain", "opentelemetry.instrumentation.openai.v1",
          "litellm")  # fmt: skip


class Call(NamedTuple):
    """A call as it happened, and how each library around it tells of it."""

    fresh: int
    read: int
    output: int
    model: str
    layers: tuple[tuple[str, bool], ...]  # outermost first: (what it loses, whether it has the id)
    steps: bool  # spans of no concern lie between them
    beside: bool  # the outer two lie beside each other


class Agent(NamedTuple):
    """An agent, what it calls, and whether it repeats the sum."""

    parts: list[Call | Agent]
    sums: bool


@st.composite
def a_call(draw: st.DrawFn) -> Call:
    read = draw(st.sampled_from([0, 0, 40, 700]))
    told = st.tuples(
        st.sampled_from(["nothing", "cache", "cached tokens"] if read else ["nothing"]),
        st.booleans(),
    )
    layers = draw(
        st.permutations([*draw(st.lists(told, max_size=2)), ("nothing", draw(st.booleans()))])
    )
    if layers[0][0] == "nothing" and len(layers) == len(LAYERS):
        # Two that lost different things agree with neither the other nor, together, with a third.
        layers[1] = (layers[2][0], layers[1][1])
    return Call(
        draw(st.integers(100, 200)),
        read,
        draw(st.integers(1, 30)),
        draw(st.sampled_from(["gpt-4o", "gpt-4o-mini"])),
        tuple(layers),
        draw(st.booleans()),
        draw(st.booleans()),
    )


AGENTS = st.recursive(
    st.builds(Agent, st.lists(a_call(), min_size=1, max_size=3), st.booleans()),
    lambda inner: st.builds(
        Agent, st.lists(st.one_of(a_call(), inner), min_size=1, max_size=3), st.booleans()
    ),
    max_leaves=4,
)


def all_calls(agent: Agent) -> Iterator[Call]:
    for part in agent.parts:
        if isinstance(part, Call):
            yield part
        else:
            yield from all_calls(part)


def buckets(call: Call, loses: str = "nothing") -> dict[str, int]:
    if loses == "nothing" and call.read:
        return {"input": call.fresh, "cache_read": call.read, "output": call.output}
    return {"input": call.fresh + (call.read if loses == "cache" else 0), "output": call.output}


class Writer:
    """Writes down what happened: one call after the other, libraries around each other."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.number = 0
        self.now = 0.0

    def _span(self, parent: int, start: float, end: float, call: LlmCall | None = None) -> int:
        self.number += 1
        self.spans.append(span(self.number, parent, start=start, end=end, call=call))
        return self.number

    def agent(self, agent: Agent, parent: int = 0) -> None:
        truth = list(all_calls(agent))
        totals = sum((Counter(buckets(call)) for call in truth), Counter[str]())
        said = record(usage=totals if agent.sums else None, role=AGGREGATE, agent="a")
        said.operation, said.kind = "invoke_agent", 1
        own = self._span(parent, self.now, self.now + 100 * len(truth), said)
        for part in agent.parts:
            if isinstance(part, Agent):
                self.agent(part, own)
            else:
                self.call(part, own)

    def call(self, call: Call, parent: int) -> None:
        response_id = f"chatcmpl-{self.number}"
        start, end = self.now, self.now + 90
        beside = call.beside and len(call.layers) > 1
        for depth, (loses, has_id) in enumerate(call.layers):
            said = record(
                usage=buckets(call, loses),
                model=call.model,
                response_id=response_id if has_id else "",
            )
            said.scope_name = LAYERS[depth]
            own = self._span(parent, start + depth, end - depth, said)
            if not (beside and depth == 0):
                parent = own
            if call.steps and not beside:
                parent = self._span(parent, start + depth, end - depth)
        self.now += 100


def truth_of(agent: Agent) -> dict[str, tuple[int, Counter[str]]]:
    """By model: calls and tokens."""
    found: dict[str, tuple[int, Counter[str]]] = {}
    for call in all_calls(agent):
        count, sums = found.get(call.model, (0, Counter()))
        found[call.model] = (count + 1, sums + Counter(buckets(call)))
    return found


def told_by(rolled: Rollup) -> Mapping[str, tuple[int, Counter[str]]]:
    return {name: (sums.calls, Counter(sums.usage)) for name, sums in rolled.by["model"].items()}


def written(agent: Agent) -> list[Span]:
    writer = Writer()
    writer.agent(agent)
    return writer.spans


@given(AGENTS, st.randoms(use_true_random=False))
def test_each_call_is_billed_once_with_all_that_anybody_knows(
    agent: Agent, rng: random.Random
) -> None:
    """In any order, with spans that came twice."""
    spans = written(agent)
    spans += rng.choices(spans, k=rng.randrange(len(spans)))
    rng.shuffle(spans)
    rolled = rollup(calls(spans), [one.head[1:] for one in spans])
    assert told_by(rolled) == truth_of(agent)
    assert "uncovered_usage" not in rolled.flags


@given(AGENTS)
def test_what_was_billed_in_an_earlier_generation_is_not_billed_again(agent: Agent) -> None:
    """All spans come again after the trace was closed: calls with an id are known."""
    spans = written(agent)
    forest = plant(calls(spans), [one.head[1:] for one in spans])
    first = bill(forest)
    known = Known(first.left.responses)
    again = bill(forest, known)
    for span_id, reason in again.reasons.items():
        if forest.calls[span_id].response_id:
            assert reason not in {"leaf", "fallback"}
