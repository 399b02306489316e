"""Calls that are told of by two libraries beside each other. Nothing that lies below another span.

Frameworks that do not make their span the current one (OpenLLMetry's LangChain 0.62 around the
Responses API) have it beside the one that it is around, and the two share no id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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

_AT_ONCE = 256  # frameworks' calls with equal tokens that run at once under one span


def beside(
    told: Mapping[bytes, LlmCall], pairs: Sequence[tuple[bytes, bytes]], best: Best
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
    families: dict[tuple[bytes, int], tuple[list[bytes], list[bytes]]] = {}
    for span_id, call in told.items():
        sdk = teller(call.scope_name, call.kind) > FRAMEWORK
        if span_id not in inner and (sdk or span_id not in outer):
            for reading in input_readings(outer.get(span_id, call)):
                families.setdefault((call.parent_span_id, reading), ([], []))[sdk].append(span_id)
    taken: set[bytes] = set()
    for _, (frameworks, sdks) in sorted(families.items()):
        if frameworks and sdks:
            for pair in _meanwhile(frameworks, sdks, told, outer, taken):
                taken.update(pair)
                yield pair


def _meanwhile(
    frameworks: list[bytes],
    sdks: list[bytes],
    told: Mapping[bytes, LlmCall],
    better: Mapping[bytes, LlmCall],
    taken: set[bytes],
) -> Iterator[tuple[bytes, bytes]]:
    """Pair each call with the shortest unpaired one around it: the most pairs that there can be."""
    coming = sorted(frameworks, key=lambda span_id: (told[span_id].start_ns, span_id), reverse=True)
    running: list[bytes] = []
    for sdk in sorted(sdks, key=lambda span_id: (told[span_id].start_ns, span_id)):
        call = told[sdk]
        while coming and told[coming[-1]].start_ns <= call.start_ns:
            running.append(coming.pop())
        running = [
            one for one in running if one not in taken and told[one].end_ns >= call.start_ns
        ][-_AT_ONCE:]
        around = [one for one in running if _watches(told[one], call, better.get(sdk, call))]
        if around and sdk not in taken:
            yield min(around, key=lambda one: (told[one].end_ns, one)), sdk


def _watches(outer: LlmCall, inner: LlmCall, known: LlmCall) -> bool:
    """`known`: the best that is known of the inner call."""
    return (
        inner.end_ns <= outer.end_ns
        and outer.service == inner.service
        and any(tokens(inner))
        and model(outer) == model(known)
        and agree(outer, known)
        and not told_apart(outer, inner)
    )
