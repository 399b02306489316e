"""Tools that an agent calls again and again with the same arguments. Pure; no money is added.

Nobody keeps the arguments: a record holds a hash of them, if its span stated them.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.ledger.forest import Forest
from costspan.model import Identity, LlmCall

_Called = tuple[str, str, bytes]
"""Agent, tool, hash of the arguments."""

LOOP = 4  # the same call so often in one trace: a second try is prudent, a fourth learns nothing


def repeats(forest: Forest, identities: Mapping[bytes, Identity]) -> frozenset[bytes]:
    """The spans of tool calls that belong to a loop, all but the first of each.

    `identities`: of every record, its gaps filled. A tool's span directly below one that says the
    same (a protocol's client below the framework) tells of that call once more.
    """
    told = [span_id for span_id, call in forest.calls.items() if call.arguments]
    if len(told) < LOOP:
        return frozenset()
    called = {span_id: _called(forest.calls[span_id], identities[span_id]) for span_id in told}
    loops: dict[_Called, list[tuple[int, bytes]]] = {}
    for span_id, key in called.items():
        if called.get(forest.above[span_id]) != key:
            loops.setdefault(key, []).append((forest.calls[span_id].start_ns, span_id))
    return frozenset(
        span_id for loop in loops.values() if len(loop) >= LOOP for _, span_id in sorted(loop)[1:]
    )


def _called(call: LlmCall, who: Identity) -> _Called:
    return who.agent, call.identity.tool or call.name, call.arguments
