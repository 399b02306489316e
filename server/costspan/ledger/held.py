"""What is billed below a span, and whether that covers what the span itself says. No decisions."""

from __future__ import annotations

from typing import NamedTuple

from costspan.ledger.likeness import Tokens, model, source, tokens
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


class _Kind(NamedTuple):
    """What decides whether tokens can be those of another record."""

    model: str
    source: tuple[str, str]


Kinds = tuple[tuple[str, str, str, int, int, int, int], ...]
"""model, source (2), tokens (2), and those of them that a tool or an agent spent (2)"""


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
        "behind",
        "calls",
        "doubled",
        "earlier",
        "kinds",
        "settled",
        "tokens_in",
        "tokens_out",
    )

    def __init__(self, *, detailed: bool = True) -> None:
        """`detailed`: as is needed to ask what it covers."""
        self.settled = False
        self.earlier = False  # a part of it is of an earlier generation
        self.calls = self.tokens_in = self.tokens_out = 0
        self.kinds: dict[_Kind, Tokens] | None = {} if detailed else None  # None: not told apart
        self.behind: dict[_Kind, Tokens] = {}  # the part of them that a tool or an agent spent
        self.doubled: dict[bytes, LlmCall] = {}  # calls told of several times: each counts once

    @classmethod
    def carried(cls, left: Carried) -> Below:
        """What an earlier generation billed."""
        below = cls(detailed=left.kinds is not None)
        below.settled = below.earlier = True
        below.calls, below.tokens_in, below.tokens_out = left.calls, left.tokens_in, left.tokens_out
        if below.kinds is not None:
            for name, service, shape, there, back, *behind in left.kinds or ():
                kind = _Kind(name, (service, shape))
                below.kinds[kind] = (there, back)
                below.behind[kind] = (behind[0], behind[1])
        return below

    def carry(self) -> Carried:
        """For a later generation."""
        kinds: Kinds | None = None
        if self.kinds is not None:
            behind = self.behind
            kinds = tuple(
                (kind.model, *kind.source, *_cut(held), *_cut(behind.get(kind, (0, 0))))
                for kind, held in sorted(self.kinds.items())
            )
        return Carried(*_cut(self.tokens), self.calls, kinds)

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

    def leave(self, call: LlmCall) -> None:
        """Go up past this record."""
        if self.kinds and call.operation in _OWN_ACCOUNT:
            self.behind = dict(self.kinds)

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
        model is covered by whatever it is around, a model call by calls of the same model.
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
        if self.kinds is not None and not sums_up:
            held = self._comparable(call, own)
        return any(held) and wanted[0] <= held[0] and wanted[1] <= held[1]

    def answers(self, call: LlmCall) -> bool:
        """Whether a call that states no usage can be one of those that are settled below it."""
        if not self.settled or self.kinds is None:
            return self.settled
        return any(self._comparable(call, None))

    def _comparable(self, call: LlmCall, own: LlmCall | None) -> Tokens:
        """The tokens that can be the call's: same model, and no id that proves another call."""
        name, whence = model(call), source(call)
        tokens_in = tokens_out = 0
        apart = _kind(own) if own else None
        for kind, amount in (self.kinds or {}).items():
            if name and kind.model and kind.model != name:
                continue
            if whence[1] and kind.source == whence:
                continue
            there = _less(amount, self.behind.get(kind, (0, 0)))
            if own is not None and kind == apart:
                there = _less(there, tokens(own))
            tokens_in, tokens_out = tokens_in + there[0], tokens_out + there[1]
        return tokens_in, tokens_out

    def _count(self, call: LlmCall, sign: int = 1) -> None:
        tokens_in, tokens_out = tokens(call)
        self.calls += sign
        self.tokens_in += sign * tokens_in
        self.tokens_out += sign * tokens_out
        if self.kinds is not None:
            _increase(self.kinds, _kind(call), (sign * tokens_in, sign * tokens_out))

    def _merge_kinds(self, other: Below) -> None:
        if self.kinds is None or other.kinds is None:
            self.kinds = None
            return
        for kind, amount in other.kinds.items():
            _increase(self.kinds, kind, amount)
        for kind, amount in other.behind.items():
            _increase(self.behind, kind, amount)
        if len(self.kinds) > _MOST_KINDS:  # that it comes to this depends on no order
            self.kinds = None


def _cut(amount: Tokens) -> Tokens:
    return min(amount[0], _MOST), min(amount[1], _MOST)


def _kind(call: LlmCall) -> _Kind:
    return _Kind(model(call), source(call))


def _increase(held: dict[_Kind, Tokens], kind: _Kind, amount: Tokens) -> None:
    before = held.get(kind, (0, 0))
    held[kind] = (before[0] + amount[0], before[1] + amount[1])


def _less(held: Tokens, own: Tokens) -> Tokens:
    return max(0, held[0] - own[0]), max(0, held[1] - own[1])
