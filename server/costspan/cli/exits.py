"""The exit codes, one meaning each."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command ends with."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG_INVALID = 3
    UNREACHABLE = 4
    CHECK_FAILED = 5
