"""The real Collector as it is measured: the four jobs that are nearest to costspan's."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Running

from costspan.demo.line import free_ports
from costspan.errors import StartError

_HERE = Path(__file__).parent
_BUILD = _HERE.parent / "tools" / "build_collector.py"
# A job is the sum of these files: the Collector merges them, the last one's lists win.
JOBS = {
    "J1": ("forward",),
    "J2": ("forward", "price"),
    "J3": ("forward", "price", "clickhouse"),
    "J4": ("forward", "price", "traces"),
}
# groupbytrace lets go of a trace after a second; whatever is late to the sink is waited for anyway.
SETTLED = 1.0
_START_SECONDS = 20.0


def build() -> Path:
    """The binary, built once per manifest and machine (minutes). Raises CalledProcessError."""
    command = [sys.executable, str(_BUILD)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  ours
    return Path(done.stdout.strip())


def version(binary: Path) -> str:
    """What it says of itself."""
    command = [str(binary), "--version"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  ours
    return done.stdout.strip()


@contextmanager
def collector(
    binary: Path, job: str, folder: Path, *, spans: int, inserts: int = 0
) -> Iterator[Running]:
    """Start it on one job; it listens inside. Its log goes to the folder. Raises StartError.

    `spans` and `inserts` are the loopback ports of the OTLP sink and, for J3, of ClickHouse.
    """
    ports = free_ports()
    environment = {
        **os.environ,
        "GRPC_PORT": str(ports.grpc),
        "HEALTH_PORT": str(ports.health),
        "SINK_PORT": str(spans),
        "CLICKHOUSE_PORT": str(inserts),
    }
    files = [f"--config={_HERE / 'jobs' / name}.yaml" for name in JOBS[job]]
    path = folder / f"{job}.log"
    with path.open("ab") as log:
        process = subprocess.Popen([binary, *files], env=environment, stdout=log, stderr=log)  # noqa: S603  ours
    try:
        _await_readiness(process, ports.health, path)
        yield Running(process.pid, f"127.0.0.1:{ports.grpc}", SETTLED)
    finally:
        process.terminate()
        process.wait()


def _await_readiness(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when its health check answers 200, which it does once every receiver listens."""
    deadline, pause = time.monotonic() + _START_SECONDS, threading.Event()
    while not _ready(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise StartError(f"the Collector did not start:\n{log.read_text()[-2000:]}")
        pause.wait(0.05)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
