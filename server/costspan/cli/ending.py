"""How a command ends early: its last words on stderr, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from costspan.cli.exits import Exit
from costspan.errors import CostspanError


def ended(code: Exit, *sentences: str) -> typer.Exit:
    """Say why. The caller raises what this returns."""
    print("\n".join(sentences), file=sys.stderr)
    return typer.Exit(code)


@contextmanager
def readable() -> Iterator[None]:
    """What is wrong with a file, or in it, ends the command with 1."""
    try:
        yield
    except OSError as error:
        raise ended(Exit.FAILURE, f"costspan: {error.filename}: {error.strerror}") from error
    except (CostspanError, ValueError) as error:
        raise ended(Exit.FAILURE, f"costspan: {error}") from error
