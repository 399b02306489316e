"""Where dead letters lie: a directory per exporter, bounded, shared by processes. No delivery here.

The files of one exporter are numbered; the oldest has the lowest number. Whoever writes, or takes a
file away, holds the lock of the directory for that moment. A file that is being sent again is
renamed first, so the running costspan never writes to it, and a crash leaves it to be found.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

from costspan.errors import CostspanError, UnsupportedFormat
from costspan.exporter import letter as codec
from costspan.exporter.letter import Letter
from costspan.telemetry import Gauge, Labels, Telemetry

_log = logging.getLogger(__name__)
_SUFFIX, _CLAIMED = ".letters", ".claimed"
_FILES = 8  # of one directory at its limit: what is given up at once is an eighth


class DeadLetters:
    """The letters of one exporter. Safe from any thread, and beside other processes."""

    def __init__(self, root: Path, exporter: str, max_size: int, telemetry: Telemetry) -> None:
        self._exporter = exporter
        self._place = root / quote(exporter, safe="")
        self._max = max_size
        self._telemetry = telemetry
        self._current: Path | None = None  # written by this object; nobody else appends to it
        self._lock = threading.Lock()
        telemetry.watch(self._gauges)

    def keep(self, letter: Letter) -> None:
        """Write a letter down. It never raises: what can't be kept is counted and logged."""
        try:
            with self._lock, self._locked():
                self._append(codec.encode(letter))
                self._trim()
        except OSError as fault:
            self._current = None  # it may end in the middle of a letter
            self._lost(letter.items, "write_failed")
            _log.error("exporter %s: a dead letter can't be kept: %s", self._exporter, fault)

    # --- to send them again -------------------------------------------------------------------

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Only one process at a time sends the letters again. Raises CostspanError if one does."""
        try:
            with _flock(self._place / "replay.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield
        except BlockingIOError as fault:
            sentence = f"the dead letters of {self._exporter} are being sent again already"
            raise CostspanError(sentence) from fault

    def claim(self) -> list[Path]:
        """Take every file that is there, oldest first; also those that a crash left claimed."""
        with self._lock, self._locked():
            for path in self._paths(_SUFFIX):
                path.rename(path.with_suffix(_CLAIMED))
            return self._paths(_CLAIMED)

    def release(self, claimed: Path) -> None:
        """Let a claimed file be as it was."""
        claimed.rename(claimed.with_suffix(_SUFFIX))

    def give_back(self, claimed: Path, letters: Sequence[Letter]) -> None:
        """Put these letters in the place of a claimed file; none: the file goes."""
        if letters:
            temporary = claimed.with_suffix(".tmp")
            with _private(temporary, os.O_TRUNC) as file:
                file.write(codec.FIRST_LINE + b"".join(map(codec.encode, letters)))
                file.flush()
                os.fdatasync(file.fileno())
            temporary.rename(claimed.with_suffix(_SUFFIX))
        claimed.unlink()
        _sync(self._place)

    # --- files --------------------------------------------------------------------------------

    def _append(self, data: bytes) -> None:
        with _private(self._writable(len(data)), os.O_APPEND) as file:
            if not os.fstat(file.fileno()).st_size:
                data = codec.FIRST_LINE + data
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())

    def _writable(self, size: int) -> Path:
        """The file to append to: a new one if there is none, it is full or was taken away."""
        current = self._current
        if current and current.exists() and current.stat().st_size + size <= self._max // _FILES:
            return current
        numbers = [int(path.stem) for path in (*self._paths(_SUFFIX), *self._paths(_CLAIMED))]
        self._current = self._place / f"{max(numbers, default=0) + 1:012}{_SUFFIX}"
        return self._current

    def _trim(self) -> None:
        """The oldest files go when all together are above the limit; never the last one."""
        paths = self._paths(_SUFFIX)
        sizes = [path.stat().st_size for path in paths]
        while len(paths) > 1 and sum(sizes) > self._max:
            oldest = paths.pop(0)
            del sizes[0]
            self._lost(_items(oldest), "max_size")
            oldest.unlink()

    def _lost(self, items: int, reason: str) -> None:
        self._telemetry.dead_letters_lost.add(items, self._exporter, reason)

    def _paths(self, suffix: str) -> list[Path]:
        return sorted(self._place.glob(f"*{suffix}"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _flock(self._place / "lock", fcntl.LOCK_EX):
            yield

    def _gauges(self) -> dict[Gauge, dict[Labels, float]]:
        size = 0
        for path in self._paths(_SUFFIX):
            with suppress(FileNotFoundError):  # it was sent again, or gave way, meanwhile
                size += path.stat().st_size
        return {self._telemetry.dead_letter_bytes: {(self._exporter,): size}}


def exporters(root: Path) -> list[str]:
    """Those that have a directory here. Raises OSError."""
    return sorted(unquote(path.name) for path in root.iterdir() if path.is_dir())


def letters(root: Path, exporter: str) -> Iterator[Letter]:
    """Everything that lies here of an exporter, oldest first. Reading only. Raises OSError."""
    place = root / quote(exporter, safe="")
    for path in sorted((*place.glob(f"*{_SUFFIX}"), *place.glob(f"*{_CLAIMED}"))):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # it was sent again, or gave way, meanwhile
        yield from codec.read(data)


def _items(path: Path) -> int:
    try:
        return sum(letter.items for letter in codec.read(path.read_bytes()))
    except UnsupportedFormat:
        return 0  # not ours


@contextmanager
def _flock(path: Path, how: int) -> Iterator[None]:
    """Raises BlockingIOError if it is taken and `how` does not wait."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _private(path, 0) as file:
        fcntl.flock(file, how)
        yield


def _private(path: Path, flags: int) -> IO[bytes]:
    """A file for writing that only its owner may read: it holds prompts, and clients' headers."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600), "wb")


def _sync(directory: Path) -> None:
    """Renames and removals last from here on."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
