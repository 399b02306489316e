"""Starts lines for the tests: the real process, with the sections that a test cares about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from costspan.demo.line import Line, Ports, Section, configuration, free_ports


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
    ports = ports or free_ports()
    config = configuration(ports, exporters, processors=processors, journal=journal, drain=drain)
    with Line(config, ports, directory / "costspan.log") as line:
        yield line
