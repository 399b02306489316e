"""Limits of an open trace, watched call by call: cost, calls, repeats, growth, tools. Pure.

A signal is for stopping something while it happens. So it is looked for on arrival, with a few sums
for each trace, and fires once for each trace and limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from costspan.ledger.likeness import tokens
from costspan.ledger.sums import model_of
from costspan.model import LlmCall, Signal

COST, CALLS, REPEATS, GROWTH = "cost", "calls", "repeats", "growth"
TOOL_REPEATS = "tool_repeats"
_ATTOS = 10**18
_MOST_TOOLS = 256  # arguments of a trace that are remembered, those that came last
_MOST_AGENTS = 64  # of a trace; those beyond are watched as one


@dataclass(frozen=True, slots=True)
class Limits:
    """0 switches a limit off. A limit is passed by what is above it, not by what meets it."""

    cost: int = 0  # attos
    calls: int = 500
    # the same agent sends a model the same number of prompt tokens, one call after the other
    repeats: int = 10
    # an agent's prompts grow, call by call, to so many times the first
    growth_calls: int = 8
    growth_factor: float = 4.0
    # calls of one tool with the same arguments
    tool_repeats: int = 4


class _Agent(msgspec.Struct, gc=False):
    """The calls of one agent and model, in the order of their arrival."""

    prompt: int = -1
    same: int = 0  # calls in a row with this prompt
    first: int = 0  # of the row of growing prompts
    grown: int = 0  # how long that row is


_Called = tuple[str, str, str, str, bytes]
"""Service, scope, agent, tool, hash of the arguments: two libraries may tell of one call."""


class Watched(msgspec.Struct, gc=False):
    """The sums of one open trace."""

    cost: int = 0  # attos, of what counted on arrival: doubles may be among it
    calls: int = 0
    cost_checked: int = 0  # what `cost` has to reach before the roll-up is asked again
    calls_checked: int = 0
    agents: dict[tuple[str, str], _Agent] = {}
    tools: dict[_Called, int] = {}
    fired: frozenset[str] = frozenset()


Confirm = Callable[[], tuple[int, int]]
"""Cost (attos) and calls of the trace as far as it is here, without doubles."""


def watch(
    trace: Watched, call: LlmCall, limits: Limits, confirm: Confirm, at: int
) -> Iterator[Signal]:
    """Take a call in and yield the limits that it has passed. `at`: its arrival, ns.

    A model's call that is billed, or a tool's that states its arguments.
    """
    tool = bool(call.arguments)
    passed = _repeated(trace, call, limits) if tool else _passed(trace, call, limits, confirm)
    for name, value, limit in passed:
        if name not in trace.fired:
            trace.fired |= {name}
            yield Signal(call.trace_id, call.span_id, call.service, name, value, limit, at)


def _passed(
    trace: Watched, call: LlmCall, limits: Limits, confirm: Confirm
) -> Iterator[tuple[str, float, float]]:
    """What arrives may be told of twice: a sum above its limit is asked for without doubles.

    That is a roll-up, so it is not asked again before the sum could have passed the limit.
    """
    trace.calls += 1
    trace.cost += call.charge.attos or 0
    if limits.cost and COST not in trace.fired and trace.cost > trace.cost_checked:
        cost, _ = confirm() if trace.cost > limits.cost else (trace.cost, 0)
        if cost > limits.cost:
            yield COST, cost / _ATTOS, limits.cost / _ATTOS
        trace.cost_checked = trace.cost + limits.cost - cost
    if limits.calls and CALLS not in trace.fired and trace.calls > trace.calls_checked:
        _, calls = confirm() if trace.calls > limits.calls else (0, trace.calls)
        if calls > limits.calls:
            yield CALLS, calls, limits.calls
        trace.calls_checked = trace.calls + limits.calls - calls
    agent = _agent(trace, call)
    _count(agent, tokens(call)[0])
    if limits.repeats and agent.same > limits.repeats:
        yield REPEATS, agent.same, limits.repeats
    if limits.growth_calls and agent.grown >= limits.growth_calls:
        factor = agent.prompt / max(agent.first, 1)
        if factor > limits.growth_factor:
            yield GROWTH, factor, limits.growth_factor


def _repeated(trace: Watched, call: LlmCall, limits: Limits) -> Iterator[tuple[str, float, float]]:
    """Whose tool it is, is known only if it says so itself: the agent above it may come later."""
    if not limits.tool_repeats or TOOL_REPEATS in trace.fired:
        return
    who, tools = call.identity, trace.tools
    key = (call.service, call.scope_name, who.agent, who.tool or call.name, call.arguments)
    tools[key] = again = tools.pop(key, 0) + 1
    if len(tools) > _MOST_TOOLS:
        del tools[next(iter(tools))]
    if again > limits.tool_repeats:
        tools.clear()
        yield TOOL_REPEATS, again, limits.tool_repeats


def _agent(trace: Watched, call: LlmCall) -> _Agent:
    key = (call.identity.agent, model_of(call))
    if key not in trace.agents and len(trace.agents) >= _MOST_AGENTS:
        key = ("", "")
    return trace.agents.setdefault(key, _Agent())


def _count(agent: _Agent, prompt: int) -> None:
    agent.same = agent.same + 1 if prompt == agent.prompt else 1
    if agent.grown and prompt > agent.prompt:
        agent.grown += 1
    else:
        agent.first, agent.grown = prompt, 1
    agent.prompt = prompt
