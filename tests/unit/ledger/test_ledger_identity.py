"""Whose a call and whose a trace is: who is asked first, and what of several values stands."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from costspan.ledger.rollup import Rollup, rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.model import WITNESS, LlmCall
from ledger_samples import Span, calls, ident, record, span

STAMP = Stamp(b"\x01" * 16, "w", 1, 1, "", "", 0)


def roll(*spans: Span) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans])


def dimensions_of(rolled: Rollup, number: int) -> Mapping[str, str]:
    return rolled.decisions[ident(number)].identity.dimensions


def witness(*, defaults: tuple[str, ...] = (), **said: str) -> LlmCall:
    return record(None, role=WITNESS, dimensions=said, defaults=defaults)


def call(*, cost: int = 1, defaults: tuple[str, ...] = (), **said: str) -> LlmCall:
    return record(cost=cost, dimensions=said, defaults=defaults)


def test_a_call_has_the_nearest_value_above_it() -> None:
    """Spans without a record in between are steps of the way."""
    rolled = roll(
        span(1, call=witness(team="outer", tenant="acme")),
        span(2, 1, call=witness(team="inner")),
        span(3, 2),
        span(4, 3, call=call(feature="chat")),
    )

    assert dimensions_of(rolled, 4) == {"team": "inner", "tenant": "acme", "feature": "chat"}


def test_a_value_of_ones_own_stands() -> None:
    rolled = roll(span(1, call=witness(team="above")), span(2, 1, call=call(team="own")))

    assert dimensions_of(rolled, 2) == {"team": "own"}


def test_what_a_span_above_says_goes_before_the_calls_resource() -> None:
    """A shared service has a team of its own, and works for the tenant of the request."""
    rolled = roll(
        span(1, call=witness(team="legal")),
        span(2, 1, call=call(team="platform", region="eu", defaults=("team", "region"))),
    )

    assert dimensions_of(rolled, 2) == {"team": "legal", "region": "eu"}


def test_the_calls_resource_goes_before_a_resource_above() -> None:
    """Two processes: the one that called the model is asked first."""
    rolled = roll(
        span(1, call=witness(team="front", tenant="acme", defaults=("team", "tenant"))),
        span(2, 1, call=call(team="back", defaults=("team",))),
    )

    assert dimensions_of(rolled, 2) == {"team": "back", "tenant": "acme"}


def test_a_resource_in_between_does_not_hide_what_a_span_further_up_says() -> None:
    rolled = roll(
        span(1, call=witness(team="legal")),
        span(2, 1, call=witness(team="platform", defaults=("team",))),
        span(3, 2, call=call(team="platform", defaults=("team",))),
    )

    assert dimensions_of(rolled, 3) == {"team": "legal"}


def test_siblings_and_spans_below_say_nothing_of_a_call() -> None:
    rolled = roll(
        span(1),
        span(2, 1, call=call()),
        span(3, 1, call=witness(team="sibling")),
        span(4, 2, call=witness(team="below")),
    )

    assert dimensions_of(rolled, 2) == {}


def test_a_call_whose_parent_is_lost_has_the_dimensions_of_the_root() -> None:
    rolled = roll(span(1, call=witness(tenant="acme")), span(3, 99, call=call()))

    assert dimensions_of(rolled, 3) == {"tenant": "acme"}


def test_the_billed_record_of_a_call_knows_what_its_doubles_say() -> None:
    """The gateway's span below is a double, and the only one that knows whose key it was."""
    rich = {"input": 90, "cache_read": 10, "output": 10}
    rolled = roll(
        span(1, call=record(usage=rich, response_id="r", user="ann")),
        span(2, 1, call=record(response_id="r", agent="proxy", dimensions={"team": "legal"})),
    )
    client, gateway = rolled.decisions.values()

    assert (client.billed, gateway.reason) == (True, "duplicate")
    assert (client.identity.user, client.identity.agent) == ("ann", "proxy")
    assert client.identity.dimensions == {"team": "legal"}
    assert rolled.by["agent"].keys() == {"proxy"}


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([span(1, call=witness(team="a")), span(2, 1, call=call(team="b"))], {"team": "a"}),
        ([span(1), span(2, 1, call=call(team="b"))], {"team": "b"}),
        (  # three cheap calls against a dear one
            [
                span(1),
                span(2, 1, call=call(cost=9, team="dear")),
                *(span(n, 1, call=call(cost=2, team="often")) for n in (3, 4, 5)),
            ],
            {"team": "dear"},
        ),
        (
            [span(1), *(span(n, 1, call=call(team=t)) for n, t in ((2, "b"), (3, "a"), (4, "b")))],
            {"team": "b"},
        ),
        ([span(1), *(span(n, 1, call=call(team=t)) for n, t in ((2, "b"), (3, "a")))],
         {"team": "a"}),
        (  # the root's resource stands for a process, the call speaks of itself
            [
                span(1, call=witness(team="platform", defaults=("team",))),
                span(2, 1, call=call(team="legal")),
            ],
            {"team": "legal"},
        ),
        ([span(1, call=witness(team="a", defaults=("team",))), span(2, 1, call=call())],
         {"team": "a"}),
    ],
    ids=["root", "call", "cost", "calls", "name", "resource", "only-resource"],
)  # fmt: skip
def test_a_trace_has_one_value_of_a_dimension(
    spans: list[Span], expected: Mapping[str, str]
) -> None:
    """The root's word, else what cost most, then most calls, then the first by name."""
    assert totals(roll(*spans), STAMP).dimensions == expected
