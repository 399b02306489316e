"""Who is below whom in a few traces: what all heads say, without opening the other spans."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from costspan import testing, wire
from otlp_strategies import requests


@given(requests(), st.data())
def test_links_are_what_the_heads_say(request: bytes, data: st.DataObject) -> None:
    heads = list(wire.unpack_heads(wire.heads(request)))
    ids = {head.trace_id for head in heads}
    chosen = data.draw(st.sets(st.sampled_from(sorted(ids)))) if ids else set()
    found = wire.links(request, chosen)

    assert found.keys() == chosen
    for trace_id, links in found.items():
        expected = [head for head in heads if head.trace_id == trace_id]
        padded = {(span, parent.ljust(8, b"\0")) for span, parent in links.items()}
        assert {span for span, _ in padded} == {head.span_id for head in expected}
        assert padded <= {(head.span_id, head.parent_span_id) for head in expected}


def test_a_span_with_a_trace_state_and_one_without_a_parent_are_read_too() -> None:
    """Their fields are not where most SDKs have them."""
    stated = testing.span(span_id=b"\x05" * 8, parent_span_id=b"\x06" * 8)
    stated.trace_state = "vendor=1"
    root = testing.span(span_id=b"\x06" * 8)
    found = wire.links(testing.request(stated, root), [stated.trace_id])

    assert found == {stated.trace_id: {b"\x05" * 8: b"\x06" * 8, b"\x06" * 8: b""}}
