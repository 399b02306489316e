"""Calls that are told of by two libraries beside each other. Nothing that lies below another span.

Frameworks that do not make their spans the current ones (OpenInference's LangChain; OpenLLMetry's
around the Responses API) have them beside the one that they are around: the SDK's span hangs where
the framework's does, or above its chains. The two share no id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from costspan.ledger.forest import Forest
from costspan.ledger.likeness import (
    FRAMEWORK,
    Best,
    agree,
    input_readings,
    model,
    teller,
    tokens,
    told_apart,
)
from costspan.model import LlmCall

_AT_ONCE = 256  # frameworks' calls with equal tokens that run at once
_REACH = 64  # spans between the two levels


class _Above:
    """What spans hang below."""

    def __init__(self, forest: Forest) -> None:
        self._links = forest.links
        self._above: dict[bytes, frozenset[bytes]] = {}

    def both(self, framework: bytes, sdk: bytes) -> bool:
        """Whether the span above the SDK's is above the framework's too, near enough."""
        known = self._above.get(framework)
        if known is None:
            known = self._above[framework] = frozenset(self._way_up(framework))
        return self._links[sdk] in known

    def _way_up(self, span_id: bytes) -> Iterator[bytes]:
        for _ in range(_REACH):
            if span_id not in self._links:
                return
            span_id = self._links[span_id]
            yield span_id


def beside(
    forest: Forest,
    told: Mapping[bytes, LlmCall],
    pairs: Sequence[tuple[bytes, bytes]],
    best: Best,
) -> Iterator[tuple[bytes, bytes]]:
    """A framework's record, and the SDK's for the call that the framework made meanwhile.

    Equal libraries are never compared: what one of them tells twice, happened twice.
    """
    if len({call.scope_name for call in told.values()}) == 1:
        return
    # A framework around its call has no other beside it; an SDK may be around a gateway that knows
    # the call better.
    outer = {around: told[best.of(around, inside)] for around, inside in pairs}
    inner = {inside for _, inside in pairs}
    families: dict[int, tuple[list[bytes], list[bytes]]] = {}
    for span_id, call in told.items():
        sdk = teller(call.scope_name, call.kind) > FRAMEWORK
        if span_id not in inner and (sdk or span_id not in outer):
            for reading in input_readings(outer.get(span_id, call)):
                families.setdefault(reading, ([], []))[sdk].append(span_id)
    above = _Above(forest)
    taken: set[bytes] = set()
    for _, (frameworks, sdks) in sorted(families.items()):
        if frameworks and sdks:
            for pair in _meanwhile(frameworks, sdks, told, outer, taken, above):
                taken.update(pair)
                yield pair


def _meanwhile(
    frameworks: list[bytes],
    sdks: list[bytes],
    told: Mapping[bytes, LlmCall],
    better: Mapping[bytes, LlmCall],
    taken: set[bytes],
    above: _Above,
) -> Iterator[tuple[bytes, bytes]]:
    """Pair each call with the unpaired one that ends first of those running when it began.

    So there are the most pairs that there can be. It may end later: a stream is closed by whoever
    made it, after the framework has said what it knows.
    """
    coming = sorted(frameworks, key=lambda span_id: (told[span_id].start_ns, span_id), reverse=True)
    running: list[bytes] = []
    for sdk in sorted(sdks, key=lambda span_id: (told[span_id].start_ns, span_id)):
        call = told[sdk]
        while coming and told[coming[-1]].start_ns <= call.start_ns:
            running.append(coming.pop())
        running = [
            one for one in running if one not in taken and told[one].end_ns >= call.start_ns
        ][-_AT_ONCE:]
        around = [
            one
            for one in running
            if _watches(told[one], call, better.get(sdk, call)) and above.both(one, sdk)
        ]
        if around and sdk not in taken:
            yield min(around, key=lambda one: (told[one].end_ns, one)), sdk


def _watches(outer: LlmCall, inner: LlmCall, known: LlmCall) -> bool:
    """`known`: the best that is known of the inner call."""
    return (
        outer.service == inner.service
        and any(tokens(inner))
        and model(outer) == model(known)
        and agree(outer, known)
        and not told_apart(outer, inner)
    )
