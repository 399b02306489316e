"""What stays of closed traces: a bounded memory against counting a re-sent span again.

Graves are held packed, a quarter of their size as objects: how far back a double is known, depends
on how many of them there is room for.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from costspan.ledger.billing import Known
from costspan.ledger.forest import ROOT
from costspan.ledger.held import Carried
from costspan.ledger.trace import Grave

_ID = len(ROOT)
_GRAVE_BYTES = 240  # of the entry around a packed grave, measured as resident memory


class _Packed(msgspec.Struct, array_like=True):
    spans: bytes  # ids, one after the other
    responses: list[str]
    below: dict[bytes, Carried]
    rooted: bool


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


class Graveyard:
    """Graves by trace id; above `max_bytes` the oldest are forgotten."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._graves: OrderedDict[bytes, bytes] = OrderedDict()
        self.bytes = 0

    def bury(self, trace_id: bytes, grave: Grave) -> None:
        self.put(trace_id, pack(grave))

    def put(self, trace_id: bytes, packed: bytes) -> None:
        """A grave as `packed` gave it, behind those that are there."""
        self._graves[trace_id] = packed
        self.bytes += _size(packed)
        while self.bytes > self._max:
            _, oldest = self._graves.popitem(last=False)
            self.bytes -= _size(oldest)

    def packed(self) -> list[tuple[bytes, bytes]]:
        """All of them, oldest first: trace ids, and what `put` takes."""
        return list(self._graves.items())

    def exhume(self, trace_id: bytes) -> Grave | None:
        """Take a grave out: the trace is back, and keeps it until it goes again."""
        packed = self._graves.pop(trace_id, None)
        if packed is None:
            return None
        self.bytes -= _size(packed)
        return _unpack(packed)


def _size(packed: bytes) -> int:
    """Estimated bytes; an allocator rounds up."""
    return _GRAVE_BYTES + len(packed) * 5 // 4


def pack(grave: Grave) -> bytes:
    """What the graveyard holds of a grave."""
    known = grave.known
    spans = b"".join(grave.spans)
    return _encode(_Packed(spans, list(known.responses), dict(known.below), grave.rooted))


def _unpack(packed: bytes) -> Grave:
    held = _decode(packed)
    spans = frozenset(held.spans[at : at + _ID] for at in range(0, len(held.spans), _ID))
    return Grave(spans, Known(frozenset(held.responses), held.below), held.rooted)
