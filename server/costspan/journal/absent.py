"""Readers that have a cursor in the directory and that the configuration no longer names.

What was before one of them when it was first missing stays, counted and told of, until it is named
again or forgotten by name. Nothing that arrives later is kept for it, and when room is short it
loses its oldest like any reader without back pressure.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from costspan.journal import cursor
from costspan.journal.cursor import Cursor
from costspan.journal.reader import DROP_OLDEST, Reader
from costspan.model import ReaderSpec

_log = logging.getLogger(__name__)


def find(directory: Path, present: Sequence[ReaderSpec], forget: Collection[str]) -> list[Reader]:
    """Those that are missing and not forgotten. Raises OSError."""
    known = {Cursor(directory, spec).path for spec in present}
    absent = []
    for path in cursor.found(directory):
        if path in known:
            continue
        about = cursor.about(path)
        if about is None:
            _log.warning("%s is damaged, and of no reader that is configured: ignored", path)
        elif about.name in forget:
            path.unlink()
            _log.info("%s is forgotten: what only it needed is released", about.name)
        else:
            spec = ReaderSpec(about.name, frozenset(about.takes), DROP_OLDEST, about.counted)
            until = sys.maxsize if about.until is None else about.until
            reader = Reader(spec, Cursor(directory, spec), 0, until)
            reader.resume()
            absent.append(reader)
    return absent


def hold(readers: Sequence[Reader], last: int) -> list[Reader]:
    """Those that something is held for, up to `last`; any other is forgotten. Raises OSError."""
    held = []
    for reader in readers:
        if not reader.queued.frames:
            reader.cursor.path.unlink()
            continue
        reader.until = reader.cursor.until = min(reader.until, last)
        _log.warning("%s", told(reader))
        held.append(reader)
    return held


def told(reader: Reader) -> str:
    """What is held for it, and how to release it; "" if nothing is."""
    if not reader.queued.frames:
        return ""
    name, items = reader.spec.name, sum(reader.queued.items.values())
    return (
        f"{name} is no longer configured, and {items} items ({reader.queued.bytes} bytes) wait for"
        f" it: configure it again, or release them by journal.forget: [{name}]"
    )
