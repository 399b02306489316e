"""Which span of a trace is billed, and why. Pure: the set of records decides, not their order.

A model call can be told of several times: by the SDK, by the framework around it, by the gateway
behind it, by the agent span that adds up its children. One of them is billed:

- of the records that tell of one call (`doubles.py`) the best one bills; the others are `duplicate`
  if they carry the same response id, and `covered` if not;
- a leaf whose tokens are contained in what is billed below it says it a second time: `covered`;
- an aggregate bills only if nothing below it was: `fallback`, the innermost first;
- of a running sum the last record bills, since it contains the others: those are `cumulative`;
- what keeps books beside the calls repeats them (`accounts.py`);
- calls without a model are billed by the span above that adds them up and names it (`nameless.py`);
- token counters and what another costspan metered never bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costspan.ledger.accounts import repeated
from costspan.ledger.doubles import Doubles, told_twice
from costspan.ledger.forest import ROOT, Forest
from costspan.ledger.held import Below, Carried
from costspan.ledger.likeness import TELLS_OF_A_CALL, Tokens, rank, says_nothing, tokens
from costspan.ledger.nameless import added_up, name
from costspan.ledger.series import contained
from costspan.model import AGGREGATE, ALREADY_METERED, CUMULATIVE, LEAF, TOKEN_COUNTER, LlmCall

__all__ = ["BILLED", "COVERED", "DUPLICATE", "FALLBACK", "NOT_INFERENCE", "NO_USAGE", "Bills",
           "Known", "Tokens", "bill", "tokens"]  # fmt: skip

FALLBACK, COVERED, DUPLICATE = "fallback", "covered", "duplicate"
NOT_INFERENCE, NO_USAGE = "not_inference", "no_usage"
BILLED = frozenset({LEAF, FALLBACK})
UNCOVERED = "uncovered_usage"  # flag of a trace: an aggregate says more than was billed below it

_TOOL = "execute_tool"
_SETTLES = BILLED | {DUPLICATE, ALREADY_METERED}
_NEVER = frozenset({TOKEN_COUNTER, CUMULATIVE, ALREADY_METERED})
# Libraries that count a stream's first event twice are a few tokens over; more is a missing span.
_ROUNDING = 16
_REACH = 64  # records between an aggregate and the calls that it stands for
_ROUNDING_PART = 50  # of the tokens: 2 %


_Settled = frozenset[bytes | str | None]  # response ids and winners; None is in none


class Known(NamedTuple):
    """What is known of calls that were settled in an earlier generation of the same trace."""

    responses: frozenset[str] = frozenset()  # response ids that were billed
    below: Mapping[bytes, Carried] = {}  # span that had not arrived -> what was billed below it


class Bills(NamedTuple):
    """The decisions, and what a later generation has to know of them."""

    reasons: dict[bytes, str]  # by span id: a billed_reason
    left: Known
    winner: Mapping[bytes, bytes] = {}  # every record of a call that is told twice -> who bills
    flags: frozenset[str] = frozenset()  # of the trace
    models: Mapping[bytes, str] = {}  # of billed aggregates that name none: what the calls below do


def bill(forest: Forest, known: Known = Known()) -> Bills:  # noqa: B008  (immutable)
    """Decide for every record of the forest that carries usage or bears witness."""
    below = _carried(forest, known)
    doubles = told_twice(forest, below)
    settled = _settled(doubles, forest, known)
    detailed = doubles.nested or bool(below) or forest.orphans > 0  # or what is left has to tell
    reasons: dict[bytes, str] = {}
    left: dict[bytes, Below] = {}
    flags: set[str] = set()
    for span_id in forest.order:
        call = forest.calls[span_id]
        under = below.pop(span_id, None) or Below(detailed=detailed)
        reason = reasons[span_id] = _decide(span_id, call, under, doubles, settled)
        if reason == NOT_INFERENCE and under.settled and _says_more(call, under):
            flags.add(UNCOVERED)
        if reason in _SETTLES:
            winner = doubles.winner.get(span_id)
            under.settle(forest.calls[winner or span_id], winner)
        host = doubles.hosts[span_id]
        if under.settled and host != ROOT:
            under.leave(call, directly=forest.links[span_id] == host)
            target = below if host in forest.calls else left
            target[host] = target[host].merged(under) if host in target else under
    for span_id, under in below.items():  # carried over, and still nothing above it has arrived
        left[span_id] = left[span_id].merged(under) if span_id in left else under
    accounts = repeated(_billed(reasons), forest)
    reasons |= dict.fromkeys(accounts, COVERED)
    for above, group in added_up(_billed(reasons), forest).items():
        reasons |= {**dict.fromkeys(group, COVERED), above: FALLBACK}
    reasons |= _fallbacks(forest, reasons)
    known = _left(forest, known, reasons, left, doubles)
    return Bills(reasons, known, doubles.winner, frozenset(flags), _models(forest, reasons))


def _billed(reasons: Mapping[bytes, str]) -> list[bytes]:
    return [span_id for span_id, reason in reasons.items() if reason in BILLED]


def _decide(
    span_id: bytes, call: LlmCall, under: Below, doubles: Doubles, settled: _Settled
) -> str:
    if span_id in doubles.superseded:
        return CUMULATIVE
    if call.role not in TELLS_OF_A_CALL or call.role == ALREADY_METERED:
        return call.role if call.role in _NEVER else NOT_INFERENCE
    if says_nothing(call):
        known = call.response_id in doubles.answers or call.response_id in settled
        return _silent(call, under, known=known)
    winner = doubles.winner.get(span_id)
    if winner in settled or call.response_id in settled:
        return DUPLICATE
    if winner is not None and winner != span_id:
        return DUPLICATE if call.response_id in doubles.ids else COVERED
    return _once(call, under, winner)


def _silent(call: LlmCall, under: Below, *, known: bool) -> str:
    """Of a record without usage and cost: whether another tells what it keeps to itself.

    `known`: a record with its response id states what the call used.
    """
    if call.role != LEAF:
        return NO_USAGE
    if known:
        return DUPLICATE
    return COVERED if under.answers(call) else NO_USAGE


def _once(call: LlmCall, under: Below, winner: bytes | None) -> str:
    """Of a call that nobody tells better: whether what is below it is already billed."""
    if call.role == AGGREGATE:
        tool = call.usage is None and call.operation == _TOOL  # its price is no model's
        return NOT_INFERENCE if tool or under.settled else FALLBACK
    return COVERED if under.covers(call, winner) else LEAF


def _settled(doubles: Doubles, forest: Forest, known: Known) -> _Settled:
    """What earlier generations billed: response ids, and records that tell of the same calls."""
    ids: set[bytes | str | None] = set(known.responses)
    for span_id, winner in doubles.winner.items():
        if forest.calls[span_id].response_id in known.responses:
            ids.add(winner)
    return frozenset(ids)


def _says_more(call: LlmCall, under: Below) -> bool:
    """Whether an aggregate counts more than was billed below it, as if a call had no span.

    It proves nothing: Strands adds up all that an agent ever did, so this is a flag and no bill.
    """
    if call.role != AGGREGATE or call.cumulative:
        return False
    return any(
        said - billed > max(_ROUNDING, billed // _ROUNDING_PART)
        for said, billed in zip(tokens(call), under.tokens, strict=True)
    )


def _fallbacks(forest: Forest, reasons: Mapping[bytes, str]) -> dict[bytes, str]:
    """What is told twice among the aggregates that bill: running sums, and equal response ids."""
    billed = [span_id for span_id, reason in reasons.items() if reason == FALLBACK]
    if len(billed) < 2:  # noqa: PLR2004  (nobody to compare with)
        return {}
    found: dict[bytes, str] = dict.fromkeys(
        contained([one for one in billed if forest.calls[one].cumulative], forest), CUMULATIVE
    )
    groups: dict[str, list[bytes]] = {}
    for span_id in billed:
        if span_id not in found and forest.calls[span_id].response_id:
            groups.setdefault(forest.calls[span_id].response_id, []).append(span_id)
    for group in groups.values():
        best = max(group, key=lambda one: rank(forest.calls[one], one))
        found.update((one, DUPLICATE) for one in group if one != best)
    return found


def _models(forest: Forest, reasons: Mapping[bytes, str]) -> dict[bytes, str]:
    """The one model that silent calls below an aggregate name, which bills and names none itself.

    Of Claude's agents the root alone counts right, and the chats below it know the model (Logfire).
    """
    calls = forest.calls
    nameless = {
        one for one, reason in reasons.items() if reason == FALLBACK and not name(calls[one])
    }
    found: dict[bytes, set[str]] = {}
    for span_id, call in calls.items() if nameless else ():
        above = forest.above[span_id]
        for _ in range(_REACH):
            if above not in calls or above in nameless:
                break
            above = forest.above[above]
        if above in nameless and name(call):
            found.setdefault(above, set()).add(name(call))
    return {one: names.pop() for one, names in found.items() if len(names) == 1}


def _carried(forest: Forest, known: Known) -> dict[bytes, Below]:
    """What earlier generations billed below spans that have arrived since."""
    below: dict[bytes, Below] = {}
    for span_id, left in known.below.items():
        place, held = forest.nearest(span_id), Below.carried(left)
        below[place] = below[place].merged(held) if place in below else held
    return below


def _left(
    forest: Forest,
    known: Known,
    reasons: Mapping[bytes, str],
    left: Mapping[bytes, Below],
    doubles: Doubles,
) -> Known:
    """Ids of the calls that are settled now, whichever of their records bills."""
    responses = set(known.responses)
    for span_id, call in forest.calls.items():
        if call.response_id:
            winner = doubles.winner.get(span_id, span_id)
            if reasons[winner] in BILLED or reasons[winner] == ALREADY_METERED:
                responses.add(call.response_id)
    missing = {
        span_id: held.carry()
        for span_id, held in left.items()
        if span_id not in forest.links and any(span_id)
    }
    return Known(frozenset(responses), missing)
