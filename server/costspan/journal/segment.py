"""One file of the journal: written at its end, read from anywhere, judged record by record.

    "costspan" 8 | format 4 | crc of both 4 | identity 16 | first seq 8 | salt 4 | crc of those 4
    records (record.py) to the end of the file

The first 16 bytes keep this meaning in every format, so that a newer one is told from damage.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from costspan.journal import record
from costspan.journal.record import Head
from costspan.journal.tally import Tally
from costspan.model import Frame

FORMAT = 1
SUFFIX = ".segment"
_MAGIC = b"costspan"
_OUTER = struct.Struct("<8sII")
_INNER = struct.Struct("<16sQII")
HEADER_SIZE = _OUTER.size + _INNER.size
_MODE = 0o600  # bodies hold prompts
_WINDOW = 1 << 20  # bytes read at once
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LONGEST_HEAD = record.FIXED_SIZE + record.MAX_SIGNAL
_MOST_PARTS = 512  # of one writev; IOV_MAX is 1024 on Linux and at least 16 elsewhere


class NewerFormat(Exception):
    """The file was written by a later version; the text is the sentence."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(f"{path} has format {version}, this version reads up to {FORMAT}")


class Header(NamedTuple):
    """What a segment says of itself."""

    identity: str
    first: int
    salt: int


class Segment:
    """What is known of one file: its place, its published end, and sums over its records."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.first = header.first
        self.salt = header.salt
        self.last = header.first - 1  # seq of its last record
        self.size = HEADER_SIZE  # to the published end
        self.tally = Tally()
        self.oldest_ns = 0  # received_ns of its first record and of its last
        self.newest_ns = 0
        self.damage: set[int] = set()  # where it is known to be damaged

    def count(self, of: Head | Frame, size: int, end: int) -> None:
        """A record of `size` bytes that ends at `end` is published."""
        self.oldest_ns = self.oldest_ns or of.received_ns
        self.newest_ns = of.received_ns
        self.last, self.size = of.seq, end
        self.tally.add(of.signal, of.items, size)


# --- writing -------------------------------------------------------------------------------------


class SegmentFile:
    """The file that is written to. Every method raises OSError."""

    def __init__(self, directory: Path, identity: str, first: int) -> None:
        header = Header(identity, first, secrets.randbits(32))
        path = directory / f"{first:020d}{SUFFIX}"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        self.segment = Segment(path, header)
        self.end = 0  # of what is written
        try:
            self.write([_header(header)])
        except OSError:
            self.close()
            path.unlink()
            raise

    def write(self, parts: Sequence[bytes]) -> None:
        """Write at the end. What is there after a failure is written over by the next call."""
        end = self.end
        for at in range(0, len(parts), _MOST_PARTS):
            end += _write_all(self._fd, parts[at : at + _MOST_PARTS], end)
        self.end = end

    def sync(self) -> None:
        """Return when what is written will survive a power failure."""
        os.fdatasync(self._fd)

    def cut(self) -> None:
        """Forget what was written and not published; without any record the file goes too."""
        if self.segment.last < self.segment.first:
            self.segment.path.unlink()
        else:
            os.truncate(self.segment.path, self.segment.size)

    def close(self) -> None:
        os.close(self._fd)


def _write_all(fd: int, parts: Sequence[bytes], at: int) -> int:
    """Return the bytes written: all of them, in more than one go if the kernel stops early."""
    total = sum(map(len, parts))
    written = os.pwritev(fd, parts, at)
    if written < total:
        rest = memoryview(b"".join(parts))
        while written < total:
            written += os.pwrite(fd, rest[written:], at + written)
    return total


def _header(header: Header) -> bytes:
    outer = _MAGIC + FORMAT.to_bytes(4, "little")
    inner = _INNER.pack(bytes.fromhex(header.identity), header.first, header.salt, 0)[:-4]
    return b"".join(data + zlib.crc32(data).to_bytes(4, "little") for data in (outer, inner))


def sync_directory(directory: Path) -> None:
    """Make names that came or went survive a power failure. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# --- reading -------------------------------------------------------------------------------------


class Found(NamedTuple):
    """A whole record, and where it ends."""

    head: Head
    payload: memoryview
    end: int


class Damage(NamedTuple):
    """Bytes that are no whole record. `head` says of which, if that much is legible."""

    start: int
    end: int
    head: Head | None = None


def read_header(fd: int, path: Path) -> Header | None:
    """What the file says of itself; None if that is damaged. Raises NewerFormat, OSError."""
    data = os.pread(fd, HEADER_SIZE, 0)
    if len(data) < _OUTER.size or data[:8] != _MAGIC or not _matches(data[: _OUTER.size]):
        return None
    version = _OUTER.unpack_from(data)[1]
    if version > FORMAT:
        raise NewerFormat(path, version)
    if len(data) < HEADER_SIZE or not _matches(data[_OUTER.size :]):
        return None
    identity, first, salt, _ = _INNER.unpack_from(data, _OUTER.size)
    return Header(identity.hex(), first, salt)


def scan(fd: int, start: int, end: int, salt: int) -> Iterator[Found | Damage]:
    """Every record between two offsets, and what lies between them that is none.

    Holds one window in memory, or one record if that is larger. Raises OSError.
    """
    window = _Window(fd)
    at = start
    while at < end:
        offset = window.reach(at, _LONGEST_HEAD)
        head = record.read_head(window.data, offset, salt)
        if head is None or at + head.total > end:
            resumed = _resync(window, at + 1, end, salt)
            yield Damage(at, resumed)
            at = resumed
            continue
        offset = window.reach(at, head.total)
        payload = memoryview(window.data)[offset + head.size : offset + head.total]
        at += head.total
        if record.intact(head, payload):
            yield Found(head, payload, at)
        else:
            yield Damage(at - head.total, at, head)


class _Window:
    """A stretch of a file in memory."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.base, self.data = 0, b""

    def reach(self, at: int, size: int) -> int:
        """Hold `size` bytes from `at`, unless the file ends; return where in `data` they are."""
        if at < self.base or at + size > self.base + len(self.data):
            self.base, self.data = at, os.pread(self._fd, max(_WINDOW, size), at)
        return at - self.base


def _resync(window: _Window, at: int, end: int, salt: int) -> int:
    """Where the next record begins; `end` if none does."""
    while at < end:
        offset = window.reach(at, _LONGEST_HEAD)
        if offset >= len(window.data):
            return end
        found = window.data.find(record.MAGIC, offset)
        if found < 0:  # it may lie across the end of the window
            at = max(at + 1, window.base + len(window.data) - len(record.MAGIC) + 1)
            continue
        at = window.base + found
        offset = window.reach(at, _LONGEST_HEAD)
        head = record.read_head(window.data, offset, salt)
        if head is not None and at + head.total <= end:
            return at
        at += 1
    return end


def _matches(data: bytes) -> bool:
    return zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
