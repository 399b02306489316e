"""What is billed below a span, and whether that covers what the span itself says. No decisions."""

from __future__ import annotations

from collections.abc import Iterator
from operator import add
from typing import NamedTuple

from costspan.ledger.likeness import Tokens, agree, model, source, tokens
from costspan.model import LlmCall

# What a tool or an agent spends is its own, though a call may be open around it: .NET's clients
# that run functions (Microsoft.Extensions.AI) are. So that covers a call only by its exact tokens.
_OWN_ACCOUNT = frozenset({"execute_tool", "invoke_agent", "invoke_workflow"})
_CALLS_A_MODEL = frozenset(
    {"chat", "generate_content", "text_completion", "embeddings", "rerank", "image_generation"}
    | {"speech", "transcription", "translation"}
)
_MOST = 2**63 - 1  # what a msgpack integer holds for sure
_MOST_KINDS = 16  # beyond that nothing is told apart: a span costs the same however many there are
_MOST_SINGLE = 64  # and that a call repeats one of more, is not looked for
_ROUNDING_PART = 50  # of the tokens: two libraries that count one call differ by 2 % at most


class _Kind(NamedTuple):
    """What decides whether tokens can be those of another record."""

    model: str
    source: tuple[str, str]


class _Spent(NamedTuple):
    """Tokens in and out: all; those that a tool or an agent spent; and those behind a step, too.

    Nothing is known of a span without a record: it may be a tool's.
    """

    all_in: int = 0
    all_out: int = 0
    own_in: int = 0
    own_out: int = 0
    apart_in: int = 0
    apart_out: int = 0

    @property
    def near(self) -> Tokens:
        return self.all_in - self.apart_in, self.all_out - self.apart_out

    @property
    def reached(self) -> Tokens:
        return self.all_in - self.own_in, self.all_out - self.own_out


Kinds = tuple[tuple[str, str, str, int, int, int, int, int, int], ...]
"""model, source (2), and what was spent (6)"""


class Carried(NamedTuple):
    """What one generation of a trace leaves to the next below a span that had not come.

    Token counts above 2^63 are cut: no format holds them, and they are flagged elsewhere.
    """

    tokens_in: int
    tokens_out: int
    calls: int = 1
    kinds: Kinds | None = None


