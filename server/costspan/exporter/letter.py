"""Dead letters as bytes: what a destination refused for good, and why. A codec, and no I/O.

A file is a first line and letters; a letter is a note and the frames that it is about, each a
record of the journal (`journal/record.py`). Nothing is looked for after damage: a file ends there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from costspan.errors import UnsupportedFormat
from costspan.journal import record
from costspan.model import Frame

FIRST_LINE = b"costspan dead letters 1\n"
_NOTE = "note"
_LONGEST_TEXT = 500


class Letter(NamedTuple):
    """Frames that were refused together. They are of one signal."""

    at_ns: int  # when, since the epoch
    reason: str  # the label of the counter
    text: str  # the destination's own words
    frames: Sequence[Frame]

    @property
    def items(self) -> int:
        return sum(frame.items for frame in self.frames)

    @property
    def size(self) -> int:
        """Bytes of what was refused."""
        return sum(len(frame.body) for frame in self.frames)

    @property
    def signal(self) -> str:
        return self.frames[0].signal if self.frames else ""


def encode(letter: Letter) -> bytes:
    """The letter as records."""
    told = (("reason", letter.reason), ("text", letter.text[:_LONGEST_TEXT]))
    note = Frame(0, letter.at_ns, _NOTE, 0, told, b"", b"", len(letter.frames))
    return b"".join(record.encode(frame) for frame in (note, *letter.frames))


def read(data: bytes) -> Iterator[Letter]:
    """The letters of a file, up to its end or to the first that is damaged.

    Raises UnsupportedFormat if it begins with another line.
    """
    if not data.startswith(FIRST_LINE):
        if FIRST_LINE.startswith(data):
            return  # it ends within its first line: nothing had been written yet
        raise UnsupportedFormat(f"expected a file that begins with {FIRST_LINE!r}, saw another")
    frames = _frames(data, len(FIRST_LINE))
    for note in frames:
        if note.signal != _NOTE:
            return
        told = dict(note.metadata)
        about = list(islice(frames, note.items))
        if len(about) < note.items:
            return
        yield Letter(note.received_ns, told.get("reason", ""), told.get("text", ""), about)


def _frames(data: bytes, offset: int) -> Iterator[Frame]:
    view = memoryview(data)
    while head := record.read_head(data, offset):
        payload = view[offset + head.size : offset + head.total]
        try:
            yield record.decode(head, payload)
        except record.Corrupt:
            return
        offset += head.total
