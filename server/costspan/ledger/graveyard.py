"""What stays of closed traces: a bounded memory against counting a re-sent span again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from costspan.ledger.trace import Grave


class Graveyard:
    """Graves by trace id; above `max_bytes` the oldest are forgotten."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._graves: OrderedDict[bytes, Grave] = OrderedDict()
        self.bytes = 0

    def bury(self, trace_id: bytes, grave: Grave) -> None:
        self._graves[trace_id] = grave
        self.bytes += grave.size
        while self.bytes > self._max:
            _, oldest = self._graves.popitem(last=False)
            self.bytes -= oldest.size

    def items(self) -> Iterable[tuple[bytes, Grave]]:
        """Oldest first."""
        return self._graves.items()

    def exhume(self, trace_id: bytes) -> Grave | None:
        """Take a grave out: the trace is back, and keeps it until it goes again."""
        grave = self._graves.pop(trace_id, None)
        if grave is not None:
            self.bytes -= grave.size
        return grave
