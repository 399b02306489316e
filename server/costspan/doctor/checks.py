"""One row for each finding that spans can show: which kinds of calls, and the sentence for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from costspan.doctor.finding import Finding
from costspan.doctor.snapshot import Kind
from costspan.ledger.billing import BILLED, COVERED, DUPLICATE, FALLBACK, NOT_INFERENCE
from costspan.model import AGGREGATE, ALREADY_METERED, CUMULATIVE, LEAF

_BY_DEFAULT = "default"  # costspan.dialect.convention
_POLICY = "policy"
_LITELLM = "litellm"
_DROPPED = "attributes dropped by the SDK's limit of their number"

Subjects = tuple[str, ...]


class Check(NamedTuple):
    """`holds` says whether a kind is concerned, `among` of which calls that is a part."""

    finding: Finding
    holds: Callable[[Kind], bool]
    among: Callable[[Kind], bool]
    sentence: str  # {count}, {of}, {subjects}
    subjects: Callable[[Kind], Subjects] = lambda _: ()


def _leaf(kind: Kind) -> bool:
    return kind.role == LEAF


def _billed(kind: Kind) -> bool:
    return kind.reason in BILLED


def _billed_leaf(kind: Kind) -> bool:
    return kind.reason == LEAF


def _any(_: Kind) -> bool:
    return True


def _lost(kind: Kind) -> Subjects:
    return (*kind.cut, *((_DROPPED,) if kind.dropped else ()))


def _repeats(kind: Kind) -> bool:
    """Without usage a span above repeats nothing; what another scope bills is a double."""
    covered = kind.reason in {NOT_INFERENCE, COVERED} and not kind.twin
    return kind.usage and (covered or (kind.role == AGGREGATE and kind.reason == DUPLICATE))


CHECKS: tuple[Check, ...] = (
    Check(
        Finding.NO_USAGE,
        lambda kind: _leaf(kind) and kind.reason == "no_usage" and not kind.failed,
        _leaf,
        "{count} of {of} calls were answered and never stated their usage, so they have no cost.",
    ),
    Check(
        Finding.UNPRICED,
        lambda kind: kind.unpriced not in {"", _POLICY},
        _billed,
        "{count} of {of} billed calls have no price: {subjects}.",
        lambda kind: (f"{kind.unpriced} {kind.model}".rstrip(),),
    ),
    Check(
        Finding.INVALID_USAGE,
        lambda kind: kind.invalid,
        _leaf,
        "{count} of {of} calls state counts that contradict each other, so they have no cost.",
    ),
    Check(
        Finding.CONVENTION_ASSUMED,
        lambda kind: _billed(kind) and kind.cached and kind.decided_by == _BY_DEFAULT,
        _billed,
        "{count} of {of} billed calls count cached tokens, and neither their emitter nor their"
        " numbers say whether the input contains those; it is assumed to.",
    ),
    Check(
        Finding.TRUNCATED,
        lambda kind: bool(kind.cut or kind.dropped),
        _any,
        "{count} of {of} spans lost what may have held usage: {subjects}.",
        _lost,
    ),
    Check(
        Finding.ONLY_AGGREGATES,
        lambda kind: kind.reason == FALLBACK,
        _billed,
        "{count} of {of} bills rest on the sum that an agent or workflow states: nothing below it"
        " has usage, and one price is applied to all of it.",
    ),
    Check(
        Finding.PARENT_OVERWRITTEN,
        lambda kind: kind.dialect == _LITELLM and kind.scope != _LITELLM and _leaf(kind),
        _leaf,
        "{count} of {of} calls stand on spans of another scope. If those are the application's"
        " own, the next call overwrites the last.",
    ),
    Check(
        Finding.DOUBLED,
        lambda kind: bool(kind.twin) and kind.role == LEAF,
        _leaf,
        "{count} of {of} calls are told of by {subjects} too. They are billed once; spans that"
        " came in different requests both show the cost.",
        lambda kind: (kind.twin,),
    ),
    Check(
        Finding.WRAPPER_REPEATS,
        _repeats,
        _any,
        "{count} of {of} spans repeat the usage of calls below them. They are not billed; other"
        " tools may add them up.",
    ),
    Check(
        Finding.RUNNING_SUMS,
        lambda kind: kind.reason == CUMULATIVE,
        _any,
        "{count} of {of} spans are contained in a later sum of the same span's usage. Only the"
        " last is billed.",
    ),
    Check(
        Finding.NO_RESPONSE_MODEL,
        lambda kind: _billed_leaf(kind) and not kind.answered,
        _billed_leaf,
        "{count} of {of} billed calls do not say which model answered: they are priced by the"
        " name that was asked for.",
    ),
    Check(
        Finding.NO_PROVIDER,
        lambda kind: _billed_leaf(kind) and not kind.provider,
        _billed_leaf,
        "{count} of {of} billed calls do not say who served them: the model's name has to do.",
    ),
    Check(
        Finding.NO_OPERATION,
        lambda kind: _billed_leaf(kind) and not kind.operation,
        _billed_leaf,
        "{count} of {of} billed calls do not say what they did; they are taken for model calls.",
    ),
    Check(
        Finding.NO_AGENT,
        lambda kind: _billed_leaf(kind) and not kind.agent,
        _billed_leaf,
        "{count} of {of} billed calls belong to no agent that has a name.",
    ),
    Check(
        Finding.UNKNOWN_ATTRIBUTES,
        lambda kind: bool(kind.unknown),
        _any,
        "{count} of {of} spans have attributes that no known convention has: {subjects}.",
        lambda kind: kind.unknown,
    ),
    Check(
        Finding.COST_DIFFERS,
        lambda kind: kind.differs,
        _billed,
        "{count} of {of} billed calls cost something else by the library's own figure.",
    ),
    Check(
        Finding.ALREADY_METERED,
        lambda kind: kind.reason == ALREADY_METERED,
        _any,
        "{count} of {of} spans were metered by another costspan. They are forwarded as they are.",
    ),
)
