"""Calls that two libraries tell of in two traces. They share no id, so they can only be suspected.

A framework whose callbacks open no context leaves the SDK's span without a parent: both are billed,
since two real calls look no different. What is compared: the tokens, and that one of the two ran
while the other did.
"""

from __future__ import annotations

from costspan.doctor.snapshot import Example
from costspan.ledger.billing import tokens
from costspan.model import LlmCall

_KEPT = 2048  # calls that a later one is compared with
_PAIRS = 200
_LEAST = 50  # tokens: "ping" and "pong" have as many as any other ping and pong


class _Call:
    """One of which no twin has come yet."""

    __slots__ = ("end_ns", "response_id", "scope", "start_ns", "trace_id")

    def __init__(self, call: LlmCall) -> None:
        self.scope, self.trace_id = call.scope_name, call.trace_id
        self.start_ns, self.end_ns = call.start_ns, call.end_ns
        self.response_id = call.response_id

    def is_told_by(self, call: LlmCall) -> bool:
        """Whether another record looks like the same call, from another library and trace."""
        if self.scope == call.scope_name or self.trace_id == call.trace_id:
            return False
        if self.response_id and call.response_id and self.response_id != call.response_id:
            return False
        around = self.start_ns <= call.start_ns and call.end_ns <= self.end_ns
        inside = call.start_ns <= self.start_ns and self.end_ns <= call.end_ns
        return around or inside


class Likenesses:
    """Remembers the latest billed calls, and the pairs of scopes whose calls were alike."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, int, int], _Call] = {}
        # (service, scope, other scope) -> how often, when last, an example
        self.found: dict[tuple[str, str, str], tuple[int, int, Example]] = {}

    def compare(self, call: LlmCall, example: Example) -> None:
        """Look whether this billed call was told of before."""
        counted = tokens(call)
        if call.usage is None or sum(counted) < _LEAST:
            return
        key = (call.service, *counted)
        other = self._latest.pop(key, None)
        if other is None or not other.is_told_by(call):
            self._latest[key] = _Call(call)
            if len(self._latest) > _KEPT:
                del self._latest[next(iter(self._latest))]
            return
        one, two = sorted((other.scope, call.scope_name))
        pair = (call.service, one, two)
        count, last_ns, _ = self.found.get(pair, (0, 0, example))
        if count or len(self.found) < _PAIRS:
            self.found[pair] = (count + 1, max(last_ns, call.end_ns), example)
