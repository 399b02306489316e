"""How many bytes may be in flight at once. It refuses at once; nobody waits here.

A receiver that blocks until there is room stalls the application's own export threads; one that
refuses is asked again (OTLP: UNAVAILABLE, 503).
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from costspan.errors import Overloaded

_RETRY_AFTER = 1.0  # seconds: requests in flight take milliseconds, so room comes back soon


class Admission:
    """A budget of bytes for the requests between their arrival and their ack."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._in_flight = 0
        self._lock = threading.Lock()

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def lease(self, size: int = 0) -> Lease:
        """Take `size` bytes until the end of the `with` block. Raises Overloaded."""
        lease = Lease(self)
        lease.grow(size)
        return lease

    def _take(self, size: int, held: int) -> None:
        with self._lock:
            others = self._in_flight - held
            # alone it is admitted whatever its size: the receivers bound a single request
            if others and self._in_flight + size > self.max_bytes:
                raise Overloaded(
                    f"{self._in_flight} bytes are in flight, the limit is {self.max_bytes}",
                    after=_RETRY_AFTER,
                )
            self._in_flight += size

    def _give_back(self, size: int) -> None:
        with self._lock:
            self._in_flight -= size


class Lease:
    """The bytes of one request; it may grow while the request arrives or is decompressed."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def grow(self, size: int) -> None:
        """Take more. Raises Overloaded; what was taken before stays until the end."""
        self._admission._take(size, self._size)  # noqa: SLF001 (one mechanism in two classes)
        self._size += size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._admission._give_back(self._size)  # noqa: SLF001 (as above)
        self._size = 0
