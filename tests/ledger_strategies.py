"""Drawn records and traces for the laws of the ledger. No assertions here."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from costspan.model import (
    AGGREGATE,
    ALREADY_METERED,
    CUMULATIVE,
    LEAF,
    TOKEN_COUNTER,
    WITNESS,
    LlmCall,
)
from ledger_samples import Span, record, span
from trace_answers import price
from trace_drawing import ALL, Told, a_trace

_NAMES = st.sampled_from(["", "", "a", "b"])
_SAID = st.dictionaries(st.sampled_from(["team", "tenant"]), st.sampled_from(["x", "y"]))


@st.composite
def records(draw: st.DrawFn, *, wrappers: bool) -> LlmCall:
    """A record of any role; without wrappers only calls that nobody repeats."""
    roles = [LEAF, LEAF, LEAF, WITNESS]
    if wrappers:
        roles += [AGGREGATE, AGGREGATE, TOKEN_COUNTER, CUMULATIVE, ALREADY_METERED]
    role = draw(st.sampled_from(roles))
    unknown = role == WITNESS or draw(st.integers(0, 9)) == 0
    said = draw(_SAID)
    made = record(
        None if unknown else draw(st.integers(0, 9)),
        draw(st.integers(0, 3)),
        role=role,
        response_id=draw(st.sampled_from(["", "", "r1", "r2"])) if wrappers else "",
        model=draw(st.sampled_from(["m", "n"])),
        agent=draw(_NAMES),
        user=draw(_NAMES),
        dimensions=said,
        defaults=tuple(name for name in said if draw(st.booleans())),
    )
    if wrappers:
        _by_some_library(made, draw)
    return made


def _by_some_library(call: LlmCall, draw: st.DrawFn) -> None:
    """What decides who tells a call best, and whether two tell of one."""
    call.scope_name = draw(st.sampled_from(["app", "litellm", "logfire.openai"]))
    call.service = draw(st.sampled_from(["app", "app", "gateway"]))
    call.operation = draw(st.sampled_from(["chat", "chat", "", "execute_tool", "invoke_agent"]))
    call.cumulative = draw(st.integers(0, 3)) == 0
    if call.usage is not None and draw(st.booleans()):
        call.usage["cache_read"] = draw(st.integers(1, 3))


@st.composite
def traces(draw: st.DrawFn, *, wrappers: bool = True) -> list[Span]:
    """Spans whose parents may be missing, below them, or themselves; flat without wrappers."""
    size = draw(st.integers(1, 12))
    spans = []
    for number in range(1, size + 1):
        carries = draw(st.booleans())
        call = draw(records(wrappers=wrappers)) if carries else None
        spans.append(
            span(
                number,
                draw(st.integers(0, size + 1)) if wrappers else 99,
                start=draw(st.integers(0, 4)),
                end=draw(st.integers(0, 6)),
                status=draw(st.sampled_from([0, 2])),
                call=call,
            )
        )
    return spans


@st.composite
def drawn_traces(draw: st.DrawFn, kinds: Sequence[str] = ALL) -> list[Told]:
    """Traces that the oracle has an answer for."""
    return a_trace(lambda some: draw(st.sampled_from(some)), price, kinds)
