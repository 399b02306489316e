"""Laws of counting: how a trace is cut into requests decides neither rows nor totals.

On spans it decides one thing: a double that comes without the span that is billed for it keeps a
cost. Traces are drawn as OTLP and take the line's own way: intake, ledger, rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan import testing, wire
from costspan.cli.price_document import document, evaluate
from costspan.journal.memory import MemoryJournal
from costspan.ledger.ledger import Closing, LedgerSettings, TraceLedger
from costspan.model import TRACES, WITNESS, Frame, LlmCall, TraceTotals, Value, decode_calls
from costspan.pipeline import Meter, Pipeline
from costspan.processor.enrich import CACHE_STATUS, OWN_KEYS, PRICE_REF, STATUS, TOTAL_EXACT
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock
from costspan_pricing import parse_usd
from hits import SECOND, START, small_pricer

TRACE = b"\x07" * 16
LATER = 3600 * SECOND  # every trace is forgotten by then
DOUBLE = ("duplicate", "covered")
LAW = settings(max_examples=250, deadline=None)
MODELS = (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("openai", "nobody-prices-it"))


# --- traces --------------------------------------------------------------------------------------


class Plan(NamedTuple):
    """A span and what is below it."""

    attributes: Mapping[str, Value]
    below: tuple[Plan, ...] = ()


class Truth(NamedTuple):
    """A call as the provider knows it."""

    provider: str
    model: str
    prompt: int
    cached: int  # of the prompt
    output: int
    answer: str  # its id


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    prompt = draw(st.integers(1, 6))
    cached = draw(st.integers(0, prompt))
    output, (provider, model) = draw(st.integers(0, 3)), draw(st.sampled_from(MODELS))
    answer = f"{model}-{prompt}-{cached}-{output}-{draw(st.integers(0, 1_000_000))}"
    return Truth(provider, model, prompt, cached, output, answer)


def told(truth: Truth, view: str, *, answer: bool = True) -> dict[str, Value]:
    """A call in the words of the GenAI conventions, with or without its cache, or OpenInference."""
    if view == "openinference":
        return {
            "openinference.span.kind": "LLM",
            "llm.provider": truth.provider,
            "llm.model_name": truth.model,
            "llm.token_count.prompt": truth.prompt,
            "llm.token_count.completion": truth.output,
        }
    said = testing.usage(truth.prompt, truth.output, truth.model)
    said["gen_ai.provider.name"] = truth.provider
    if view == "fine":
        said["gen_ai.usage.cache_read.input_tokens"] = truth.cached
    if answer:
        said["gen_ai.response.id"] = truth.answer
    return said


def under(plan: Plan, steps: int) -> Plan:
    """The plan below so many spans without usage."""
    for _ in range(steps):
        plan = Plan({"http.request.method": "POST"}, (plan,))
    return plan


VIEWS = st.sampled_from(["fine", "coarse", "openinference"])
STEPS = st.integers(0, 3)


@st.composite
def calls(draw: st.DrawFn) -> Plan:
    """One call, told by up to three libraries, one around the other, steps between them."""
    truth, plan = draw(truths()), None
    for _ in range(draw(st.integers(1, 3))):
        said = told(truth, draw(VIEWS), answer=draw(st.booleans()))
        plan = Plan(said) if plan is None else Plan(said, (under(plan, draw(STEPS)),))
    assert plan is not None
    if draw(st.integers(0, 7)) == 0:  # another costspan saw the innermost
        plan = metered(plan)
    return plan


def metered(plan: Plan) -> Plan:
    if plan.below:
        return Plan(plan.attributes, tuple(map(metered, plan.below)))
    return Plan({**plan.attributes, PRICE_REF: "book;model", TOTAL_EXACT: "1", STATUS: "priced"})


@st.composite
def fetched(draw: st.DrawFn) -> tuple[Plan, ...]:
    """An answer and, by the same library, the same answer again: fetched, or from a gateway."""
    truth = draw(truths())
    said = told(truth, draw(st.sampled_from(["fine", "coarse"])))
    again = Plan(said)
    if draw(st.booleans()):
        hit = {**told(truth, "fine"), "litellm.cache_hit": True}
        again = Plan(said, (under(Plan(hit), draw(STEPS)),))
    return Plan(said), again


@st.composite
def wrappers(draw: st.DrawFn, inside: st.SearchStrategy[Plan]) -> Plan:
    """An agent, with a sum of its own or without, or a step; calls and counters below it."""
    below = draw(st.lists(inside, max_size=3))
    if draw(st.booleans()):
        below += draw(fetched())
    if draw(st.booleans()):
        counter: dict[str, Value] = testing.usage(draw(st.integers(1, 9)), 0)
        below.append(Plan({**counter, "gen_ai.operation.name": "count_tokens"}))
    said: dict[str, Value] = {"http.request.method": "POST"}
    if draw(st.booleans()):
        said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": draw(AGENTS)}
        if draw(st.booleans()):
            said |= testing.usage(draw(st.integers(1, 20)), draw(st.integers(0, 9))) | said
    return Plan(said, tuple(below))


AGENTS = st.sampled_from(["a", "b"])
PLANS = st.recursive(calls(), wrappers, max_leaves=5)


def spans_of(plan: Plan, rng: random.Random) -> list[Span]:
    """The spans of a trace. What is below a span runs while it does; some of it at once."""
    ids, spans = count(1), list[Span]()

    def grow(plan: Plan, parent: bytes, start: int) -> int:
        span_id, at = next(ids).to_bytes(8, "big"), start + 1
        for child in plan.below:
            end = grow(child, span_id, at)
            at = end if rng.random() < 0.7 else at + 1  # the next begins after it, or beside it
        end = max(
            [
                start + 2,
                at,
                *(s.end_time_unix_nano - START + 1 for s in spans if s.parent_span_id == span_id),
            ]
        )
        spans.append(
            testing.span(
                plan.attributes,
                trace_id=TRACE,
                span_id=span_id,
                parent_span_id=parent,
                start_ns=START + start,
                end_ns=START + end,
            )
        )
        return end

    grow(plan, b"", 0)
    return spans


def scattered(spans: Sequence[Span], rng: random.Random) -> list[list[Span]]:
    """All spans in requests of any size, in any order, some requests again."""
    left = list(spans)
    rng.shuffle(left)
    requests = []
    while left:
        size = rng.randrange(1, len(left) + 1)
        requests.append(left[:size])
        left = left[size:]
    requests += rng.choices(requests, k=rng.randrange(len(requests) + 1))
    rng.shuffle(requests)
    return requests


# --- the line ------------------------------------------------------------------------------------

Attributes = dict[str, object]


class Line:
    """Intake, ledger and the rows of a store. Nothing is exported."""

    def __init__(self) -> None:
        self.telemetry = Telemetry()
        clock = ManualClock()
        journal = MemoryJournal([], 0, self.telemetry, clock)
        meter = Meter.by(small_pricer())
        self._pipeline = Pipeline(journal, meter, self.telemetry, clock)
        self._ledger = TraceLedger(LedgerSettings(), "w", self.telemetry)
        self._seq = count(1)
        self.rows: list[LlmCall] = []
        self.totals: list[TraceTotals] = []
        self.said: dict[bytes, list[Attributes]] = {}  # what we wrote, by span, a copy each
        self._calls: list[LlmCall] = []
        self._heads: list[wire.Head] = []

    def send(self, spans: Sequence[Span], now: int = 0) -> None:
        done = self._pipeline.intake(testing.request(*spans))
        assert not done.faults
        assert not done.uncounted
        before = {span.span_id: {kv.key for kv in span.attributes} for span in spans}
        for span in _spans(done.body):
            said = {kv.key: _value(kv) for kv in span.attributes}
            own = {k: v for k, v in said.items() if k in OWN_KEYS - before[span.span_id]}
            self.said.setdefault(span.span_id, []).append(own)
        heads = wire.heads(done.body)
        arrived = decode_calls(done.calls)
        wire.place(arrived, heads)
        self.rows += [call for call in arrived if call.role != WITNESS]
        for call in decode_calls(done.calls):
            call.ordinal = 0
            self._calls.append(call)
        self._heads += wire.unpack_heads(heads)
        frame = Frame(next(self._seq), 0, TRACES, 0, (), done.body, done.calls, done.items)
        self._ledger.add(frame, heads, now)

    def forget(self, now: int = LATER) -> None:
        self._take(self._ledger.expire(now))
        self._take(self._ledger.expire(now + LATER))

    def finish(self) -> Line:
        self._take(self._ledger.shutdown(2 * LATER))
        return self

    def _take(self, closings: list[Closing]) -> None:
        for closing in closings:
            self.totals.append(closing.totals)
            self.rows += closing.corrections

    def final(self) -> dict[bytes, bytes]:
        """`llm_calls FINAL` without versions. Rows of one version may not differ."""
        newest: dict[bytes, int] = {}
        for row in self.rows:
            newest[row.span_id] = max(newest.get(row.span_id, 0), row.version)
        final: dict[bytes, bytes] = {}
        for row in self.rows:
            if row.version == newest[row.span_id]:
                content = msgspec.msgpack.encode(msgspec.structs.replace(row, ordinal=0, version=0))
                assert final.setdefault(row.span_id, content) == content
        return final

    def total(self) -> list[dict[str, Any]]:
        """`trace_totals`: the newest row of each generation, without what tells them apart."""
        newest: dict[int, TraceTotals] = {}
        for row in self.totals:
            if row.generation not in newest or row.version > newest[row.generation].version:
                newest[row.generation] = row
        stamp = ("generation", "version", "reason", "grade", "arrived_ns", "writer")
        rows = [msgspec.structs.asdict(row) for row in newest.values()]
        return [{name: row[name] for name in row if name not in stamp} for row in rows]

    def priced(self) -> dict[str, Any]:
        """`costspan price --json` of the same requests."""
        return document(evaluate(self._calls, self._heads))

    def shown(self) -> int:
        """The sum of the costs on spans, each span once: its cheapest copy. In attos."""
        return sum(min(map(_cost, copies)) for copies in self.said.values())


def _spans(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _value(pair: Any) -> object:
    return getattr(pair.value, pair.value.WhichOneof("value"))


def _cost(own: Attributes) -> int:
    return parse_usd(str(own.get(TOTAL_EXACT, "0")))


def whole(spans: Sequence[Span]) -> Line:
    """One request holds the trace."""
    line = Line()
    line.send(spans)
    return line.finish()


def cut_up(spans: Sequence[Span], rng: random.Random) -> Line:
    line = Line()
    for part in scattered(spans, rng):
        line.send(part)
    return line.finish()


def billed(line: Line, reason: str = "") -> int:
    """What the trace is billed for, in attos; or the part of it that is billed for a reason."""
    return sum(
        parse_usd(span["cost_usd"] or "0")
        for span in line.priced()["spans"]
        if span["billed"] and reason in ("", span["billed_reason"])
    )


# --- laws ----------------------------------------------------------------------------------------

RANDOMS = st.randoms(use_true_random=False)
SOME_ORDER = random.Random(0)  # noqa: S311 (a repeatable disorder)
# What drawing found: cut up, another span of the same call is the one that keeps the cost.
KNOWN = Truth("openai", "gpt-4o", 1, 0, 0, "r")
NAMELESS = told(KNOWN, "fine", answer=False)
OUTER_AND_INNER_SHARE_AN_ID = Plan(
    told(KNOWN, "fine"), (Plan(NAMELESS, (under(Plan(told(KNOWN, "fine")), 3),)),)
)
HIT = Plan({**told(KNOWN, "fine"), "litellm.cache_hit": True})
ANSWERED_AGAIN_BY_A_GATEWAY = Plan(
    {"http.request.method": "POST"},
    (Plan(told(KNOWN, "fine")), Plan(told(KNOWN, "fine"), (under(HIT, 1),))),
)


@LAW
@given(PLANS, RANDOMS)
def test_rows_totals_and_offline_prices_do_not_know_how_the_trace_was_sent(
    plan: Plan, rng: random.Random
) -> None:
    """Permuted, split and repeated requests give the same `llm_calls FINAL`, totals and prices."""
    spans = spans_of(plan, rng)
    one, other = whole(spans), cut_up(spans, rng)
    assert one.final() == other.final()
    assert one.total() == other.total()
    assert one.priced()["traces"] == other.priced()["traces"]
    entries = {span["span_id"]: span for span in one.priced()["spans"]}
    for span in other.priced()["spans"]:
        assert span == entries[span["span_id"]] or span["billed_reason"] == "duplicate"
        entries[span["span_id"]] = (
            {} if span == entries[span["span_id"]] else entries[span["span_id"]]
        )


@LAW
@given(PLANS, RANDOMS)
def test_a_span_says_its_cost_or_that_it_is_a_double(plan: Plan, rng: random.Random) -> None:
    """Whatever it is sent with: all that it would say alone, or a status without any cost."""
    spans = spans_of(plan, rng)
    singly = Line()
    for span in spans:
        singly.send([span])
    alone = {span_id: said for span_id, (said,) in singly.said.items()}
    for line in (whole(spans), cut_up(spans, rng)):
        for span_id, copies in line.said.items():
            for said in copies:
                if said.get(STATUS) in DOUBLE:
                    assert said.keys() <= {STATUS, CACHE_STATUS}
                    assert TOTAL_EXACT in alone[span_id] or "unpriced" in alone[span_id].values()
                else:
                    assert said == alone[span_id]


@LAW
@example(OUTER_AND_INNER_SHARE_AN_ID, SOME_ORDER)
@example(ANSWERED_AGAIN_BY_A_GATEWAY, SOME_ORDER)
@given(PLANS, RANDOMS)
def test_the_costs_on_spans_add_up_to_the_trace(plan: Plan, rng: random.Random) -> None:
    """Exactly in one request, to no less in several; an aggregate's cost is on no span."""
    spans = spans_of(plan, rng)
    one = whole(spans)
    total, fallback = billed(one), billed(one, "fallback")
    if fallback:
        assert one.shown() >= total - fallback
    else:
        assert one.shown() == total
    assert cut_up(spans, rng).shown() >= one.shown()


@LAW
@given(PLANS, RANDOMS)
def test_metrics_count_each_call_once(plan: Plan, rng: random.Random) -> None:
    """Net they are the totals; if one request holds the trace nothing has to be taken back."""
    spans = spans_of(plan, rng)
    one, other = whole(spans), cut_up(spans, rng)
    for line in (one, other):
        metrics = line.telemetry
        net = metrics.cost.exact() - metrics.cost_retracted.exact()
        assert net == sum(int(row["cost"]) for row in line.total())
    if not billed(one, "fallback"):
        assert one.telemetry.cost_retracted.exact() == 0


@LAW
@given(PLANS, RANDOMS)
def test_what_is_sent_again_after_the_trace_is_forgotten_changes_nothing(
    plan: Plan, rng: random.Random
) -> None:
    """Cut up otherwise, a double may come back without its winner, and a winner beside a richer."""
    spans = spans_of(plan, rng)
    line = Line()
    for part in scattered(spans, rng):
        line.send(part)
    line.forget()
    before = line.final(), line.total()
    for part in scattered(spans, rng):
        line.send(part, now=2 * LATER)
    line.finish()
    assert before == (line.final(), line.total())
