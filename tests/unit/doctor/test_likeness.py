"""When two records in two traces look like one call, and what makes them two."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.doctor.likeness import Likenesses
from costspan.model import LlmCall
from ledger_samples import SECOND, START, record

FRAMEWORK, SDK = "framework", "sdk"


def call(scope: str, trace: int, begin: float = 0, end: float = 10, **more: Any) -> LlmCall:
    """A billed call between these seconds."""
    made = record(more.pop("tokens_in", 1000), 100, **more)
    made.scope_name, made.trace_id = scope, bytes([trace]) * 16
    made.start_ns, made.end_ns = START + round(begin * SECOND), START + round(end * SECOND)
    return made


def found(*calls: LlmCall) -> int:
    likenesses = Likenesses()
    for each in calls:
        likenesses.compare(each)
    return sum(times for times, _, _ in likenesses.found.values())


def test_equal_tokens_of_two_scopes_at_the_same_time_are_suspect() -> None:
    """In either order; each pair of calls once."""
    outer, inner = call(FRAMEWORK, 1), call(SDK, 2, 1, 9)

    assert found(outer, inner) == found(inner, outer) == 1
    assert found(outer, inner, outer, inner) == 2


@pytest.mark.parametrize(
    "other",
    [
        call(FRAMEWORK, 2, 1, 9),
        call(SDK, 1, 1, 9),
        call(SDK, 2, 5, 15),
        call(SDK, 2, 1, 9, tokens_in=1001),
        call(SDK, 2, 1, 9, response_id="r2"),
        call(SDK, 2, 1, 9, service="other"),
    ],
    ids=["scope", "trace", "time", "tokens", "response id", "service"],
)
def test_one_difference_makes_two_calls(other: LlmCall) -> None:
    assert found(call(FRAMEWORK, 1, response_id="r1"), other) == 0


def test_small_counts_prove_nothing() -> None:
    """A ping has as many tokens as any other."""
    outer, inner = call(FRAMEWORK, 1), call(SDK, 2, 1, 9)
    outer.usage = inner.usage = {"input": 8, "output": 2}

    assert found(outer, inner) == 0
