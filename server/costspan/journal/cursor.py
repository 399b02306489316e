"""How far a reader has come, and where the round ends that it is trying: one small file for each.

Two slots, written in turn and in place: a slot that is torn leaves the other, one write of 32 bytes
does, and no space has to be found for it when the disk is full. The third part names the reader
and what it takes, so that a reader that the configuration no longer names can still be told of.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from costspan.model import ReaderSpec

SUFFIX = ".cursor"
_SLOT = struct.Struct("<4sIQQQ")  # magic, crc of what follows, turn, committed, planned
_MAGIC = b"cjcu"
_SECTOR = 512  # slots and name lie in sectors of their own: a disk tears no sector
_ABOUT = 2 * _SECTOR
_MODE = 0o600


class About(msgspec.Struct, frozen=True):
    """Whose cursor it is."""

    name: str
    takes: list[str]
    counted: bool
    until: int | None = None  # the last seq that is kept for it, if it is no longer configured


class Place(NamedTuple):
    """Where a reader stands."""

    committed: int
    planned: int = 0  # the last seq of the round that it is trying; 0 or <= committed: none


class Cursor:
    """The file of one reader. `write` keeps what it can't write, and tries it with the next."""

    def __init__(self, directory: Path, spec: ReaderSpec) -> None:
        self.path = directory / (quote(spec.name, safe="") + SUFFIX)
        self.place = Place(0)
        self._spec = spec
        self.until: int | None = None
        self._turn = 0
        self._fd = -1

    def load(self) -> bool:
        """Read the file. False if there is none, or nothing in it is legible. Raises OSError."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return False
        slots = [slot for at in (0, _SECTOR) if (slot := _slot(data, at))]
        if not slots:
            return False
        self._turn, self.place = max(slots)
        return True

    def write(self, place: Place, *, sync: bool) -> None:
        """Write where the reader stands now; `sync`: return when that will survive a power failure.

        Raises OSError.
        """
        self.place = place
        if self._fd < 0:
            self._create()
        self._turn += 1
        data = _SLOT.pack(b"", 0, self._turn, *place)[8:]
        crc = zlib.crc32(data).to_bytes(4, "little")
        os.pwrite(self._fd, _MAGIC + crc + data, self._turn % 2 * _SECTOR)
        if sync:
            os.fdatasync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _create(self) -> None:
        """Make the file, or open the one that is there, with room for all that it will hold."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        spec = self._spec
        text = msgspec.json.encode(About(spec.name, sorted(spec.takes), spec.counted, self.until))
        try:
            os.pwrite(fd, text, _ABOUT)
            os.ftruncate(fd, _ABOUT + len(text))
        except OSError:
            os.close(fd)
            raise
        self._fd = fd


def about(path: Path) -> About | None:
    """Whose cursor the file is; None if that is not legible. Raises OSError."""
    try:
        return msgspec.json.decode(path.read_bytes()[_ABOUT:], type=About)
    except msgspec.MsgspecError:
        return None


def found(directory: Path) -> Iterator[Path]:
    """The cursors in a directory."""
    return iter(sorted(directory.glob("*" + SUFFIX)))


def _slot(data: bytes, at: int) -> tuple[int, Place] | None:
    if len(data) < at + _SLOT.size:
        return None
    magic, crc, turn, committed, planned = _SLOT.unpack_from(data, at)
    if magic != _MAGIC or zlib.crc32(data[at + 8 : at + _SLOT.size]) != crc:
        return None
    return turn, Place(committed, planned)
