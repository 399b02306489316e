"""costspan alive, killed, stopped and absent: the application's own requests do not notice.

What this costs it is recorded in benchmarks/APPLICATION.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from costspan.demo.line import free_ports
from integration.accounting import at_rest
from integration.lines import eventually, otlp, running
from integration.otlp_sink import OtlpSink
from integration.working import TROUBLES, App, Seen, Work, recover

pytestmark = pytest.mark.slow

WORK = Work(requests=400, rate=100, milliseconds=1)
SETTINGS = {  # a small queue, so that it is seen to overflow; a short wait for who is stopped
    "OTEL_BSP_MAX_QUEUE_SIZE": "256",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "64",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
}


def assert_unharmed(seen: Seen) -> None:
    """Every request was served; of every span the SDK says what became of it."""
    assert (seen.requests, seen.failures) == (WORK.requests, 0)
    assert seen.spans == len(seen.exported) + seen.failed + seen.dropped


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_request_fails_and_what_the_sdk_calls_exported_arrives(
    tmp_path: Path, trouble: str
) -> None:
    """The trouble comes under load; costspan is back only when the application has ended."""
    journal = {"directory": str(tmp_path / "journal")}
    with (
        OtlpSink() as sink,
        running(tmp_path, {"otlp": otlp(sink.endpoint)}, journal=journal) as line,
    ):
        app = App(line.ports.grpc, WORK, SETTINGS)
        sink.wait_for_spans(64)
        TROUBLES[trouble](line)
        seen = app.result()
        recover(line, trouble)
        eventually(lambda: at_rest(line.ports.metrics))
        arrived = {span.span_id.hex() for span in sink.spans()}

    assert_unharmed(seen)
    assert arrived >= set(seen.exported)
    if trouble == "alive":
        assert len(seen.exported) == seen.spans
    else:
        assert seen.dropped > 0


def test_no_request_fails_if_nobody_was_ever_there() -> None:
    seen = App(free_ports().grpc, WORK, SETTINGS).result()

    assert_unharmed(seen)
    assert not seen.exported
