"""What one request shows of where its calls are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from costspan.ledger.rollup import rollup
from costspan.wire.places import place
from ledger_samples import Span, calls, heads, ident, record, span

SERVER = 2


def entered(one: Span) -> Span:
    return one._replace(head=one.head._replace(kind=SERVER))


def placed(*spans: Span) -> list[tuple[bytes, bytes]]:
    told = calls(spans)
    place(told, heads(spans))
    return [(call.transaction, call.root) for call in told]


def test_a_call_is_in_the_transaction_of_the_entry_span_above_it() -> None:
    spans = (span(1), entered(span(2, 1)), span(3, 2), span(4, 3, call=record()))
    assert placed(*spans) == [(ident(2), ident(1))]


def test_nothing_is_said_where_a_span_on_the_way_is_missing() -> None:
    """It may be an entry span, and what is above it is not known."""
    assert placed(span(3, 2), span(4, 3, call=record())) == [(b"", b"")]
    assert placed(entered(span(3, 2)), span(4, 3, call=record())) == [(ident(3), b"")]


def test_a_root_that_is_a_call_is_its_own_transaction() -> None:
    assert placed(span(4, call=record())) == [(ident(4), ident(4))]


def test_traces_are_not_mixed_up_and_circles_end() -> None:
    other = b"\x02" * 16
    spans = (
        span(1), span(2, 1, call=record()),
        span(1, trace=other), span(2, 9, trace=other, call=record()),
        span(5, 6, call=record()), span(6, 5),
    )  # fmt: skip
    assert placed(*spans) == [(ident(1), ident(1)), (b"", b""), (b"", b"")]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_what_is_said_of_a_part_is_what_the_whole_trace_says(
    drawn: list[tuple[int, bool, bool]],
) -> None:
    """A request that shows a place never shows another one than the roll-up of all of it finds."""
    spans = []
    for number, (parent, enters, carries) in enumerate(drawn, 1):
        up = parent if parent < number else 0  # a tree
        one = span(number, up, call=record() if carries else None)
        spans.append(entered(one) if enters else one)
    rolled = rollup(calls(spans), [one.head[1:] for one in spans])
    for skipped in range(len(spans)):
        part = spans[:skipped] + spans[skipped + 1 :]
        told = calls(part)
        place(told, heads(part))
        for call in told:
            held = rolled.decisions[call.span_id]
            assert call.transaction in (b"", held.transaction)
            assert call.root in (b"", held.root)
            call.transaction = call.root = b""
