"""The files of the ledger's checkpoints: written whole, the two newest kept. It reads no state.

A file is a head (magic, format, identity of the journal), a body and the CRC-32 of both. It is
written beside its place, flushed, and renamed: a file that has its name is whole, or its disk is
at fault. The journal is released up to the older of the two, so that a newest one that cannot be
read is answered by the older one and the frames since.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, TypeVar

from costspan.errors import UnsupportedFormat
from costspan.telemetry import Telemetry

FORMAT = 2  # 1 has its graves as objects, and is read
_MAGIC = b"costspan ledger\0"
_HEAD = struct.Struct("<16sH32s")  # magic, format, identity
_CRC = struct.Struct("<I")
_NAME = re.compile(r"checkpoint-(\d{10})\Z")
_TEMPORARY = "checkpoint.tmp"
_KEPT = 2
WRITTEN, FAILED, DAMAGED, FOREIGN, NEWER = "written", "failed", "damaged", "foreign", "newer"
_log = logging.getLogger(__name__)

_State = TypeVar("_State")


class _Kept(NamedTuple):
    number: int
    seq: int


class _Foreign(ValueError):
    """A checkpoint of another journal: its seqs mean nothing here."""


class Pieces(Protocol):
    """A state as bytes that are made when they are asked for."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Draft:
    """A checkpoint in a temporary file. What fails is counted and logged by its checkpoints.

    `write` until that is False, then `publish` once, from any thread: it waits for the disk.
    """

    def __init__(
        self, checkpoints: Checkpoints, file: BinaryIO, seq: int, head: bytes, pieces: Pieces
    ) -> None:
        self._checkpoints, self._file, self._seq = checkpoints, file, seq
        self._head = head
        self._pieces, self._left = iter(pieces), len(pieces)
        self._checksum = 0

    def write(self) -> bool:
        """Take the next piece. Return False if it was the last, or there is no room for it."""
        if self._file.closed:
            return False
        try:
            self._put(self._head + next(self._pieces))
            self._head = b""
            self._left -= 1
            if not self._left:
                self._file.write(_CRC.pack(self._checksum))
                self._file.flush()
        except OSError as error:
            self.discard()
            self._checkpoints.fail(error)
        except BaseException:
            self.discard()
            raise
        return self._left > 0 and not self._file.closed

    def discard(self) -> None:
        """Nothing comes of it. The ones before stay as they are."""
        with contextlib.suppress(OSError):  # of what was not written yet
            self._file.close()

    def publish(self) -> None:
        """Make it the newest, unless nothing came of it."""
        if not self._file.closed:
            self._checkpoints.publish(self._file, self._seq)

    def _put(self, piece: bytes) -> None:
        self._file.write(piece)
        self._checksum = zlib.crc32(piece, self._checksum)


class Checkpoints:
    """The checkpoints of one journal in one directory. One process at a time, one draft at a time.

    From any thread: `releasable`, the seq up to which no kept checkpoint needs frames; `failing`,
    whether the last attempt failed.
    """

    at_once = 512  # traces, graves and rows of a piece; while it is packed nothing is told

    def __init__(self, directory: Path, identity: str, telemetry: Telemetry) -> None:
        self._directory = directory
        self._identity = identity.encode()
        self._telemetry = telemetry
        self._kept: tuple[_Kept, ...] = ()
        self._set_aside: set[int] = set()  # of a newer format: not ours to delete
        self.failing = False
        self.releasable = 0

    def load(
        self, unpack: Callable[[memoryview], _State], seq: Callable[[_State], int]
    ) -> _State | None:
        """The newest that is whole, ours and readable; None if there is none.

        `unpack` raises ValueError for a body that it cannot read; `seq` says how far one reaches.
        """
        for number in reversed(self._numbers()):
            try:
                state = unpack(self._body(number))
            except UnsupportedFormat as newer:
                self._set_aside.add(number)
                self._pass_over(NEWER, number, newer)
            except _Foreign as foreign:
                self._pass_over(FOREIGN, number, foreign)
            except (OSError, ValueError) as damage:
                self._pass_over(DAMAGED, number, damage)
            else:
                self._kept = (_Kept(number, seq(state)),)
                return state
        return None

    def draft(self, seq: int, pieces: Pieces) -> Draft | None:
        """Begin a checkpoint that will hold everything up to `seq`. None: it can't be written."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            file = (self._directory / _TEMPORARY).open("wb")
        except OSError as error:
            self.fail(error)
            return None
        head = _HEAD.pack(_MAGIC, FORMAT, self._identity)
        return Draft(self, file, seq, head, pieces)

    def publish(self, file: BinaryIO, seq: int) -> None:
        """The second half of `Draft.publish`."""
        try:
            with file:
                size = file.tell()
                os.fsync(file.fileno())
            number = max([*self._numbers(), 0]) + 1
            (self._directory / _TEMPORARY).replace(self._path(number))
            self._sync_directory()
            self._keep(_Kept(number, seq))
        except OSError as error:
            self.fail(error)
            return
        self.failing = False
        self._telemetry.checkpoints.add(1, WRITTEN)
        self._telemetry.checkpoint_bytes.set(size)

    def fail(self, error: OSError) -> None:
        """Count a checkpoint that can't be written; it is said once."""
        self._telemetry.checkpoints.add(1, FAILED)
        if not self.failing:
            self.failing = True
            _log.error("trace ledger: no checkpoint can be written, tried again: %s", error)

    def _keep(self, newest: _Kept) -> None:
        self._kept = (*self._kept, newest)[-_KEPT:]
        if len(self._kept) == _KEPT:
            self.releasable = self._kept[0].seq
        kept = {one.number for one in self._kept} | self._set_aside
        for number in self._numbers():
            if number not in kept:
                self._path(number).unlink(missing_ok=True)

    def _body(self, number: int) -> memoryview:
        data = memoryview(self._path(number).read_bytes())
        if len(data) < _HEAD.size + _CRC.size:
            raise ValueError(f"it ends after {len(data)} bytes")
        magic, version, identity = _HEAD.unpack_from(data)
        if magic == _MAGIC and version > FORMAT:
            raise UnsupportedFormat(f"it is of format {version}, this version reads {FORMAT}")
        body, (checksum,) = data[: -_CRC.size], _CRC.unpack(data[-_CRC.size :])
        if magic != _MAGIC or zlib.crc32(body) != checksum:
            raise ValueError("its checksum says that it is damaged")
        if identity != self._identity:
            raise _Foreign("it belongs to another journal")
        return body[_HEAD.size :]

    def _numbers(self) -> list[int]:
        """Of all checkpoints, oldest first."""
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(found[1]) for name in names if (found := _NAME.match(name)))

    def _path(self, number: int) -> Path:
        return self._directory / f"checkpoint-{number:010}"

    def _sync_directory(self) -> None:
        """Until then the new name may be lost with the power (fsync(2))."""
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _pass_over(self, outcome: str, number: int, why: Exception) -> None:
        self._telemetry.checkpoints.add(1, outcome)
        _log.warning("trace ledger: %s is not used: %s", self._path(number), why)
