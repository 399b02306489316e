"""What a record says of where and what it measured: machine, its speed just now, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

_HERE = Path(__file__).parent


def loop_ms() -> float:
    """CPU of a fixed piece of Python, the best of nine: how fast this machine is just now."""
    best = float("inf")
    for _ in range(9):
        begin, total = time.process_time(), 0
        for number in range(200_000):
            total += number & 7
        best = min(best, time.process_time() - begin)
    return best * 1000


def machine() -> dict[str, str]:
    """Processor, cores, Python and kernel."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def commit() -> str:
    """The short hash, with a `+` if what is measured is not what was committed."""
    changed = _git("status", "--porcelain", "--", ":/server", ":/pricing")
    return _git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_HERE), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603  fixed words
