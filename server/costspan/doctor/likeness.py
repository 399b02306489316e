"""Calls that two libraries tell of in two traces. They share no id, so they can only be suspected.

A framework whose callbacks open no context leaves the SDK's span without a parent: both are billed,
since two real calls look no different. What is compared: the tokens, and that one of the two ran
while the other did.
"""

from __future__ import annotations

from costspan.ledger.billing import tokens
from costspan.model import LlmCall

_KEPT = 2048  # calls that a later one is compared with
_PAIRS = 200
_LEAST = 50  # tokens: "ping" and "pong" have as many as any other ping and pong

_Pair = tuple[str, str, str]
"""(service, scope, other scope)"""
_Found = tuple[int, int, tuple[bytes, bytes, str]]
"""(how often, when last, an example: trace, span, name)"""
_Call = tuple[str, bytes, int, int, str]
"""(scope, trace id, start, end, response id) of a call of which no twin has come yet"""


class Likenesses:
    """Remembers the latest billed calls, and the pairs of scopes whose calls were alike."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, int, int], _Call] = {}
        self.found: dict[_Pair, _Found] = {}

    def compare(self, call: LlmCall) -> None:
        """Look whether this billed call was told of before."""
        tokens_in, tokens_out = tokens(call)
        if tokens_in + tokens_out < _LEAST:
            return
        key = (call.service, tokens_in, tokens_out)
        latest = self._latest
        other = latest.pop(key, None)
        if other is not None and _alike(other, call):
            self._note(call, other[0])
            return
        latest[key] = (
            call.scope_name, call.trace_id, call.start_ns, call.end_ns, call.response_id,
        )  # fmt: skip
        if len(latest) > _KEPT:
            del latest[next(iter(latest))]

    def _note(self, call: LlmCall, scope: str) -> None:
        one, two = sorted((scope, call.scope_name))
        pair = (call.service, one, two)
        example = (call.trace_id, call.span_id, call.name)
        count, last_ns, _ = self.found.get(pair, (0, 0, example))
        if count or len(self.found) < _PAIRS:
            self.found[pair] = (count + 1, max(last_ns, call.end_ns), example)


def _alike(other: _Call, call: LlmCall) -> bool:
    """Whether another record looks like the same call, from another library and trace."""
    scope, trace_id, start_ns, end_ns, response_id = other
    if scope == call.scope_name or trace_id == call.trace_id:
        return False
    if response_id and call.response_id and response_id != call.response_id:
        return False
    around = start_ns <= call.start_ns and call.end_ns <= end_ns
    inside = call.start_ns <= start_ns and end_ns <= call.end_ns
    return around or inside
