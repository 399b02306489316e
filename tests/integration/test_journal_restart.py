"""The journal on disk under the real process: what was acked outlives it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from costspan.demo.line import Line, configuration, free_ports
from costspan.errors import StartError
from costspan.testing import request, span
from integration.lines import otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink
from integration.prometheus import value

NOBODY = "127.0.0.1:1"


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
