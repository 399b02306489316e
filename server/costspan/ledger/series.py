"""Running sums: records of one emitter of which each contains the ones before it. No bills.

The ledger never prices again, so nothing is subtracted: the last record is the sum. That is exact
but for a tier that the whole of it reaches and none of its calls did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from costspan.ledger.forest import Forest
from costspan.ledger.likeness import Tokens, supersedes, tokens
from costspan.model import AGGREGATE, LlmCall

_REACH = 64  # records that are climbed to find the first of nested ones


def contained(span_ids: Iterable[bytes], forest: Forest) -> frozenset[bytes]:
    """Running sums that a later one of the same series contains.

    Only of emitters that are known to write them. The calls of a tool loop prove it once more: each
    adds to the prompt, so that what is new in a sum is a prompt no shorter than the one before.
    """
    series: dict[tuple[object, ...], list[bytes]] = {}
    for span_id in span_ids:
        series.setdefault(_series(span_id, forest), []).append(span_id)
    found: set[bytes] = set()
    for group in series.values():
        found.update(_contained(group, forest.calls))
    return frozenset(found)


def _series(span_id: bytes, forest: Forest) -> tuple[object, ...]:
    """What the records of one running sum share: they are beside each other, or nested.

    The calls of a loop are so directly: another loop is below a span of its own (Spring AI's chat
    client). An agent's tasks have spans of their own between them and the crew.
    """
    call, first = forest.calls[span_id], span_id
    for _ in range(_REACH):
        above = forest.above[first]
        if above not in forest.calls or not forest.calls[above].cumulative:
            break
        first = above
    place = forest.above[first] if call.role == AGGREGATE else forest.links[first]
    names = (call.request_model, call.response_model, call.identity.agent)
    return (place, call.role, call.scope_name, *names)


def _contained(group: Iterable[bytes], calls: Mapping[bytes, LlmCall]) -> Iterator[bytes]:
    def when(one: bytes) -> tuple[int, int, Tokens, bytes]:
        return calls[one].end_ns, calls[one].start_ns, tokens(calls[one]), one  # clocks are coarse

    in_time = sorted(group, key=when)
    earlier, prompt = in_time[0], tokens(calls[in_time[0]])[0]
    for span_id in in_time[1:]:
        total = tokens(calls[span_id])[0]
        new = total - tokens(calls[earlier])[0]
        loops = calls[span_id].role == AGGREGATE or new >= prompt
        if loops and supersedes(calls[span_id], calls[earlier]):
            yield earlier
            prompt = new
        else:
            prompt = total
        earlier = span_id
