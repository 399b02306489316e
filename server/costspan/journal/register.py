"""What the directory as a whole says of itself: its format, its identity, who has ever read it.

The names are there so that a cursor that was lost is told from a reader that is new: the first
starts over at the oldest frame, the second sees only what arrives from now on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from costspan.journal.segment import FORMAT, NO_SPACE, NewerFormat, sync_directory

_NAME = "journal.json"
_MODE = 0o600
_log = logging.getLogger(__name__)


class Register(msgspec.Struct, frozen=True):
    """The content of the file."""

    identity: str
    readers: tuple[str, ...] = ()
    format: int = FORMAT


class _Outer(msgspec.Struct):
    """What every format has."""

    format: int


def load(directory: Path) -> Register | None:
    """None if there is none, or it is damaged. Raises NewerFormat, OSError."""
    path = directory / _NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        version = msgspec.json.decode(data, type=_Outer).format
        if version > FORMAT:
            raise NewerFormat(path, version)
        register = msgspec.json.decode(data, type=Register)
        return register if len(bytes.fromhex(register.identity)) == 16 else None  # noqa: PLR2004  (a uuid)
    except (msgspec.MsgspecError, ValueError):
        return None


def save(directory: Path, register: Register) -> None:
    """Replace the file at once, and durably. Raises OSError, but not for want of space.

    A full disk may be full of what is in this journal: it has to start to be emptied. Without the
    file its segments say whose they are, and every reader starts over at the oldest frame.
    """
    path = directory / _NAME
    temporary = path.with_suffix(".tmp")
    try:
        _write(temporary, msgspec.json.encode(register) + b"\n")
    except OSError as fault:
        if fault.errno not in NO_SPACE:
            raise
        _log.warning("%s can't be written: %s", path, fault.strerror)
        temporary.unlink(missing_ok=True)
        return
    temporary.rename(path)
    sync_directory(directory)


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def with_readers(register: Register, names: Iterable[str]) -> Register:
    """The same with these readers, and no others."""
    return Register(register.identity, tuple(sorted(set(names))))
