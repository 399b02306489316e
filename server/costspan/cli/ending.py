"""How a command ends early: its last words on stderr, and its exit code. It decides neither."""

from __future__ import annotations

import sys

import typer

from costspan.cli.exits import Exit


def ended(code: Exit, *sentences: str) -> typer.Exit:
    """Say why. The caller raises what this returns."""
    print("\n".join(sentences), file=sys.stderr)
    return typer.Exit(code)
