"""Whose a call is, and whose a trace: what spans say of it, inherited downwards. No money is added.

A span's own word goes first, then that of the nearest record above it. A dimension that only a
resource states is the weakest: it stands for a process, and one process serves many tenants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costspan.ledger.forest import Forest
from costspan.model import Identity, LlmCall

_NOBODY = Identity()

Weight = tuple[int, int]  # attos, calls


def resolve(forest: Forest) -> dict[bytes, Identity]:
    """Of every record: its own identity, gaps filled from the records above, nearest first.

    Where the way up breaks off, what the root says of the whole trace still holds: not its agent,
    since an agent between the two may be lost.
    """
    root = forest.calls.get(forest.root.span_id) if forest.root else None
    stray = _of_everything(root.identity) if root else _NOBODY
    resolved: dict[bytes, Identity] = {}
    for span_id in reversed(forest.order):
        above = resolved.get(forest.above[span_id], stray)
        resolved[span_id] = _inherit(forest.calls[span_id].identity, above)
    return resolved


def pooled(
    resolved: Mapping[bytes, Identity], winner: Mapping[bytes, bytes]
) -> dict[bytes, Identity]:
    """The same, and the billed record of a call knows what the others of that call say of it.

    The SDK has the finer counts, the gateway behind it knows the key and the team.
    `winner`: every record of a call that is told twice -> the one that bills.
    """
    known = dict(resolved)
    for span_id in sorted(winner):
        best = winner[span_id]
        if best != span_id:
            known[best] = _inherit(known[best], resolved[span_id])
    return known


def of_trace(root: LlmCall | None, billed: Sequence[tuple[LlmCall, Identity]]) -> Identity:
    """The root's identity; what it leaves open is said by the billed calls. No agent, no tool.

    Names by the earliest call that has one; a dimension by the calls that cost most, since a trace
    has one value of it: what it cost each of several is in the calls.
    """
    own = root.identity if root else _NOBODY
    in_time = [own, *(who for _, who in sorted(billed, key=_start))]
    said = {name: value for name, value in own.dimensions.items() if name not in own.defaults}
    dimensions = own.dimensions | _dearest(billed) | said
    return Identity(
        workflow=_first([who.workflow for who in in_time]),
        user=_first([who.user for who in in_time]),
        session=_first([who.session for who in in_time]),
        conversation=_first([who.conversation for who in in_time]),
        dimensions=dimensions,
    )


def _first(names: Sequence[str]) -> str:
    return next(filter(None, names), "")


def _of_everything(own: Identity) -> Identity:
    return Identity(
        user=own.user,
        session=own.session,
        conversation=own.conversation,
        dimensions=own.dimensions,
        defaults=own.defaults,
    )


def _inherit(own: Identity, above: Identity) -> Identity:
    if above == _NOBODY:
        return own
    dimensions, defaults = _dimensions(own, above)
    return Identity(
        agent=own.agent or above.agent,
        workflow=own.workflow or above.workflow,
        tool=own.tool or above.tool,
        user=own.user or above.user,
        session=own.session or above.session,
        conversation=own.conversation or above.conversation,
        dimensions=dimensions,
        defaults=defaults,
    )


def _dimensions(own: Identity, above: Identity) -> tuple[dict[str, str], tuple[str, ...]]:
    """(values, those of them that only resources state).

    In order of strength: said by the span, by a span above, by its resource, by one above.
    """
    if own.defaults == above.defaults and own.dimensions.keys() >= above.dimensions.keys():
        return own.dimensions, own.defaults  # nearly always
    if not own.dimensions:
        return above.dimensions, above.defaults
    said_above = {
        name for name in own.defaults if name in above.dimensions and name not in above.defaults
    }
    values = above.dimensions | own.dimensions
    for name in said_above:
        values[name] = above.dimensions[name]
    defaults = [name for name in own.defaults if name not in said_above]
    defaults += [name for name in above.defaults if name not in own.dimensions]
    return values, tuple(defaults)


def _dearest(billed: Sequence[tuple[LlmCall, Identity]]) -> dict[str, str]:
    """Of each dimension the value that cost most, then of most calls, then the first by name."""
    if not billed:
        return {}
    first = billed[0][1].dimensions
    if all(who.dimensions == first for _, who in billed):
        return first
    weights: dict[str, dict[str, Weight]] = {}
    for call, who in billed:
        cost = call.charge.attos or 0
        for name, value in who.dimensions.items():
            values = weights.setdefault(name, {})
            held = values.get(value, (0, 0))
            values[value] = (held[0] + cost, held[1] + 1)
    return {name: _heaviest(values) for name, values in weights.items()}


def _heaviest(values: Mapping[str, Weight]) -> str:
    if len(values) == 1:
        return next(iter(values))
    most = max(values.values())
    return min(value for value, weight in values.items() if weight == most)


def _start(held: tuple[LlmCall, Identity]) -> tuple[int, bytes]:
    return held[0].start_ns, held[0].span_id
