"""OTLP servers that refuse until they are told to give in; what they took counts as arrived."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

import peers
from peers import OK, UNAVAILABLE, Answer

_LONGEST_HANG = 30.0  # seconds


class Attempt(NamedTuple):
    """One request, what was said to it, and when it came (time.monotonic(), seconds)."""

    body: bytes
    answer: Answer
    at: float


class StubbornSink(peers._Peer):
    """Says `mood` to every request; once it gave in, what its script says, and then OK.

    The two below put it on a transport.
    """

    def __init__(self, mood: Answer = OK) -> None:
        super().__init__()
        self._mood = mood
        self._attempts: list[Attempt] = []
        self._gave_in = threading.Event()
        if mood is OK:
            self._gave_in.set()

    def give_in(self) -> None:
        self._gave_in.set()

    def attempts(self) -> list[Attempt]:
        with self._lock:
            return list(self._attempts)

    def taken(self) -> list[bytes]:
        """The bodies that it answered with a success, a partial one included."""
        return [each.body for each in self.attempts() if _is_success(each.answer)]

    def _next(self, received: peers.Received) -> Answer:
        at = time.monotonic()
        answer = super()._next(received) if self._gave_in.is_set() else self._mood
        with self._lock:
            self._attempts.append(Attempt(received.body, answer, at))
        if not answer.hangs:
            return answer
        self._gave_in.wait(_LONGEST_HANG)
        return UNAVAILABLE  # whoever still waits must not take the end of the hang for an ack


class StubbornGrpc(StubbornSink, peers.GrpcPeer):
    """`with StubbornGrpc(UNAVAILABLE) as sink:`; over gRPC."""


class StubbornHttp(StubbornSink, peers.HttpPeer):
    """The same over HTTP."""


def _is_success(answer: Answer) -> bool:
    return answer.http == 200 and not answer.hangs
