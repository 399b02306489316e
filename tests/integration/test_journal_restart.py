"""The journal on disk under the real process: what was acked outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from costspan.demo.line import Line, configuration, free_ports
from costspan.errors import StartError
from costspan.testing import request, span
from integration.lines import eventually, otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink
from integration.prometheus import value

NOBODY = "127.0.0.1:1"
KIB = 1 << 10


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603
        pytest.skip("may not mount a file system here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607


def test_what_was_acked_is_delivered_by_the_next_process(tmp_path: Path) -> None:
    """Killed while its destination was dead. Meanwhile no other process gets at its directory."""
    journal = {"directory": str(tmp_path / "journal")}
    with running(tmp_path, {"otlp": otlp(NOBODY)}, journal=journal) as line:
        for n in range(5):
            export(line.ports.grpc, request(span(name=f"span {n}")))
        ports = free_ports()
        second = Line(configuration(ports, {}, journal=journal), ports, tmp_path / "second.log")
        with pytest.raises(StartError, match=f"in use by process {line.pid}"):
            second.start()
        assert second.ended(within=10) == 1
        os.kill(line.pid, signal.SIGKILL)
        line.ended(within=10)

    with (
        OtlpSink() as sink,
        running(tmp_path, {"otlp": otlp(sink.endpoint)}, journal=journal) as line,
    ):
        spans = sink.wait_for_spans(5)
        again = value(line.ports.metrics, "costspan_journal_recovered_items_total")

    assert {each.name for each in spans} == {f"span {n}" for n in range(5)}
    assert again == 5


def test_a_full_disk_asks_clients_back_and_the_process_stays_up(
    tmp_path: Path, tiny_disk: Path
) -> None:
    """Its destination is dead, so readers make no room; then somebody else's file goes."""
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * 1000 * KIB)
    journal = {"directory": str(tiny_disk / "journal")}
    body = request(span({"filler": "x" * 300 * KIB}))
    with running(tmp_path, {"otlp": otlp(NOBODY)}, journal=journal) as line:
        taken = 0
        while is_taken(line, body):
            taken += 1
        full = verbose(line)

        ballast.unlink()
        eventually(lambda: is_taken(line, body))
        room = verbose(line)
        queued = value(line.ports.metrics, "costspan_exporter_queued_items", exporter="otlp")

    assert taken >= 2
    assert full["status"] == "serving"
    assert "No space left on device" in full["components"]["journal"]["message"]
    assert room["components"]["journal"] == {"ok": True}
    assert queued == taken + 1


def is_taken(line: Line, body: bytes) -> bool:
    try:
        export(line.ports.grpc, body)
    except grpc.RpcError as refusal:
        if refusal.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


def verbose(line: Line) -> dict[str, Any]:
    url = f"http://127.0.0.1:{line.ports.health}/healthz/ready?verbose"
    with urllib.request.urlopen(url, timeout=5) as answer:
        state: dict[str, Any] = json.load(answer)
    return state