class Below:
    """What is settled below a span: billed here, or known to be billed elsewhere."""

    __slots__ = (
        "calls",
        "doubled",
        "earlier",
        "kinds",
        "settled",
        "single",
        "tokens_in",
        "tokens_out",
    )

    def __init__(self, *, detailed: bool = True) -> None:
        """`detailed`: as is needed to ask what it covers."""
        self.settled = False
        self.earlier = False  # a part of it is of an earlier generation
        self.calls = self.tokens_in = self.tokens_out = 0
        self.kinds: dict[_Kind, _Spent] | None = {} if detailed else None  # None: not told apart
        self.single: list[LlmCall] | None = []  # that no tool and no agent made; None: too many
        self.doubled: dict[bytes, LlmCall] = {}  # calls told of several times: each counts once

    @classmethod
    def carried(cls, left: Carried) -> Below:
        """What an earlier generation billed."""
        below = cls(detailed=left.kinds is not None)
        below.settled = below.earlier = True
        below.calls, below.tokens_in, below.tokens_out = left.calls, left.tokens_in, left.tokens_out
        if below.kinds is not None:
            for name, service, shape, *spent in left.kinds or ():
                below.kinds[_Kind(name, (service, shape))] = _Spent(*spent)
        return below

    def carry(self) -> Carried:
        """For a later generation."""
        kinds: Kinds | None = None
        if self.kinds is not None:
            kinds = tuple(
                (kind.model, *kind.source, *_Spent(*(min(amount, _MOST) for amount in spent)))
                for kind, spent in sorted(self.kinds.items())
            )
        return Carried(min(self.tokens_in, _MOST), min(self.tokens_out, _MOST), self.calls, kinds)

    @property
    def tokens(self) -> Tokens:
        return self.tokens_in, self.tokens_out

    def settle(self, call: LlmCall, winner: bytes | None) -> None:
        """Add the call of the span itself; `winner`: who bills it, if it is told several times."""
        self.settled = True
        if winner is None:
            self._count(call)
        elif winner not in self.doubled:
            self.doubled[winner] = call
            self._count(call)

    def leave(self, call: LlmCall, *, directly: bool) -> None:
        """Go up past this record, `directly` to the next one or past spans that carry none."""
        if not self.kinds:
            return
        if call.operation in _OWN_ACCOUNT:
            self.kinds = {kind: _Spent(*spent[:2] * 3) for kind, spent in self.kinds.items()}
            self.single = []
        elif not directly:
            self.kinds = {
                kind: _Spent(*spent[:4], *spent[:2]) for kind, spent in self.kinds.items()
            }

    def merged(self, other: Below) -> Below:
        """Both. The smaller set is walked, so deep chains stay cheap."""
        if len(self.doubled) < len(other.doubled):
            self, other = other, self  # noqa: PLW0642  (neither is used on its own again)
        self.settled |= other.settled
        self.earlier |= other.earlier
        self.calls += other.calls
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self._merge_kinds(other)
        for winner, call in other.doubled.items():
            if winner in self.doubled:
                self._count(call, -1)
            else:
                self.doubled[winner] = call
        return self

    def covers(self, call: LlmCall, winner: bytes | None) -> bool:
        """True if the call's tokens are contained in those of other calls below it.

        `winner`: as of `settle`. A call does not cover itself. What does not say that it calls a
        model is covered by whatever it is around, a model call by calls of the same model; where
        spans without a record are between, only if it repeats one of them or their sum.
        """
        if not self.settled:
            return False
        wanted = tokens(call)
        if call.usage and not any(wanted):
            return False  # it counts what is no token, and nobody below says how much of it
        own = self.doubled.get(winner or b"")
        calls, held = self.calls - (own is not None), self.tokens
        if own is not None:
            held = _less(held, tokens(own))
        if not any(held):
            return False
        sums_up = call.operation not in _CALLS_A_MODEL or (calls > 1 and wanted == held)
        if self.earlier and wanted == held and not call.charge.total:
            sums_up = True  # who told of it is gone, and a name without a price may be an alias
        if self.kinds is None or sums_up:
            return _within(wanted, held)
        near, reached = self._comparable(call, own)
        return (
            _within(wanted, near)
            or (_within(wanted, reached) and _nearly(wanted, reached))
            or self._repeats_one(call, own)
        )

    def answers(self, call: LlmCall) -> bool:
        """Whether a call that states no usage can be one of those that are settled below it."""
        if not self.settled or self.kinds is None:
            return self.settled
        return any(self._comparable(call, None)[1])

    def _comparable(self, call: LlmCall, own: LlmCall | None) -> tuple[Tokens, Tokens]:
        """The tokens that can be the call's: those near it, and all that no tool spent."""
        near, reached = (0, 0), (0, 0)
        itself = _kind(own) if own else None
        for kind in self._like(call):
            spent = (self.kinds or {})[kind]
            mine = tokens(own) if own and kind == itself else (0, 0)
            near = _more(near, _less(spent.near, mine))
            reached = _more(reached, _less(spent.reached, mine))
        return near, reached

    def _like(self, call: LlmCall) -> Iterator[_Kind]:
        """Those that can be the call's: same model, and no id that proves another call."""
        name, whence = model(call), source(call)
        for kind in self.kinds or ():
            if name and kind.model and kind.model != name:
                continue
            if not whence[1] or kind.source != whence:
                yield kind

    def _repeats_one(self, call: LlmCall, own: LlmCall | None) -> bool:
        """Whether the call's tokens are those of one of several, as after attempts that failed."""
        like = set(self._like(call))
        return any(
            one is not own and _kind(one) in like and agree(call, one) for one in self.single or ()
        )

    def _count(self, call: LlmCall, sign: int = 1) -> None:
        tokens_in, tokens_out = tokens(call)
        self.calls += sign
        self.tokens_in += sign * tokens_in
        self.tokens_out += sign * tokens_out
        if self.kinds is not None:
            _add(self.kinds, _kind(call), _Spent(sign * tokens_in, sign * tokens_out))
            if sign > 0:
                self._keep([call])

    def _keep(self, several: list[LlmCall] | None) -> None:
        if self.single is None or several is None:
            self.single = None
            return
        self.single += several
        if len(self.single) > _MOST_SINGLE:  # as below
            self.single = None

    def _merge_kinds(self, other: Below) -> None:
        if self.kinds is None or other.kinds is None:
            self.kinds = None
            return
        for kind, spent in other.kinds.items():
            _add(self.kinds, kind, spent)
        self._keep(other.single)
        if len(self.kinds) > _MOST_KINDS:  # that it comes to this depends on no order
            self.kinds = None


def _kind(call: LlmCall) -> _Kind:
    return _Kind(model(call), source(call))


def _add(kinds: dict[_Kind, _Spent], kind: _Kind, spent: _Spent) -> None:
    held = kinds.get(kind)
    kinds[kind] = spent if held is None else _Spent(*map(add, held, spent))


def _more(held: Tokens, amount: Tokens) -> Tokens:
    return held[0] + amount[0], held[1] + amount[1]


def _less(held: Tokens, own: Tokens) -> Tokens:
    return max(0, held[0] - own[0]), max(0, held[1] - own[1])


def _within(wanted: Tokens, held: Tokens) -> bool:
    return any(held) and wanted[0] <= held[0] and wanted[1] <= held[1]


def _nearly(wanted: Tokens, held: Tokens) -> bool:
    return all(
        there - here <= here // _ROUNDING_PART for here, there in zip(wanted, held, strict=True)
    )
