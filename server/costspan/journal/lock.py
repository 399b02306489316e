"""One process for each directory: two writers on one journal would destroy it."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from costspan.errors import StartError

_NAME = "lock"
_MODE = 0o600


class DirectoryLock:
    """Held from construction to `release`, or to the end of the process, however that ends.

    Raises StartError if another process holds it.
    """

    def __init__(self, directory: Path) -> None:
        self._fd = os.open(directory / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip()
            os.close(self._fd)
            who = f"process {holder}" if holder.isdigit() else "another process"
            raise StartError(f"the journal in {directory} is in use by {who}") from None
        with suppress(OSError):  # a full disk: only the sentence above needs it
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let the next one in. Calling it again does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
