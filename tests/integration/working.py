"""Runs `working_app.py` against a costspan that lives, dies, is stopped or was never there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from costspan.demo.line import Line

_APP = Path(__file__).with_name("working_app.py")


class Work(NamedTuple):
    """What the application has to do."""

    requests: int
    rate: float  # requests a second
    milliseconds: float  # of CPU in each


class Seen(NamedTuple):
    """What the application saw."""

    requests: int
    failures: int
    latencies: Sequence[float]  # seconds
    cpu: float  # seconds, its shutdown not included
    spans: int
    exported: Sequence[str] = ()  # ids (hex) of spans that its exporter says it handed over
    failed: int = 0  # spans of exports that failed
    dropped: int = 0  # spans that found the SDK's queue full


class App:
    """The running application."""

    def __init__(self, port: int | None, work: Work, settings: Mapping[str, str]) -> None:
        environment = {
            **os.environ,
            **settings,
            "WORKING_APP": json.dumps(work),
            "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true",
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
        }
        if port is not None:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(  # noqa: S603  (our own script)
            [sys.executable, str(_APP)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def result(self, timeout: float = 90.0) -> Seen:
        """Wait for its end."""
        output, _ = self._process.communicate(timeout=timeout)
        assert self._process.returncode == 0
        return Seen(**json.loads(output))


def _leave(_line: Line) -> None:
    """It lives."""


def _kill(line: Line) -> None:
    os.kill(line.pid, signal.SIGKILL)
    line.ended(within=10)


def _stop(line: Line) -> None:
    os.kill(line.pid, signal.SIGSTOP)


TROUBLES: Mapping[str, Callable[[Line], None]] = {
    "alive": _leave,
    "killed": _kill,
    "stopped": _stop,
}


def recover(line: Line, trouble: str) -> None:
    """Undo the trouble: afterwards it takes spans."""
    if trouble == "killed":
        line.start()
    if trouble == "stopped":
        os.kill(line.pid, signal.SIGCONT)
