"""Which span of a trace is billed, and why. Pure: the set of records decides, not their order.

A model call can be told of several times: by the SDK, by the framework around it, by the gateway
behind it, by the agent span that adds up its children. One of them is billed:

- the same response id in a trace is one call: the richest record bills, the others are `duplicate`
  (an answer from a gateway's cache repeats the id, and costs nothing);
- a leaf whose tokens are contained in what is billed below it says it a second time: `covered`;
- an aggregate bills only if nothing below it was: `fallback`, the innermost first;
- token counters, running sums and what another costspan metered never bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costspan.ledger.forest import ROOT, Forest
from costspan.model import AGGREGATE, ALREADY_METERED, CUMULATIVE, LEAF, TOKEN_COUNTER, LlmCall
from costspan_pricing.usage import PROMPT

FALLBACK, COVERED, DUPLICATE = "fallback", "covered", "duplicate"
NOT_INFERENCE, NO_USAGE = "not_inference", "no_usage"
BILLED = frozenset({LEAF, FALLBACK})

_NEVER = frozenset({TOKEN_COUNTER, CUMULATIVE})
_TELLS_OF_A_CALL = {AGGREGATE: 0, LEAF: 1, ALREADY_METERED: 2}  # who bills an equal response id
_INPUT = frozenset(PROMPT)
_OUTPUT = frozenset({"output", "audio_output", "image_output"})  # reasoning lies inside output

Tokens = tuple[int, int]  # in, out


class Known(NamedTuple):
    """What is known of calls that were settled in an earlier generation of the same trace."""

    responses: frozenset[str] = frozenset()  # response ids that were billed
    below: Mapping[bytes, Tokens] = {}  # span that had not arrived -> tokens billed below it


class Bills(NamedTuple):
    """The decisions, and what a later generation has to know of them."""

    reasons: dict[bytes, str]  # by span id: a billed_reason
    left: Known


def bill(forest: Forest, known: Known = Known()) -> Bills:  # noqa: B008  (immutable)
    """Decide for every record of the forest that carries usage or bears witness."""
    winners = _winners(forest)
    below = _carried(forest, known)
    reasons: dict[bytes, str] = {}
    left: dict[bytes, _Below] = {}
    for span_id in forest.order:
        call = forest.calls[span_id]
        under = below.pop(span_id, None) or _Below()
        reason = _decide(span_id, call, under, winners, known)
        reasons[span_id] = reason
        above = forest.above[span_id]
        if above == ROOT:
            continue
        under.settle(call, reason, winners)
        target = below if above in forest.calls else left
        if not under.settled:
            continue
        if above in target:
            target[above].merge(under, winners)
        else:
            target[above] = under
    for span_id, under in below.items():  # carried over, and still nothing above it has arrived
        left.setdefault(span_id, _Below()).merge(under, winners)
    return Bills(reasons, _left(forest, known, reasons, left))


def tokens(call: LlmCall) -> Tokens:
    """The prompt and completion tokens of a call, in every class of price."""
    tokens_in = tokens_out = 0
    for unit, quantity in (call.usage or {}).items():
        if unit in _INPUT:
            tokens_in += quantity
        elif unit in _OUTPUT:
            tokens_out += quantity
    return tokens_in, tokens_out


class _Winner(NamedTuple):
    span_id: bytes
    tokens: Tokens


_Winners = Mapping[str, _Winner]


class _Below:
    """What is settled below a span: billed here, or known to be billed elsewhere."""

    __slots__ = ("responses", "settled", "tokens_in", "tokens_out")

    def __init__(self) -> None:
        self.settled = False
        self.tokens_in = self.tokens_out = 0
        self.responses: set[str] = set()  # of calls told of several times: each counts once

    def merge(self, other: _Below, winners: _Winners) -> None:
        """Take over a child's. The smaller set is walked, so deep chains stay cheap."""
        self.settled |= other.settled
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        if len(self.responses) < len(other.responses):
            self.responses, other.responses = other.responses, self.responses
        for response_id in other.responses:
            if response_id in self.responses:
                self.add(winners[response_id].tokens, -1)
            else:
                self.responses.add(response_id)

    def settle(self, call: LlmCall, reason: str, winners: _Winners) -> None:
        """Add the span itself, if its call is billed here or elsewhere."""
        if reason in BILLED or reason in (DUPLICATE, ALREADY_METERED):
            self.settled = True
            winner = winners.get(call.response_id)
            if winner is None:
                self.add(tokens(call))
            elif call.response_id not in self.responses:
                self.responses.add(call.response_id)
                self.add(winner.tokens)

    def add(self, amount: Tokens, sign: int = 1) -> None:
        self.tokens_in += sign * amount[0]
        self.tokens_out += sign * amount[1]

    def cover(self, call: LlmCall, winners: _Winners) -> bool:
        """True if the call's tokens are contained in those of other calls below it."""
        if not self.settled:
            return False
        wanted_in, wanted_out = tokens(call)
        if call.usage and not (wanted_in or wanted_out):
            return False  # it counts what is no token, and nobody below says how much of it
        held_in, held_out = self.tokens_in, self.tokens_out
        if call.response_id in self.responses:  # the same call: it does not cover itself
            own_in, own_out = winners[call.response_id].tokens
            held_in, held_out = held_in - own_in, held_out - own_out
            if not (held_in or held_out):
                return False
        return wanted_in <= held_in and wanted_out <= held_out


