"""What an earlier process left in the directory: judged, repaired, summed up. Nothing is delivered.

Nothing is changed before every file is known to be of a format that we read. Then: what is torn off
at the end of the newest segment is cut away; damage in the middle is copied beside the segment and
stays where it is, as readers step over it; a segment whose header is damaged is set aside whole.
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from costspan.errors import StartError
from costspan.journal import record, register, segment
from costspan.journal.reader import Reader
from costspan.journal.register import Register
from costspan.journal.segment import Damage, Header, NewerFormat, Segment
from costspan.journal.tally import Tally
from costspan.model import Frame
from costspan.telemetry import Telemetry

_SET_ASIDE = ".damaged"
_MOST_QUARANTINE = 16 << 20  # bytes of damage kept beside the segments, all files together
_MODE = 0o600
_log = logging.getLogger(__name__)


class Left(NamedTuple):
    """What was found, before any of it is changed."""

    register: Register
    headers: list[tuple[Path, Header | None]]  # oldest first; None where it is damaged
    whole: bool  # the register was legible: who is not in it has never read


class Recovered(NamedTuple):
    """What there is to go on with."""

    segments: list[Segment]
    next_seq: int  # above all that was ever given


def look(directory: Path) -> Left:
    """Change nothing. Raises StartError for a format that is newer than ours, OSError."""
    try:
        known = register.load(directory)
        headers = [(path, _header(path)) for path in sorted(directory.glob("*" + segment.SUFFIX))]
    except NewerFormat as fault:
        raise StartError(f"{fault}; nothing was changed. Start the newer version") from fault
    if known is not None:
        return Left(known, headers, whole=True)
    of_segments = [header.identity for _, header in headers if header is not None]
    identity = of_segments[-1] if of_segments else uuid.uuid4().hex
    return Left(Register(identity), headers, whole=not headers)


def recover(left: Left, readers: Sequence[Reader], telemetry: Telemetry) -> Recovered:
    """Judge every file, and tell each reader what it has before it. Raises OSError."""
    headers, identity = left.headers, left.register.identity
    seqs = [0, *(max(reader.cursor.place) for reader in readers)]
    segments: list[Segment] = []
    for path, header in headers:
        if header is None or header.identity != identity:
            seqs.append(_set_aside(path, telemetry))
            continue
        found = Segment(path, header)
        newest = path == headers[-1][0]
        _Judge(found, telemetry).judge(readers, newest=newest)
        seqs.append(found.last)
        if found.last >= found.first:
            segments.append(found)
        else:
            path.unlink()  # damage in it has a copy
    return Recovered(segments, max(seqs) + 1)


def frames(segments: Iterable[Segment], signal: str, last: int) -> Iterator[Frame]:
    """The frames of one signal up to a seq. A segment that every reader has passed is left out."""
    for each in segments:
        try:
            fd = os.open(each.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            for found in segment.scan(fd, segment.HEADER_SIZE, each.size, each.salt):
                if isinstance(found, Damage) or found.head.signal != signal:
                    continue
                if found.head.seq > last:
                    return
                yield record.unpack(found.head, found.payload)
        finally:
            os.close(fd)


# --- files ---------------------------------------------------------------------------------------


def _header(path: Path) -> Header | None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return segment.read_header(fd, path)
    finally:
        os.close(fd)


def _set_aside(path: Path, telemetry: Telemetry) -> int:
    """Keep a file that can't be read out of the way. Return a seq that none in it can exceed."""
    size = path.stat().st_size
    aside = path.with_suffix(_SET_ASIDE)
    path.rename(aside)
    telemetry.journal_set_aside.add(size)
    _log.error("%s has a damaged header; its %d bytes are set aside as %s", path, size, aside)
    first = int(path.stem) if path.stem.isdigit() else 0
    return first + size // record.FIXED_SIZE


# --- records -------------------------------------------------------------------------------------


class _Judge:
    """Goes through one segment."""

    def __init__(self, found: Segment, telemetry: Telemetry) -> None:
        self._segment = found
        self._telemetry = telemetry

    def judge(self, readers: Sequence[Reader], *, newest: bool) -> None:
        """Sum the segment up, and give each reader its share. Raises OSError."""
        each = self._segment
        # who has read a part of it, or is kept only a part of it, has to be counted by itself
        shares = {r: Tally() for r in readers if r.committed >= each.first or r.until < sys.maxsize}
        fd = os.open(each.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            for found in segment.scan(fd, segment.HEADER_SIZE, size, each.salt):
                if isinstance(found, Damage):
                    self._damaged(fd, found, torn=newest and found.end == size)
                    continue
                head = found.head
                each.count(head, head.total, found.end)
                for reader, share in shares.items():
                    if reader.committed < head.seq <= reader.until:
                        share.add(head.signal, head.items, head.total)
        finally:
            os.close(fd)
        for reader in readers:
            reader.begin_with(each, shares.get(reader))

    def _damaged(self, fd: int, damage: Damage, *, torn: bool) -> None:
        path, length = self._segment.path, damage.end - damage.start
        if torn and damage.head is None:
            os.ftruncate(fd, damage.start)
            self._telemetry.journal_truncated.add(length)
            _log.info("%s ended in the middle of a record; %d bytes are cut off", path, length)
            return
        self._segment.damage.add(damage.start)
        self._telemetry.journal_corrupt.add(1)
        _log.error("%s holds %d damaged bytes at %d", path, length, damage.start)
        quarantine(fd, damage, path)


def quarantine(fd: int, damage: Damage, path: Path) -> None:
    """Copy damaged bytes beside the segment, within a bound, for whoever wants to look at them."""
    copy = path.with_name(f"{path.stem}-{damage.start}.corrupt")
    kept = sum(other.stat().st_size for other in path.parent.glob("*.corrupt"))
    length = min(damage.end - damage.start, _MOST_QUARANTINE - kept)
    if copy.exists() or length <= 0:
        return
    try:
        out = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        try:
            os.write(out, os.pread(fd, length, damage.start))
        finally:
            os.close(out)
    except OSError as fault:
        _log.warning("%s can't be kept: %s", copy, fault)
