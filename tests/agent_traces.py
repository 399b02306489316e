"""Traces as the libraries of agents make them; what was asked of providers is known beforehand.

Every call is drawn first, then told: by an SDK, by the framework around or beside it, by a gateway,
by agents that add up. docs/counting.md has one reading of each. No records of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.demo.models import EMBED, FLASH, GPT, HAIKU, IN_HOUSE, MINI, SONNET, Model, Tokens
from costspan.model import Value
from costspan.testing import SECOND, START, span

ATTOS = 10**18
MS = 1_000_000
DEPTH = 2  # agents above each other
Scope = tuple[str, str]
APP: Scope = ("app", "1")
FRAMEWORK: Scope = ("openinference.instrumentation.langchain", "0.1.60")
GATEWAY: Scope = ("litellm", "1")
SPRING: Scope = ("org.springframework.boot", "3.5.7")
SDKS: Mapping[str, Scope] = {
    "openai": ("opentelemetry.instrumentation.genai.openai", "1.3b0"),
    "anthropic": ("opentelemetry.instrumentation.genai.anthropic", "1.3b0"),
    "gcp.gemini": ("opentelemetry.instrumentation.google_genai", "1.3b0"),
    "acme.vllm": APP,
}


class Asked(NamedTuple):
    """A call as the provider knows it, and whose it is."""

    model: Model
    tokens: Tokens
    answer: str = ""  # its id
    agent: str = ""

    @property
    def cost(self) -> int | None:
        """In attos."""
        price = self.model.price
        return None if price is None else int(price.cost(self.tokens) * ATTOS)


@dataclass(eq=False)
class Made:
    """A span, and what is below it."""

    said: dict[str, Value] = field(default_factory=dict)
    below: list[Made] = field(default_factory=list)
    scope: Scope = APP
    service: str = "app"
    kind: int = 1
    failed: bool = False
    at_once: bool = False  # what is below it
    beside: Made | None = None  # begins while this one runs
    outlives: bool = False  # the span above it
    start: int = 0
    end: int = 0


Told = tuple[str, Scope, Span]
"""A span, and the service and the library that it is of."""


class Drawn(NamedTuple):
    """A trace: its spans, and the calls that it is to be billed for."""

    spans: list[Told]
    asked: list[Asked]


def a_trace(number: int, trace_id: bytes) -> Drawn:
    """One of any number; the same for the same number."""
    draft = _Draft(Random(number))  # noqa: S311  (repeatable)
    return Drawn(list(draft.spans(trace_id)), draft.asked)


class _Draft:
    """A trace that is being drawn."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.asked: list[Asked] = []
        agent = rng.choice(["", "lead"])
        tops = [top for _ in range(rng.randint(1, 3)) for top in self._some(agent, 0)]
        root = _agent(agent, tops) if agent else Made(below=tops, kind=rng.choice([1, 2]))
        self._roots = tops if not agent and rng.random() < 0.3 else [root]

    def spans(self, trace_id: bytes) -> Iterator[Told]:
        """All of them; ids are drawn, times are such that what is below runs meanwhile."""
        ids = iter(self._rng.sample(range(1, 10_000), 2000))
        skew = {"gateway": self._rng.choice([0, -7, 7]) * SECOND}
        at = START
        for root in self._roots:
            at = _lay(root, at, self._rng)
        stack = [(root, b"") for root in self._roots]
        while stack:
            made, parent = stack.pop()
            span_id, shift = next(ids).to_bytes(8), skew.get(made.service, 0)
            stack += [(one, span_id) for one in made.below]
            yield (
                *(made.service, made.scope),
                span(
                    made.said,
                    trace_id=trace_id,
                    span_id=span_id,
                    parent_span_id=parent,
                    kind=made.kind,
                    start_ns=made.start + shift,
                    end_ns=made.end + shift,
                    status=2 * made.failed,
                ),
            )

    def _some(self, agent: str, depth: int) -> list[Made]:
        if depth < DEPTH and self._rng.random() < 0.4:
            return self._agents(depth)
        kinds = [name for name in dir(self) if name.startswith("_told_")]
        return getattr(self, self._rng.choice(kinds))(agent)  # type: ignore[no-any-return]

    def _call(self, agent: str, model: Model | None = None, *, cached: bool = True) -> Asked:
        """Billed. No accident makes the tokens of two calls equal."""
        rng = self._rng
        model = model or rng.choice([GPT, MINI, SONNET, HAIKU, FLASH])
        read = rng.choice([0, rng.randint(1, 9999)]) if cached else 0
        tokens = Tokens(rng.randint(10**4, 10**5), rng.randint(10, 9999), read)
        answer = f"chatcmpl-{rng.getrandbits(60):x}"
        self.asked.append(Asked(model, tokens, answer, agent))
        return self.asked[-1]

    def _between(self, made: Made) -> Made:
        """Below some steps that say nothing."""
        for _ in range(self._rng.choice([0, 0, 1, 2])):
            made = Made({"http.request.method": "POST"}, [made])
        return made

    def _agents(self, depth: int) -> list[Made]:
        """With the sum of its calls, the usage of the last, of the conversation so far, or any."""
        name = self._rng.choice(["planner", "coder", "critic"])
        before = len(self.asked)
        below = [one for _ in range(self._rng.randint(1, 3)) for one in self._some(name, depth + 1)]
        mine = [one.tokens for one in self.asked[before:]]
        said = self._rng.choice(["nothing", "sum", "last", "conversation", "any"])
        usage: Tokens | None = None
        if mine and said != "nothing":
            all_so_far = [one.tokens for one in self.asked]
            sums = {"sum": mine, "last": mine[-1:], "conversation": all_so_far}
            usage = _sum(sums.get(said, [Tokens(self._rng.randint(1, 10**6), 7)]))
        made = _agent(name, below, usage)
        made.at_once = self._rng.random() < 0.3
        return [Made(_tool(), [made])] if self._rng.random() < 0.3 else [made]

    def _told_once(self, agent: str) -> list[Made]:
        return [self._rng.choice([_sdk, _framework])(self._call(agent))]

    def _told_around(self, agent: str) -> list[Made]:
        """By frameworks around the SDK; any of them may know the cache, and the answer's id."""
        asked, rng = self._call(agent), self._rng
        fine = rng.random() < 0.7
        made = _sdk(asked, fine=fine, answer=rng.random() < 0.5)
        for _ in range(rng.randint(1, 2)):
            coarse = fine and rng.random() < 0.5
            outer = _sdk(asked, fine=False) if coarse else _framework(asked)
            outer.scope, outer.kind, outer.below = FRAMEWORK, 1, [self._between(made)]
            made.outlives = outer.below == [made] and rng.random() < 0.3
            made = outer
        return [made]

    def _told_beside(self, agent: str) -> list[Made]:
        """Several at once; perhaps with equal tokens, and then without ids."""
        first, chain = self._call(agent), Made(at_once=True)
        for number in range(self._rng.randint(1, 3)):
            asked = first
            if number:
                same = self._rng.random() < 0.5
                asked = self._call(agent)
                if same:
                    asked = self.asked[-1] = first
            outer = _framework(asked)
            inner = _sdk(asked, answer=False)
            inner.beside = outer
            chain.below += [outer, inner]
        return [chain]

    def _told_by_a_gateway(self, agent: str) -> list[Made]:
        """In another process, by another clock."""
        asked = self._call(agent)
        behind = _sdk(asked)
        behind.scope = GATEWAY
        server = Made({"http.route": "/v1"}, [behind], kind=2)
        behind.service = server.service = "gateway"
        client = _sdk(asked, fine=False)
        client.below = [Made({"http.request.method": "POST"}, [server], kind=3)]
        return [client]

    def _told_behind_a_tool(self, agent: str) -> list[Made]:
        """A call that is open around a tool, and another that the tool makes."""
        answer = self._rng.random() < 0.5
        outer, inner = (_sdk(self._call(agent, GPT), answer=answer) for _ in range(2))
        outer.below = [Made(_tool(), [self._between(inner)])]
        return [outer]

    def _told_with_attempts(self, agent: str) -> list[Made]:
        """By a framework around them, as the last attempt or as the sum; some failed for free."""
        asked = [self._call(agent, GPT, cached=False) for _ in range(self._rng.randint(2, 3))]
        usage = self._rng.choice([asked[-1].tokens, _sum([one.tokens for one in asked])])
        outer = _framework(asked[-1]._replace(tokens=usage))
        for one in asked:
            made = _sdk(one, answer=False)
            made.failed = one is not asked[-1]
            outer.below.append(self._between(made))
        refused: dict[str, Value] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": GPT.request,
        }
        return [outer, Made({**refused, "error.type": "429"}, kind=3, failed=True)]

    def _told_by_agents_alone(self, _above: str) -> list[Made]:
        """Nobody saw the call itself: the innermost bills."""
        name = self._rng.choice(["x", "y"])
        asked = self._call(name)
        made = _agent(name, [], asked.tokens, asked.model)
        for _ in range(self._rng.randint(0, 2)):
            made = _agent(self._rng.choice(["x", "y"]), [made], asked.tokens, asked.model)
        return [made]

    def _told_as_a_sum(self, agent: str) -> list[Made]:
        """Embeddings in embeddings: all batches."""
        counts = [self._rng.randint(10**4, 10**5) for _ in range(self._rng.randint(1, 4))]
        asked = [Asked(EMBED, Tokens(count), agent=agent) for count in counts]
        self.asked += asked
        below = [self._between(_sdk(one, operation="embeddings")) for one in asked]
        outer = _sdk(Asked(EMBED, Tokens(sum(counts))), operation="embeddings")
        outer.scope, outer.below, outer.kind = FRAMEWORK, below, 1
        return [outer]

    def _told_as_a_running_sum(self, agent: str) -> list[Made]:
        """Spring AI 1.1: what each call of a tool loop says contains the ones before it."""
        prompts = sorted(self._rng.sample(range(50, 5000), self._rng.randint(1, 4)))
        sums = [Tokens(sum(prompts[: at + 1]), 9 * (at + 1)) for at in range(len(prompts))]
        below = [_sdk(Asked(GPT, one)) for one in sums]
        for one in below:
            one.scope = SPRING
        self.asked.append(Asked(GPT, sums[-1], agent=agent))
        return [Made(below=below)]

    def _told_again(self, agent: str) -> list[Made]:
        """An answer that is fetched; tokens that are counted before."""
        asked = self._call(agent)
        return [_sdk(asked, answer=False, operation="count_tokens"), _sdk(asked), _sdk(asked)]

    def _told_without_a_price(self, agent: str) -> list[Made]:
        self.asked.append(Asked(IN_HOUSE, Tokens(self._rng.randint(1, 999), 5), agent=agent))
        return [_sdk(self.asked[-1])]


