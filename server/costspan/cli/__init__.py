"""The command line: the only place that prints or exits."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    raise SystemExit(2)
