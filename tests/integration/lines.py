"""Starts lines for the tests: the real process, with the sections that a test cares about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from costspan.demo.line import Line, Ports, Section, configuration, start_anywhere

T = TypeVar("T")


def otlp(endpoint: str) -> dict[str, Any]:
    """An OTLP destination without TLS that retries soon."""
    return {
        "endpoint": endpoint,
        "tls": {"insecure": True},
        "retry_on_failure": {"initial_interval": "100ms", "max_interval": "300ms"},
    }


@contextmanager
def running(
    directory: Path,
    exporters: Section,
    *,
    ports: Ports | None = None,
    processors: Section | None = None,
    journal: Section | None = None,
    drain: str = "1s",
) -> Iterator[Line]:
    """A line that is ready; it is stopped in order at the end, dead destinations or not."""

    def make(ports: Ports) -> Line:
        config = configuration(
            ports, exporters, processors=processors, journal=journal, drain=drain
        )
        return Line(config, ports, directory / "costspan.log")

    if ports is None:
        line = start_anywhere(make)
    else:
        line = make(ports)
        line.start()
    try:
        yield line
    finally:
        line.stop()


def eventually(ask: Callable[[], T], timeout: float = 20.0) -> T:
    """Ask again until the answer is not empty."""
    deadline = time.monotonic() + timeout
    while not (answer := ask()):
        assert time.monotonic() < deadline, "no answer in time"
        threading.Event().wait(0.1)
    return answer