def _sdk(asked: Asked, *, fine: bool = True, answer: bool = True, operation: str = "chat") -> Made:
    """`fine`: with what a cache served."""
    model, tokens = asked.model, asked.tokens
    said: dict[str, Value] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model.request,
        "gen_ai.response.model": model.response,
        "gen_ai.usage.input_tokens": tokens.prompt,
        "gen_ai.usage.output_tokens": tokens.output,
    }
    if fine and tokens.cache_read:
        said["gen_ai.usage.cache_read.input_tokens"] = tokens.cache_read
    if answer and asked.answer:
        said["gen_ai.response.id"] = asked.answer
    return Made(said, scope=SDKS[model.provider], kind=3)


def _framework(asked: Asked) -> Made:
    said: dict[str, Value] = {
        "openinference.span.kind": "LLM",
        "llm.provider": asked.model.provider.removeprefix("gcp."),
        "llm.model_name": asked.model.response,
        "llm.token_count.prompt": asked.tokens.prompt,
        "llm.token_count.completion": asked.tokens.output,
    }
    if asked.tokens.cache_read:
        said["llm.token_count.prompt_details.cache_read"] = asked.tokens.cache_read
    return Made(said, scope=FRAMEWORK)


def _agent(name: str, below: list[Made], usage: Tokens | None = None, model: Model = GPT) -> Made:
    said: dict[str, Value] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    if usage is not None:
        said |= {
            "gen_ai.provider.name": model.provider,
            "gen_ai.request.model": model.request,
            "gen_ai.usage.input_tokens": usage.prompt,
            "gen_ai.usage.output_tokens": usage.output,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        }
    return Made(said, below)


def _tool() -> dict[str, Value]:
    return {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}


def _sum(tokens: Sequence[Tokens]) -> Tokens:
    return Tokens(*(sum(amounts) for amounts in zip(*tokens, strict=True)))


def _lay(made: Made, at: int, rng: Random) -> int:
    """Give the span and what is below it their times. Return when it has ended."""
    made.start, then = at, at + rng.choice([0, 1, 5]) * MS
    ends = [then + rng.choice([1, 50, 3000]) * MS]
    for one in made.below:
        begins = one.beside.start + MS // 2 if one.beside else then
        ends.append(_lay(one, begins, rng))
        if one.beside:
            one.beside.end = max(one.beside.end, begins)
        then = then + rng.choice([0, 1]) * MS if made.at_once else ends[-1] + MS
    made.end = max(ends)
    for one in made.below:
        one.end += (made.end - one.end + MS) * one.outlives
    return made.end + MS
