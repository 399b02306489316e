"""Questions about open traces, from any thread, answered by the ledger's. It changes nothing."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate

import msgspec

from costspan.ledger.ledger import TraceLedger

_PATIENCE = 2.0  # seconds: the ledger's thread looks up several times a second
_MOST_QUESTIONS = 16  # waiting; more than that is no person


class View(msgspec.Struct):
    """What a ledger holds of a trace: the wire format of `/debug/trace/ID`, as JSON."""

    state: str  # open | closed
    calls: bytes  # as in a frame: `model.encode_calls`
    heads: bytes  # as `wire.heads` packs them


class Looks:
    """Asked by `ask`, answered by `answer`."""

    def __init__(self, ledger: TraceLedger) -> None:
        self._ledger = ledger
        self._questions: deque[tuple[bytes, Future[bytes | None]]] = deque(maxlen=_MOST_QUESTIONS)

    def ask(self, trace_id: str) -> bytes | None:
        """A View as JSON; None if the ledger does not hold such a trace, or does not answer."""
        try:
            wanted = bytes.fromhex(trace_id)
        except ValueError:
            return None
        answer: Future[bytes | None] = Future()
        self._questions.append((wanted, answer))
        try:
            return answer.result(_PATIENCE)
        except TooLate:
            return None

    def answer(self) -> None:
        """Answer what was asked. Only the thread that owns the ledger may call it."""
        while self._questions:
            trace_id, answer = self._questions.popleft()
            held = self._ledger.look(trace_id)
            answer.set_result(msgspec.json.encode(View(*held)) if held else None)
