"""A line that can die where it is told to, see clocks step, or live on a disk of its own."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from costspan.demo.line import Line, Ports, Section
from costspan.errors import StartError
from integration.crash_launcher import CRASH

_LAUNCHER = Path(__file__).with_name("crash_launcher.py")


class CrashLine(Line):
    """A line that is started by the launcher; `environment` is what that reads."""

    def __init__(
        self, config: Section, ports: Ports, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(config, ports, log)
        self._command[1:3] = [str(_LAUNCHER)]  # in place of `-m costspan`
        self._environment |= environment or {}

    def start_to_die(self, point: str, passages: int) -> float:
        """Start; return the seconds until it was ready. It may have died before: then NaN."""
        self._environment[CRASH] = f"{point}:{passages}"
        try:
            return self._start_timed()
        except StartError:
            if self.ended(within=5) != -signal.SIGKILL:
                raise
            return float("nan")

    def start_to_live(self) -> float:
        """Start; return the seconds until it was ready."""
        self._environment[CRASH] = ""
        return self._start_timed()

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start_timed(self) -> float:
        began = time.monotonic()
        self.start()
        return time.monotonic() - began


class SmallDisk:
    """`with SmallDisk("mount -t tmpfs ..."):` a mount namespace in which this (shell) was run.

    What it mounts is seen by lines inside alone, and goes with it. Needs root, and a kernel that
    lets root do so.
    """

    def __init__(self, mounts: str) -> None:
        script = f"{mounts} && echo mounted && exec cat"
        self._command = ["unshare", "--mount", "sh", "-c", script]
        self._holder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        holder = subprocess.Popen(  # noqa: S603  (words of the test)
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._holder = holder
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mounted\n"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._holder is not None
        self._holder.communicate()

    @property
    def pid(self) -> int:
        """Of the process that keeps the namespace."""
        assert self._holder is not None
        return self._holder.pid

    def inside(self, path: Path) -> Path:
        """A path as lines inside see it, for us."""
        return Path(f"/proc/{self.pid}/root") / path.relative_to("/")


class BoxedLine(Line):
    """A line inside a `SmallDisk`."""

    def __init__(self, config: Section, ports: Ports, log: Path, disk: SmallDisk) -> None:
        super().__init__(config, ports, log)
        self._command[:0] = ["nsenter", "--target", str(disk.pid), "--mount"]
