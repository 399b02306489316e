"""The real OpenTelemetry Collector as a child process. Configurations live in collector-config/."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

CONFIGS = Path(__file__).parents[2] / "collector-config"


class Collector:
    """`with Collector(binary, config, health=PORT, log=FILE) as collector:`; it is ready inside.

    `config` is a file that a user can copy: what differs here (ports, directories) comes from the
    `environment`, as in production. `health` is the port of its health_check extension.
    """

    def __init__(
        self,
        binary: Path,
        config: Path,
        *,
        health: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        self._health = health
        self._command = [str(binary), "--config", str(config)]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id; ValueError if it does not run."""
        if self._process is None:
            raise ValueError("expected a running Collector, saw none")
        return self._process.pid

    def start(self, timeout: float = 20.0) -> None:
        """Return when its health check answers 200, which it does once every receiver listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  the binary that we built
                self._command, env=self._environment, stdout=log, stderr=log
            )
        deadline, pause = time.monotonic() + timeout, threading.Event()
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(
                    f"the Collector did not start:\n{self.log.read_text()[-2000:]}"
                )
            pause.wait(0.05)

    def stop(self, timeout: float = 20.0) -> int:
        """SIGTERM, and after `timeout` seconds SIGKILL. Returns the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self._process = None

    def kill(self) -> int:
        """SIGKILL, as a crash would. `start` brings it back."""
        if self._process is None:
            return 0
        self._process.kill()
        code = self._process.wait()
        self._process = None
        return code

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health}/", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def validate(binary: Path, config: Path, environment: Mapping[str, str]) -> str:
    """What `otelcol validate` says: empty if the configuration is good."""
    done = subprocess.run(  # noqa: S603  the binary that we built
        [binary, "validate", "--config", config],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