def _decide(span_id: bytes, call: LlmCall, under: _Below, winners: _Winners, known: Known) -> str:
    if call.role in _NEVER or call.role == ALREADY_METERED:
        return call.role
    if call.role not in _TELLS_OF_A_CALL:
        return NOT_INFERENCE
    if _says_nothing(call):
        return NO_USAGE
    winner = winners.get(call.response_id)
    if call.response_id in known.responses or (winner and winner.span_id != span_id):
        return DUPLICATE
    if call.role == AGGREGATE:
        return NOT_INFERENCE if under.settled else FALLBACK
    return COVERED if under.cover(call, winners) else LEAF


def _says_nothing(call: LlmCall) -> bool:
    return call.usage is None and not call.invalid and call.charge.attos is None


def _winners(forest: Forest) -> dict[str, _Winner]:
    """Of each response id that several records carry, the one that bills."""
    groups: dict[str, list[tuple[bytes, LlmCall]]] = {}
    for span_id, call in forest.calls.items():
        if call.response_id and call.role in _TELLS_OF_A_CALL and not _says_nothing(call):
            groups.setdefault(call.response_id, []).append((span_id, call))
    winners: dict[str, _Winner] = {}
    for response_id, group in groups.items():
        if len(group) > 1:
            span_id, call = max(_answered_by_provider(group, forest), key=_richness)
            winners[response_id] = _Winner(span_id, tokens(call))
    return winners


def _answered_by_provider(
    group: list[tuple[bytes, LlmCall]], forest: Forest
) -> list[tuple[bytes, LlmCall]]:
    """Without answers that a gateway gave from its cache; if all are, the ones that prove it.

    The client's span above a gateway's looks like any call, and tells of the same answer.
    """
    proofs = {span_id for span_id, call in group if call.gateway}
    if not proofs:
        return group
    cached = set(proofs)
    for span_id in proofs:
        above = forest.above[span_id]
        while above in forest.calls and above not in cached:
            cached.add(above)
            above = forest.above[above]
    others = [(s, call) for s, call in group if s not in cached or call.role == ALREADY_METERED]
    return others or [(s, call) for s, call in group if s in proofs]


def _richness(record: tuple[bytes, LlmCall]) -> tuple[int, bool, int, int, int, int, bytes]:
    """More certain first: who it is, a known price, the finer breakdown, then the larger."""
    span_id, call = record
    cost = call.charge.attos
    return (
        _TELLS_OF_A_CALL[call.role],
        cost is not None,
        len(call.usage or ()),
        cost or 0,
        sum(tokens(call)),
        call.start_ns,
        span_id,
    )


def _carried(forest: Forest, known: Known) -> dict[bytes, _Below]:
    """What earlier generations billed below spans that have arrived since."""
    below: dict[bytes, _Below] = {}
    for span_id, amount in known.below.items():
        place = forest.nearest(span_id)
        held = below.setdefault(place, _Below())
        held.settled = True
        held.add(amount)
    return below


def _left(
    forest: Forest, known: Known, reasons: Mapping[bytes, str], left: Mapping[bytes, _Below]
) -> Known:
    responses = {
        forest.calls[span_id].response_id
        for span_id, reason in reasons.items()
        if reason in BILLED or reason == ALREADY_METERED
    }
    missing = {
        span_id: (held.tokens_in, held.tokens_out)
        for span_id, held in left.items()
        if span_id not in forest.links and any(span_id)
    }
    return Known(known.responses | (responses - {""}), missing)
